"""Makers of rows for tests: real services with sensible defaults, no fixtures files."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Any

from django.utils import timezone
from oauth2_provider.models import get_access_token_model

from keys import services, tokens
from keys.mcp.catalogue import TOOLS
from keys.models import Key, McpServer, ServerCredential
from keys.oauth.models import AccessValue, Connection
from keys.peppers import newest
from keys.servers import services as servers
from keys.tokens import Token
from portal.accounts.models import User
from portal.audit.actors import SYSTEM, Actor
from portal.companies.models import Company, CompanyState, Membership
from portal.companies.roles import Role
from portal.staff.models import StaffMember
from portal.staff.roles import StaffRole

PASSWORD = "correct horse battery staple"
_number = count(1)


def make_user(name: str = "", email: str = "", **fields: Any) -> User:
    """A person with a confirmed address who signs in with PASSWORD."""
    number = next(_number)
    user = User.objects.create_user(
        email or f"person{number}@example.com", PASSWORD, name=name or f"Person {number}", **fields
    )
    user.emailaddress_set.create(email=user.email, verified=True, primary=True)
    return user


def make_staff(name: str = "", email: str = "", role: str = StaffRole.ADMINISTRATOR) -> User:
    """Somebody of the operator's staff."""
    user = make_user(name, email, is_staff=True)
    StaffMember.objects.filter(user=user).update(role=role)
    return user


def make_company(name: str = "", state: str = CompanyState.ACTIVE, **members: User) -> Company:
    """A company in `state`; `members` as role=user."""
    number = next(_number)
    name = name or f"Company {number}"
    activated = None if state == CompanyState.PENDING else timezone.now()
    company = Company.objects.create(name=name, slug=f"company-{number}", state=state, activated_at=activated)
    for role, user in members.items():
        make_member(company, user, role)
    return company


def make_member(company: Company, user: User, role: str = Role.DEVELOPER) -> Membership:
    """`user` in `company` as `role`."""
    return Membership.objects.create(company=company, user=user, role=role)


def make_server(name: str = "", **fields: Any) -> McpServer:
    """An MCP server for everyone, with the portal's own tool catalogue unless told otherwise."""
    number = next(_number)
    name = name or f"server-{number}"
    return servers.register_server(
        **{"actor": SYSTEM, "name": name, "url": f"http://{name}.example.com/mcp", "tools": TOOLS} | fields
    )


def make_credential(server: McpServer, name: str = "verify") -> tuple[ServerCredential, Token]:
    """A server credential and its token."""
    return servers.create_credential(server=server, name=name, actor=SYSTEM)


def make_key(company: Company, server: McpServer, user: User, **fields: Any) -> tuple[Key, Token]:
    """A key of `company` with all tools for 90 days, unless told otherwise."""
    defaults: dict[str, Any] = {
        "name": f"Key {next(_number)}",
        "scopes": ["tools:*"],
        "expires_at": timezone.now() + timedelta(days=90),
        "actor": Actor.user(user),
    }
    return services.create_key(company=company, server=server, user=user, **defaults | fields)


def make_access_token(
    company: Company, server: McpServer, user: User, *, lifetime: timedelta = timedelta(hours=1), **fields: Any
) -> tuple[Connection, Token]:
    """A connection of an AI client and an access token of it; `fields` are the connection's."""
    connection = Connection.objects.create(
        **{"company": company, "server": server, "user": user, "client_name": "Gemini CLI", "scopes": ["tools:*"]}
        | fields
    )
    token = tokens.generate(tokens.Kind.ACCESS)
    name, pepper = newest()
    ends = timezone.now() + lifetime
    row = get_access_token_model().objects.create(user=user, token=token.text, expires=ends, scope="tools:*")
    AccessValue.objects.create(
        id=token.id, connection=connection, access_token=row, digest=tokens.digest(token.text, pepper), pepper=name,
        scopes=connection.scopes, expires_at=ends,
    )  # fmt: skip
    return connection, token
