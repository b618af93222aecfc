"""Names of one word as long as a field takes: no page is wider than its window because of them."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from portal.management.commands import demo
from tests.browser import people
from tests.browser.conftest import Browse, Portal

pytestmark = pytest.mark.browser

# A person and their company, a server, a key, a connection, a token, a credential, a leak and an invitation; the
# address of the company comes back.
MAKE = """
from datetime import timedelta
from django.utils import timezone
from keys import services
from keys.leaks.models import Leak
from keys.management_tokens.services import create_token
from keys.models import McpServer
from keys.oauth.models import Connection
from keys.servers.services import create_credential, register_server
from portal.accounts.models import User
from portal.audit.actors import SYSTEM, Actor
from portal.companies.invitations import invite
from portal.companies.services import activate_company, create_company
name = "W" * 80
user = User.objects.create_user("wide@example.com", "{password}", name="W" * 120)
user.emailaddress_set.create(email=user.email, verified=True, primary=True)
actor = Actor.user(user)
company = create_company(name="W" * 120, currency="EUR", owner=user, actor=actor)
activate_company(company=company, actor=SYSTEM)
company.refresh_from_db()
own = register_server(actor=actor, company=company, name="w" * 40, title=name, url="https://w.example.com/" + "w" * 150)
credential, _ = create_credential(server=own, name=name, actor=actor)
ends = timezone.now() + timedelta(days=9)
key, _ = services.create_key(
    company=company, server=own, user=user, name=name, scopes=["tools:*"], expires_at=ends, actor=actor
)
token, _ = create_token(
    company=company, user=user, name=name, scopes=["keys:read", "keys:write"], expires_at=ends, actor=actor
)
connection = Connection.objects.create(
    company=company, server=own, user=user, client_name=name, client_host="w" * 60 + ".example.com", scopes=["tools:*"]
)
Leak.objects.create(
    company=company, kind="key", subject_id=key.pk, subject_name=name, hint=key.hint, source="github",
    url="https://github.com/" + "w" * 300, outcome="told",
)
invite(company=company, email="w" * 60 + "@" + "w" * 60 + ".example.com", role="viewer", inviter=user, actor=actor)
print("made", company.slug, company.pk, own.pk, credential.pk, key.pk, token.pk, connection.pk, user.pk)
"""


@pytest.fixture(scope="module")
def wide(portal: Portal) -> dict[str, str]:
    """The ids of what has the long names."""
    said = portal.manage("shell", "-c", MAKE.replace("{password}", people.PASSWORD)).split("made ")[1].split()
    return dict(
        zip(("slug", "company", "server", "credential", "key", "token", "connection", "user"), said, strict=True)
    )


def too_wide(page: Page, addresses: list[str]) -> list[str]:
    """Which of the pages are wider than the window."""
    found = []
    for address in addresses:
        response = page.goto(address, wait_until="domcontentloaded")
        assert response is not None
        assert response.status == 200, address
        for width in (1280, 360):
            page.set_viewport_size({"width": width, "height": 800})
            excess = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            if excess > 0:
                found.append(f"{address} at {width}: {excess} px too wide")
    return found


def test_the_pages_of_a_company_hold_long_names(browse: Browse, wide: dict[str, str]) -> None:
    page = browse()
    people.sign_in(page, "wide@example.com", people.PASSWORD)
    paths = [
        "", "keys/", "keys/{key}/", "keys/{key}/revoke/", "keys/{key}/rotate/", "connections/",
        "connections/{connection}/", "connections/{connection}/revoke/", "tokens/", "tokens/{token}/revoke/",
        "servers/", "servers/{server}/", "servers/{server}/credentials/{credential}/revoke/", "settings/",
        "settings/leaks/", "settings/close/", "team/", "audit/", "usage/",
    ]  # fmt: skip
    addresses = [f"/c/{wide['slug']}/{path.format(**wide)}" for path in paths] + ["/account/"]
    assert not too_wide(page, addresses)


def test_the_pages_of_staff_hold_long_names(browse: Browse, wide: dict[str, str]) -> None:
    page = browse()
    people.sign_in(page, demo.STAFF["email"], demo.STAFF["password"])
    paths = [
        "", "keys/", "keys/{key}/", "keys/{key}/revoke/", "connections/", "connections/{connection}/", "companies/",
        "companies/{company}/", "companies/{company}/suspend/", "people/?q=wide@", "people/{user}/", "servers/",
        "servers/{server}/", "leaks/", "audit/",
    ]  # fmt: skip
    assert not too_wide(page, [f"/staff/{path.format(**wide)}" for path in paths])
