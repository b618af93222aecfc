"""`manage.py demo`: demo data for a development run; `--json` prints what a script needs, with a fresh key."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from keys import services
from keys.mcp.catalogue import TOOLS
from keys.models import McpServer
from keys.scopes import ALL
from keys.servers import services as servers
from portal.accounts.models import User
from portal.audit.actors import SYSTEM, Actor
from portal.billing.cards import CardDetails
from portal.billing.services import confirm_card
from portal.companies.models import Company, Membership
from portal.companies.roles import Role
from portal.companies.services import create_company

# GrowERP's published test scripts sign in as this user.
OWNER = {"email": "test@example.com", "password": "qqqqqq9!", "name": "Terry Test", "role": Role.OWNER}
PEOPLE = [
    OWNER,
    {"email": "dev@example.com", "password": "demo developer 1", "name": "Dana Developer", "role": Role.DEVELOPER},
    {"email": "viewer@example.com", "password": "demo viewer 1", "name": "Vera Viewer", "role": Role.VIEWER},
]
STAFF = {"email": "staff@example.com", "password": "demo staff 1", "name": "Sam Staff"}
COMPANY = "Demo Company"
SERVER = "growerp-system"
TEST_CARD = "4242424242424242"


class Command(BaseCommand):
    """Loads the demo data once; safe to repeat."""

    help = "Load demo data (development only); --json prints addresses, sign-ins, a fresh key and credential."

    def add_arguments(self, parser: CommandParser) -> None:
        """`--json`."""
        parser.add_argument("--json", action="store_true", help="print what a script needs, as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Load, and print."""
        if settings.PRODUCTION:
            raise CommandError("Demo data is for development runs only. In production, register on the page.")
        company, server = load()
        if options["json"]:
            self.stdout.write(json.dumps(describe(company, server), indent=2))
        else:
            self.stdout.write(f"Demo data is there: {COMPANY}, signed in to as {OWNER['email']} / {OWNER['password']}")


@transaction.atomic
def load() -> tuple[Company, McpServer]:
    """The demo company with its people, the staff member, and the portal's own MCP server; made where missing."""
    server = portal_server()
    people = [_person(**{key: person[key] for key in ("email", "password", "name")}) for person in PEOPLE]
    _person(**STAFF, is_staff=True, is_superuser=True)
    company = Company.objects.filter(memberships__user=people[0], name=COMPANY).first()
    if company is None:
        owner = Actor.user(people[0])
        company = create_company(name=COMPANY, currency="USD", owner=people[0], actor=owner)
        card = CardDetails(TEST_CARD, "123", 12, timezone.now().year + 3, people[0].name)
        confirm_card(company=company, card=card, replaces="", user=people[0], actor=owner)
        for user, person in zip(people[1:], PEOPLE[1:], strict=True):
            Membership.objects.get_or_create(company=company, user=user, defaults={"role": person["role"]})
        company.refresh_from_db()
    return company, server


def portal_server() -> McpServer:
    """The portal's own MCP server, registered or brought up to date with this run's addresses and tools."""
    url = f"{settings.MCP_URL}/rest/s1/mcp/protocol"
    alternates = [f"{settings.MCP_URL}/mcp"]
    server = McpServer.objects.filter(is_portal=True).first()
    if server is None:
        return servers.register_server(
            actor=SYSTEM, name=SERVER, url=url, title="GrowERP system", tools=TOOLS, alternate_urls=alternates,
            is_portal=True,
        )  # fmt: skip
    return servers.update_server(server=server, actor=SYSTEM, url=url, tools=list(TOOLS), alternate_urls=alternates)


def describe(company: Company, server: McpServer) -> dict[str, Any]:
    """What a script needs, with a key and a server credential made for it."""
    owner = User.objects.get(email=OWNER["email"])
    _key, key = services.create_key(
        company=company,
        server=server,
        user=owner,
        name="Demo script",
        scopes=[ALL],
        expires_at=timezone.now() + timedelta(days=30),
        actor=Actor.user(owner),
    )
    _credential, credential = servers.create_credential(server=server, name="Demo script", actor=SYSTEM)
    return {
        "portal": settings.PORTAL_URL,
        "mcp": settings.MCP_URL,
        "users": [
            {"email": person["email"], "password": person["password"], "role": str(person["role"]), "company": COMPANY}
            for person in PEOPLE
        ],
        "staff": {"email": STAFF["email"], "password": STAFF["password"]},
        "key": key.text,
        "server_credential": credential.text,
        "server": {"id": server.pk, "name": server.name, "url": server.url},
    }


def _person(email: str, password: str, name: str, **fields: Any) -> User:
    user = User.objects.filter(email=email).first()
    if user is None:
        user = User.objects.create_user(email, password, name=name, **fields)
        user.emailaddress_set.create(email=email, verified=True, primary=True)  # type: ignore[attr-defined]
    return user
