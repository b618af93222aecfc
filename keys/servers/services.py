"""The life of an MCP server and of its credentials. Staff register servers for everyone, a company for itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from keys import feed, hotstore, tokens
from keys.errors import AlreadyRotated, LifetimeInvalid, NameTaken, NotUsable, ServerUnavailable
from keys.models import CredentialState, McpServer, ServerCredential
from keys.services import LONGEST_OVERLAP
from keys.values import new_value
from keys.webhooks.models import EventType
from keys.webhooks.services import emit
from portal.audit.services import Target, record
from portal.logs import redact

if TYPE_CHECKING:
    from portal.accounts.models import User
    from portal.audit.actors import Actor
    from portal.companies.models import Company

FIELDS = frozenset({"name", "title", "url", "alternate_urls", "tools"})


@transaction.atomic
def register_server(
    *,
    actor: Actor,
    name: str,
    url: str,
    title: str = "",
    company: Company | None = None,
    tools: Iterable[Mapping[str, Any]] = (),
    alternate_urls: Iterable[str] = (),
    is_portal: bool = False,
) -> McpServer:
    """Register an MCP server, for everyone (`company` None) or for one company alone.

    `tools`: its catalogue, `[{"name", "title", "description", "read_only"}]`. Raises NameTaken, and ValidationError for
    a name or address of the wrong form.
    """
    server = McpServer(
        name=name, url=url, title=title, company=company, tools=list(tools), alternate_urls=list(alternate_urls),
        is_portal=is_portal,
    )  # fmt: skip
    _save(server)
    record("server:registered", actor=actor, company=company, target=target(server), data={"url": url})
    return server


@transaction.atomic
def update_server(*, server: McpServer, actor: Actor, **changes: Any) -> McpServer:
    """Change `name`, `title`, `url`, `alternate_urls` or `tools`. Raises NameTaken, ValidationError."""
    if unknown := changes.keys() - FIELDS:
        raise TypeError(f"update_server cannot change {', '.join(sorted(unknown))}")
    server = McpServer.objects.select_for_update().get(pk=server.pk)
    changed = sorted(field for field, value in changes.items() if getattr(server, field) != value)
    if changed:
        for field in changed:
            setattr(server, field, changes[field])
        _save(server)
        record(
            "server:updated",
            actor=actor,
            company=server.company,
            target=target(server),
            data={"fields": changed},
        )
        feed.publish([feed.Forget(server.pk)])
    return server


@transaction.atomic
def stop_server(*, server: McpServer, reason: str, actor: Actor) -> McpServer:
    """Emergency stop: refuse every key for this server from now on. Safe to repeat."""
    server = McpServer.objects.select_for_update().get(pk=server.pk)
    if server.stopped_at is None:
        server.stopped_at = timezone.now()
        server.save(update_fields=["stopped_at"])
        record("server:stopped", actor=actor, company=server.company, target=target(server), reason=reason)
        feed.publish([feed.Forget(server.pk)])
        _tell(EventType.SERVER_STOPPED, server)
    return server


@transaction.atomic
def resume_server(*, server: McpServer, actor: Actor) -> McpServer:
    """End an emergency stop: keys that were not revoked meanwhile work again."""
    server = McpServer.objects.select_for_update().get(pk=server.pk)
    if server.stopped_at is not None:
        server.stopped_at = None
        server.save(update_fields=["stopped_at"])
        record("server:resumed", actor=actor, company=server.company, target=target(server))
        feed.publish([feed.Forget(server.pk)])
        _tell(EventType.SERVER_RESUMED, server)
    return server


@transaction.atomic
def create_credential(
    *, server: McpServer, name: str, actor: Actor, created_by: User | None = None
) -> tuple[ServerCredential, tokens.Token]:
    """A credential with which `server` calls the verify API; the token is returned this once."""
    if server.archived_at:
        raise ServerUnavailable
    credential, token = _new_credential(server=server, name=name.strip(), created_by=created_by)
    record("credential:created", actor=actor, company=server.company, target=_credential(credential),
           data={"server": server.pk})  # fmt: skip
    return credential, token


@transaction.atomic
def rotate_credential(
    *, credential: ServerCredential, overlap: timedelta, actor: Actor
) -> tuple[ServerCredential, tokens.Token]:
    """Give `credential` a new value; the old one is accepted for `overlap`. Raises AlreadyRotated, NotUsable."""
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise LifetimeInvalid(_("The overlap can be at most 30 days."))
    old = ServerCredential.objects.select_for_update().get(pk=credential.pk)
    if hasattr(old, "replaced_by"):
        raise AlreadyRotated
    if old.state != CredentialState.ACTIVE:
        raise NotUsable
    old.overlap_ends_at = min(filter(None, (timezone.now() + overlap, old.expires_at)))
    old.save(update_fields=["overlap_ends_at"])
    _forget_credential(old)
    new, token = _new_credential(
        server=old.server, name=old.name, created_by=old.created_by, expires_at=old.expires_at, replaces=old
    )
    record("credential:rotated", actor=actor, company=old.server.company, target=_credential(old),
           data={"server": old.server_id, "replaced_by": new.pk,
                 "overlap_ends_at": old.overlap_ends_at.isoformat()})  # fmt: skip
    return new, token


@transaction.atomic
def revoke_credential(*, credential: ServerCredential, reason: str, actor: Actor) -> ServerCredential:
    """Refuse `credential` from now on, and with it the calls of its server. Safe to repeat."""
    credential = ServerCredential.objects.select_for_update().select_related("server").get(pk=credential.pk)
    if credential.revoked_at is None:
        credential.revoked_at, credential.revoked_reason = timezone.now(), redact(reason)[:300]
        credential.save(update_fields=["revoked_at", "revoked_reason"])
        _forget_credential(credential)
        record("credential:revoked", actor=actor, company=credential.server.company,
               target=_credential(credential), reason=reason, data={"server": credential.server_id})  # fmt: skip
    return credential


def target(server: McpServer) -> Target:
    """The server as an audit event names it."""
    return Target("server", server.pk, server.name)


def _tell(event_type: str, server: McpServer) -> None:
    facts = {"server": {"id": server.pk, "name": server.name, "url": server.url}}
    emit(event_type, company=server.company_id, data=facts, servers=[server.pk])


def _forget_credential(credential: ServerCredential) -> None:
    transaction.on_commit(lambda: hotstore.forget(credential_ids=[credential.pk]))


def _credential(credential: ServerCredential) -> Target:
    return Target("credential", credential.pk, credential.name)


def _save(server: McpServer) -> None:
    server.full_clean(exclude=["company"], validate_unique=False, validate_constraints=False)
    others = McpServer.objects.exclude(pk=server.pk)
    seen = others.filter(Q(company=None) | Q(company=server.company))  # another company's servers tell nothing
    if seen.filter(url=server.url).exists() or others.filter(company=server.company, name=server.name).exists():
        raise NameTaken
    names = [tool.get("name") for tool in server.tools]
    if not all(isinstance(name, str) and name for name in names) or len(set(names)) != len(names):
        raise ValidationError({"tools": _("Every tool needs a name of its own.")})
    server.save()


def _new_credential(**fields: Any) -> tuple[ServerCredential, tokens.Token]:
    token, stored = new_value(tokens.Kind.SERVER)
    return ServerCredential.objects.create(**stored, **fields), token
