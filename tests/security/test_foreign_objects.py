"""Every address and API operation, as every role of one company, with every object of another: the answer is that of
an object that does not exist, and nothing of the other company stands in any answer or is changed.

The addresses come from the URL configuration. One that names something new fails here until `things` has one of it,
and one outside the rooms listed in ROOMS fails until somebody says whose it is.
"""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from itertools import product
from typing import Any

import pytest
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone

from keys.api import throttling
from keys.limits import limiter
from keys.management_tokens import services as management
from keys.models import ManagementScope
from keys.oauth.models import Connection
from keys.reviews.models import Review
from keys.webhooks.endpoints import create_endpoint
from keys.webhooks.models import Delivery, Event
from portal.audit.actors import SYSTEM, Actor
from portal.audit.models import AuditEvent
from portal.companies.models import CompanyExport, Invitation
from portal.companies.roles import Role
from tests import factories
from tests.keys.oauth.driving import Agent, register
from tests.security.test_tenants import COMPANY, address, routes, state

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
MARK = b"zanzibar"
MISSING = "ZZZZZZZZZZZZ"
METHODS = ("get", "post", "put", "patch", "delete")
API = sorted(route for route in routes(get_resolver()) if route.startswith("api/v1/") and "<path:" not in route)
# First words of an address → why this walk need not look below it, or None if it does.
ROOMS = {
    "c/": None,
    "api/v1/": None,
    "oauth/": None,
    "staff/": "staff only: tests/security/test_tenants.py",
    "admin/": "staff only: tests/portal/test_admin.py",
    "accounts/": "one's own account; what takes an id is walked below",
    "account/": "one's own account",
    "api/": "the schema and its page: the same for everyone",
    ".well-known/": "the same for everyone",
    "healthz/": "the same for everyone",
    "metrics": "for who has the token: tests/portal/test_metrics.py",
    "connect/": "asks which of one's own companies",
    "companies/new/": "makes one",
    "home/": "one's own companies",
    "docs/": "the help pages: the same for everyone",
    "language/": "a cookie, and a choice of one's own account",
    "leaked/": "a key that whoever found it holds: tests/keys/leaks",
    "invitation/": "an invitation's own link, its text the right: tests/portal/test_invitations.py",
    "theme/": "a cookie",
    "mailbox/": "development runs only",
    "styleguide/": "development runs only",
    "": "the landing page",
}


@pytest.fixture
def foreign(server) -> dict[str, str]:
    """One of everything that another company can have, all with MARK in their names."""
    zoe = factories.make_user("Zoe Zanzibar", "zoe@zanzibar.example")
    company = factories.make_company("Zanzibar Ltd", owner=zoe)
    key, token = factories.make_key(company, server, zoe, name="Zanzibar key")
    endpoint, _ = create_endpoint(url="https://hooks.zanzibar.example/x", actor=Actor.user(zoe), company=company)
    event = Event.objects.create(type="key.created", company=company, data={"name": "Zanzibar key"})
    delivery = Delivery.objects.create(event=event, endpoint=endpoint)
    own = factories.make_server("zanzibar-server", company=company)
    credential, _ = factories.make_credential(own, "Zanzibar credential")
    management_token, _ = management.create_token(
        company=company, user=zoe, name="Zanzibar token", scopes=ManagementScope.values, expires_at=None, actor=SYSTEM
    )
    connection = Connection.objects.create(
        company=company, server=server, user=zoe, client_name="Zanzibar client", scopes=["tools:*"]
    )
    invitation = Invitation.objects.create(
        company=company, email="new@zanzibar.example", role=Role.VIEWER, digest="0" * 64, invited_by=zoe,
        expires_at=timezone.now() + timedelta(days=7),
    )  # fmt: skip
    factor = zoe.authenticator_set.create(type="webauthn", data={"name": "Zanzibar passkey"})
    return {
        "slug": company.slug, "company_id": company.pk, "key_id": key.pk, "endpoint_id": endpoint.pk,
        "delivery_id": delivery.pk, "server_id": own.pk, "credential_id": credential.pk,
        "token_id": management_token.pk, "connection_id": connection.pk, "user_id": str(zoe.pk),
        "membership_id": str(company.memberships.get().pk), "file_format": "csv", "pk": str(factor.pk),
        "event_id": event.pk, "invitation_id": invitation.pk, "incident_id": MISSING, "key_text": token.text,
        "review_id": Review.objects.create(company=company, month=date(2026, 7, 1), note="Zanzibar").pk,
        "export_id": CompanyExport.objects.create(company=company, requested_by=zoe).pk,
    }  # fmt: skip


@pytest.fixture
def people(company) -> dict[str, Client]:
    """A signed-in member of `company` for each role."""
    found = {}
    for role in Role.values:
        browser = Client()
        browser.force_login(factories.make_user(f"Own {role}", f"{role}@acme.example"))
        user = browser.session["_auth_user_id"]
        company.memberships.update_or_create(user_id=user, defaults={"role": role})
        found[role] = browser
    return found


