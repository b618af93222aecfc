"""Every write of connections, each with its audit event in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone
from oauth2_provider.models import get_access_token_model, get_grant_model, get_refresh_token_model

from keys import feed, scopes
from keys.errors import CompanyInactive
from keys.models import McpServer
from keys.oauth import notices
from keys.oauth.models import Approval, Connection
from keys.rules import checked_scopes
from portal.audit.actors import SYSTEM, Actor
from portal.audit.services import Target, record, record_over
from portal.companies.models import Company

if TYPE_CHECKING:
    from portal.accounts.models import User

REUSED = "A refresh token that had been replaced was used again"
REPLAYED = "An authorization code was used twice"


@transaction.atomic
def approve(
    *,
    company: Company,
    server: McpServer,
    user: User,
    client: Any,
    client_name: str,
    client_host: str,
    scopes: Sequence[str],
    expires_at: datetime | None,
    actor: Actor,
) -> Connection:
    """Let `client` use `server` for `company` in the name of the member `user`, until `expires_at`.

    A connection that is in force is changed; tokens that would go beyond what is approved now end.
    Raises CompanyInactive, ScopeUnknown, ScopeBeyondRights.
    """
    company = Company.objects.select_for_update().get(pk=company.pk)
    if not company.is_active:
        raise CompanyInactive
    granted = checked_scopes(scopes, server=server, company=company, user=user)
    found = Connection.objects.select_for_update().filter(
        company=company, server=server, user=user, client=client, revoked_at=None
    )
    connection, before = found.first(), list[str]()
    facts = {"server": server.pk, "scopes": granted, "expires_at": expires_at and expires_at.isoformat()}
    values = {"client_name": client_name, "client_host": client_host, "scopes": granted, "expires_at": expires_at}
    if connection is None:
        connection = Connection.objects.create(company=company, server=server, user=user, client=client, **values)
        tell = partial(notices.made, connection, ip=actor.ip, user_agent=actor.user_agent)
        transaction.on_commit(tell, robust=True)
    else:
        before = connection.scopes
        for field, value in values.items():
            setattr(connection, field, value)
        connection.approved_at = timezone.now()
        connection.save()
        if not _within(before, granted, server):
            end_tokens([connection])
        feed.publish([feed.Forget(server.pk, key_id=connection.pk)])
    record("connection:approved", actor=actor, company=company, target=target(connection), data=facts)
    return connection


def _within(old: Sequence[str], new: Sequence[str], server: McpServer) -> bool:
    return scopes.narrower_or_equal(old, new, server.read_only_tools)


@transaction.atomic
def revoke(*, connection: Connection, reason: str, actor: Actor, incident_id: str = "") -> Connection:
    """Refuse every token of `connection` from now on and for good. Safe to repeat."""
    revoke_many(connections=[connection], reason=reason, actor=actor, incident_id=incident_id)
    connection.refresh_from_db()
    return connection


@transaction.atomic
def revoke_many(*, connections: Iterable[Connection], reason: str, actor: Actor, incident_id: str = "") -> int:
    """Revoke those of `connections` that are not revoked yet; returns how many that were."""
    ids = [connection.pk for connection in connections]
    found = list(Connection.objects.select_for_update().filter(pk__in=ids, revoked_at=None).order_by("pk"))
    now = timezone.now()
    Connection.objects.filter(pk__in=[one.pk for one in found]).update(revoked_at=now, revoked_reason=reason[:300])
    end_tokens(found)
    record_over(
        [(one.company_id, target(one), {"server": one.server_id}) for one in found],
        "connection:revoked", actor=actor, reason=reason, incident_id=incident_id,
    )  # fmt: skip
    forget(found)
    return len(found)


def end_tokens(connections: Sequence[Connection]) -> None:
    """End every code, access token and refresh token of `connections`. The caller is in a transaction."""
    approvals = Approval.objects.filter(connection__in=connections)
    get_grant_model().objects.filter(code__in=list(approvals.values_list("code_digest", flat=True))).delete()
    families = list(approvals.exclude(token_family=None).values_list("token_family", flat=True))
    for family in families:
        get_refresh_token_model().revoke_family(family)
    get_access_token_model().objects.filter(value__connection__in=connections).delete()


def forget(connections: Iterable[Connection]) -> None:
    """Have the verifiers forget `connections`. The caller is in the transaction of the act."""
    feed.publish(feed.Forget(one.server_id, key_id=one.pk) for one in connections)


@transaction.atomic
def token_stolen(*, approval: Approval, reason: str) -> None:
    """End the family of tokens of `approval`, since somebody else has one of them; the person is told."""
    connection = approval.connection
    if approval.token_family:
        get_refresh_token_model().revoke_family(approval.token_family)
    record(
        "connection:tokens_ended", actor=SYSTEM, company=connection.company_id, target=target(connection),
        reason=reason,
    )  # fmt: skip
    forget([connection])
    transaction.on_commit(lambda: notices.tokens_ended(connection), robust=True)


def target(connection: Connection) -> Target:
    """The connection as an audit event names it."""
    return Target("connection", connection.pk, connection.client_name)
