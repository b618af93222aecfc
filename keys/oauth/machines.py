"""Machines: programs of a company that get short tokens by their own credentials (client credentials, no person).

A machine is a connection like any other, made by an owner or admin instead of by consent: listed, used, revoked alike.
It acts in the name of who made it, within that member's role of today.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import transaction
from oauth2_provider.generators import generate_client_secret
from oauth2_provider.models import get_application_model

from keys import scopes as scope_rules
from keys.errors import CompanyInactive
from keys.models import McpServer
from keys.oauth import connections
from keys.oauth.client_secrets import stored_secret
from keys.oauth.models import Connection, Machine
from keys.rules import checked_scopes
from portal.audit.actors import Actor
from portal.audit.services import record
from portal.companies.models import Company

if TYPE_CHECKING:
    from portal.accounts.models import User


@dataclass(frozen=True, slots=True)
class Secret:
    """A client secret in clear, to be shown once; "" if the machine has a key of its own. Its `repr` shows nothing."""

    text: str

    def __repr__(self) -> str:
        return "<Secret …>"


@transaction.atomic
def create(
    *,
    company: Company,
    server: McpServer,
    user: User,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | None,
    public_key: dict[str, Any] | None,
    actor: Actor,
) -> tuple[Connection, Secret]:
    """Let a program of `company` get tokens for `server` in the name of `user`: by `public_key`, or by a secret.

    Raises CompanyInactive, ScopeUnknown, ScopeBeyondRights.
    """
    company = Company.objects.select_for_update().get(pk=company.pk)
    if not company.is_active:
        raise CompanyInactive
    granted = checked_scopes(scopes, server=server, company=company, user=user)
    secret = "" if public_key else generate_client_secret()
    model = get_application_model()
    client = model(
        name=name,
        client_type=model.CLIENT_CONFIDENTIAL,
        authorization_grant_type=model.GRANT_CLIENT_CREDENTIALS,
        client_secret=stored_secret(secret) if secret else "",
        hash_client_secret=False,
    )
    client.full_clean(exclude=["client_secret"])
    client.save(force_insert=True)
    connection = Connection.objects.create(
        company=company, server=server, user=user, client=client, client_name=name, scopes=granted,
        expires_at=expires_at,
    )  # fmt: skip
    method = Machine.Method.KEY if public_key else Machine.Method.SECRET
    Machine.objects.create(connection=connection, method=method, public_key=public_key or {})
    record(
        "connection:machine_created", actor=actor, company=company, target=connections.target(connection),
        data={"server": server.pk, "scopes": granted, "expires_at": expires_at and expires_at.isoformat(),
              "method": method.value},
    )  # fmt: skip
    return connection, Secret(secret)


def connection_of(client: Any) -> Connection | None:
    """The connection in force of a machine's client."""
    if client is None:
        return None
    found = Connection.objects.usable().filter(client=client, machine__isnull=False)
    return found.select_related("company", "server", "user").first()


def may_ask_for(client: Any, wanted: Collection[str]) -> bool:
    """Whether the machine was made for all of `wanted`."""
    connection = connection_of(client)
    if connection is None:
        return False
    return scope_rules.narrower_or_equal(wanted, connection.scopes, connection.server.read_only_tools)