def missing(things: dict[str, str]) -> dict[str, str]:
    """The same shape, and nothing of that name."""
    return {
        name: value if name == "file_format" else "no-such-company" if name == "slug" else
        "999999" if value.isdigit() else MISSING
        for name, value in things.items()
    }  # fmt: skip


def told(response: Any, *things: dict[str, str]) -> tuple[int, str]:
    """What an answer says, without what is different each time: ids of the question, CSRF tokens, request ids."""
    body = b"".join(response) if response.streaming else response.content
    assert MARK not in body.lower(), (response.request["PATH_INFO"], body[:300])
    text = body.decode()
    for named in things:
        for value in sorted(named.values(), key=len, reverse=True):
            if len(value) > 2:
                text = text.replace(value, "_")
    text = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", text)
    text = re.sub(r"\b[0-9a-f]{32}\b|\b[0-9a-f]{8}-[0-9a-f-]{27}\b", "", text)
    return response.status_code, text


def test_every_address_belongs_to_a_room_that_this_walk_knows():
    unknown = [
        route
        for route in routes(get_resolver())
        if not any(room and route.startswith(room) for room in ROOMS) and route
    ]
    assert unknown == []


@pytest.mark.parametrize("role", Role.values)
def test_a_page_of_another_company_is_as_one_that_does_not_exist(role: str, people, company, foreign):
    before, browser = (state(), people[role])
    nothing = missing(foreign)
    for ask in (browser.get, browser.post):
        for route in COMPANY:
            theirs = told(ask(address(route, foreign)), foreign, nothing)
            if theirs[0] == 405:  # whoever asks
                continue
            assert theirs[0] == 404, route
            assert theirs == told(ask(address(route, nothing)), foreign, nothing), route
    assert state() == before


@pytest.mark.parametrize("role", Role.values)
def test_below_ones_own_company_another_ones_object_is_as_one_that_does_not_exist(role: str, people, company, foreign):
    before, browser = (state(), people[role])
    own = {"slug": company.slug}
    walked = 0
    for route, ask in product(
        (route for route in COMPANY if re.search(r":\w+_id>", route)), (browser.get, browser.post)
    ):
        nothing = missing(foreign)
        theirs = told(ask(address(route, foreign | own)), foreign, nothing)
        none = told(ask(address(route, nothing | own)), foreign, nothing)
        assert theirs == none, route
        assert theirs[0] in {403, 404, 405} or (theirs[0] == 302 and "accounts" in theirs[1]), (route, theirs)
        walked += 1
    assert walked > 20
    assert state() == before


@pytest.mark.parametrize("role", Role.values)
def test_every_form_refuses_ids_of_another_company(role: str, people, company, server, foreign):
    """Fields that forms use to name things, all with ids of the other company, sent to every page of one's own."""
    browser, before = people[role], foreign_rows(foreign)
    names = (
        "server",
        "key",
        "user",
        "member",
        "membership",
        "company",
        "endpoint",
        "token",
        "connection",
        "keys",
        "ids",
    )
    fields = {name: foreign.get(f"{name}_id", foreign["key_id"]) for name in names}
    for route in (route for route in COMPANY if not re.search(r":\w+_id>", route)):
        query = "?" + "&".join(f"{name}={value}" for name, value in fields.items())
        where = address(route, {"slug": company.slug, "file_format": "csv"}) + query
        told(browser.get(where))
        told(browser.post(where, {"name": "Mine", "scopes": ["tools:*"], "lifetime": "90"} | fields))
    assert foreign_rows(foreign) == before


def test_a_second_factor_of_somebody_else_is_as_one_that_does_not_exist(people, foreign):
    for route in (route for route in routes(get_resolver()) if re.match(r"accounts/.*<\w+:pk>", route)):
        for ask in (people["owner"].get, people["owner"].post):
            theirs = ask(address(route, foreign))
            none = ask(address(route, missing(foreign)))
            assert theirs.status_code == none.status_code, route
            assert theirs.status_code in {302, 404}


@pytest.fixture
def tokens(company, server, people) -> dict[str, str]:
    """Every kind of credential that members of `company` can hold: a management token of each role, a key, a server
    credential, an access token of an AI client."""
    found = {}
    for role in Role.values:
        user = company.memberships.get(user__email=f"{role}@acme.example").user
        # Made with every scope while an owner: what a role lacks, it must lack at use.
        company.memberships.filter(user=user).update(role=Role.OWNER)
        found[f"token of {role}"] = management.create_token(
            company=company, user=user, name=role, scopes=ManagementScope.values, expires_at=None, actor=SYSTEM
        )[1].text
        company.memberships.filter(user=user).update(role=role)
    owner = company.memberships.get(user__email="owner@acme.example").user
    found["key"] = factories.make_key(company, server, owner)[1].text
    own = factories.make_server("acme-server", company=company)
    found["credential"] = factories.make_credential(own)[1].text
    found["access token"] = Agent(register()).sign_in(people["owner"])["access_token"]
    found["nothing"] = ""
    return found


BODIES: list[dict[str, Any]] = [
    {}, {"reason": "theirs", "name": "Mine", "scopes": ["tools:read"], "overlap_seconds": 0}
]  # fmt: skip
HOLDERS = [f"token of {role}" for role in Role.values] + ["key", "credential", "access token", "nothing"]


@pytest.mark.parametrize("holder", HOLDERS)
def test_an_api_operation_on_an_object_of_another_company_is_as_on_one_that_does_not_exist(
    client, holder, tokens, foreign
):
    before, rows = foreign_rows(foreign), 0
    headers = {"Authorization": f"Bearer {tokens[holder]}"} if tokens[holder] else {}
    nothing = missing(foreign)
    for route, method in product((route for route in API if ":" in route), METHODS):
        for body in BODIES[: 1 if method == "get" else 2]:
            answers = []
            for named in (foreign, nothing):
                throttling.forget()
                limiter().clear()
                response = ask_api(client, method, address(route, named), body, headers)
                if response.status_code == 405:
                    break
                answers.append(told(response, foreign, nothing))
            if not answers:  # no such operation
                break
            theirs, none = answers
            assert theirs == none, (method, route)
            assert theirs[0] in {400, 401, 403, 404}, (method, route, theirs)
            rows += 1
    assert rows > 10
    assert foreign_rows(foreign) == before


@pytest.mark.parametrize("holder", HOLDERS)
def test_no_api_operation_shows_or_changes_anything_of_another_company(client, holder, tokens, foreign, server):
    """Those that take no id in the address, with ids of the other company in query and body."""
    before = foreign_rows(foreign)
    headers = {"Authorization": f"Bearer {tokens[holder]}"} if tokens[holder] else {}
    names = ("company", "key", "server", "user", "partyId", "id", "q", "search", "tool", "actor", "target", "after")
    query = "&".join(f"{name}={foreign.get(f'{name}_id', foreign['company_id'])}" for name in names)
    bodies = [
        {"key": foreign["key_id"]},
        {"items": [{"key": foreign["key_id"]}, {"key_id": foreign["key_id"], "count": 1}], "id": "0" * 32},
        {"name": "Mine", "server": foreign["server_id"], "user": foreign["user_id"], "scopes": ["tools:*"]},
        {"name": "Mine", "server": "zanzibar-server", "scopes": ["tools:*"]},
        {"key": foreign["key_text"]} if holder == "credential" else {},
    ]
    for route, method in product((route for route in API if ":" not in route), METHODS):
        for body in bodies[: 1 if method == "get" else None]:
            throttling.forget()
            limiter().clear()
            response = ask_api(client, method, f"/{route}?{query}", body, headers)
            if response.status_code == 405:
                break
            assert response.status_code < 500, (method, route)
            content = response.content.replace(b"zanzibar-server", b"")  # a name that was sent may be said back
            assert MARK not in content.lower(), (method, route, content[:300])
            if response.status_code < 300 and method == "post" and route == "api/v1/keys":
                raise AssertionError("a key for another company's server was made")
    assert foreign_rows(foreign) == before


def test_an_ai_client_cannot_be_let_into_another_company(people, foreign, server):
    """The consent page offers one's own companies; a form that names another one is refused."""
    agent = Agent(register())
    browser = people["owner"]
    page = browser.get(agent.address())
    assert page.status_code == 200
    assert MARK not in page.content.lower()
    form = page.context["form"]
    fields = {name: form[name].value() for name in form.fields if form[name].value() is not None}
    before = Connection.objects.count()
    for name in [name for name in form.fields if "company" in name] or ["company"]:
        for value in (foreign["company_id"], foreign["slug"]):
            browser.post(agent.address(), fields | {name: value, "allow": "1", "answer": "allow"})
    assert Connection.objects.filter(company_id=foreign["company_id"]).count() == 1
    assert Connection.objects.count() == before


def test_introspection_tells_another_companys_server_nothing(tokens, foreign):
    answer = Client().post(
        "/oauth/introspect", {"token": foreign["key_text"]}, headers={"Authorization": f"Bearer {tokens['credential']}"}
    )
    assert json.loads(answer.content) == {"active": False}


def ask_api(client: Client, method: str, where: str, body: dict[str, Any], headers: dict[str, str]) -> Any:
    ask = getattr(client, method)
    return ask(where, headers=headers) if method == "get" else ask(
        where, json.dumps(body), content_type="application/json", headers=headers
    )  # fmt: skip


def foreign_rows(things: dict[str, str]) -> list[Any]:
    """All rows of the other company."""
    from keys.models import Key, ManagementToken, McpServer, ServerCredential
    from keys.webhooks.models import Endpoint
    from portal.companies.models import Company, Membership

    company = things["company_id"]
    return [
        list(Company.objects.filter(pk=company).values()),
        *(list(model.objects.filter(company_id=company).order_by("pk").values()) for model in
          (Membership, Key, McpServer, Endpoint, ManagementToken, Connection, Event)),
        list(ServerCredential.objects.filter(server__company_id=company).order_by("pk").values()),
        list(Delivery.objects.filter(endpoint__company_id=company).order_by("pk").values()),
        list(AuditEvent.objects.filter(chain=company).values_list("pk", flat=True)),
    ]  # fmt: skip
