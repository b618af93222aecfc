"""Every address below /c/<slug>/ and /staff/, whoever adds one: strangers find nothing, forms need their token, and
looking changes nothing. The addresses come from the URL configuration itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

import pytest
from django.test import Client
from django.urls import URLResolver, get_resolver, reverse

from keys import services
from keys.models import Key, McpServer
from keys.reviews.models import Review
from keys.webhooks.endpoints import create_endpoint
from keys.webhooks.models import Endpoint
from portal.accounts.models import User
from portal.audit.actors import Actor
from portal.audit.models import AuditEvent
from portal.companies.models import Company
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


def routes(resolver: URLResolver, before: str = "") -> Iterator[str]:
    """Every route, such as `c/<slug:slug>/keys/<str:key_id>/`; groups of regular expressions in the same form."""
    for found in resolver.url_patterns:
        route = before + str(found.pattern)
        if isinstance(found, URLResolver):
            yield from routes(found, route)
        else:
            plain = re.sub(r"\(\?P<(\w+)>[^)]*\)", r"<str:\1>", route)
            yield plain.replace("^", "").replace("$", "").replace("\\", "")


COMPANY = sorted(route for route in routes(get_resolver()) if re.match(r"c/<\w+:slug>", route))
STAFF = sorted(route for route in routes(get_resolver()) if route.startswith("staff/"))


@pytest.fixture
def things(company: Company, key: Key, owner: User, server: McpServer) -> dict[str, str]:
    """One of everything that an address can name, all of `company`."""
    endpoint, _ = create_endpoint(url="https://hooks.example.com/x", actor=Actor.user(owner), company=company)
    own = factories.make_server("own-server", company=company)
    credential, _ = factories.make_credential(own)
    return {
        "key_id": key.pk, "endpoint_id": endpoint.pk, "delivery_id": "AAAAAAAAAAAA", "server_id": own.pk,
        "credential_id": credential.pk, "company_id": company.pk, "file_format": "csv", "token_id": "AAAAAAAAAAAA",
        "user_id": owner.pk, "membership_id": str(company.memberships.get(user=owner).pk),
        "invitation_id": "AAAAAAAAAAAA", "connection_id": "AAAAAAAAAAAA", "incident_id": "AAAAAAAAAAAA",
        "export_id": "AAAAAAAAAAAA",
        "review_id": Review.objects.create(company=company, month=date(2026, 7, 1)).pk,
    }  # fmt: skip


def address(route: str, things: dict[str, str], **more: str) -> str:
    """The address of `route` with `things` in it. A KeyError: add one of what the route names to `things`."""
    given = things | more
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found: given[found[1]], route)


def test_the_routes_are_found():
    assert {
        "c/<slug:slug>/",
        "c/<slug:slug>/keys/<str:key_id>/revoke/",
        "c/<str:slug>/audit/export.<str:file_format>",
    } <= set(COMPANY)
    assert "staff/keys/<slug:key_id>/revoke/" in STAFF
    assert len(COMPANY) > 20


@pytest.mark.parametrize("route", COMPANY)
def test_a_stranger_finds_a_company_page_as_little_as_one_that_does_not_exist(
    stranger_client: Client, company: Company, things: dict[str, str], route: str
):
    for ask in (stranger_client.get, stranger_client.post):
        foreign, missing = (ask(address(route, things, slug=slug)) for slug in (company.slug, "no-such-company"))
        assert foreign.status_code == missing.status_code
        assert foreign.status_code in {404, 405}  # 405: the address takes no such method, whoever asks


@pytest.mark.parametrize("route", [route for route in COMPANY if re.search(r":\w+_id>", route)])
def test_nothing_of_another_company_is_found_below_ones_own(
    stranger_client: Client, other_company: Company, things: dict[str, str], route: str
):
    """A stranger who puts their own company's name before somebody else's id."""
    foreign = address(route, things, slug=other_company.slug)
    assert stranger_client.get(foreign).status_code in {404, 405}
    assert stranger_client.post(foreign).status_code in {404, 405}


@pytest.mark.parametrize("route", COMPANY)
def test_who_is_not_signed_in_is_sent_to_sign_in(client: Client, company: Company, things: dict[str, str], route: str):
    response = client.get(address(route, things, slug=company.slug))
    assert response.status_code in {302, 405}
    if response.status_code == 302:
        assert response["Location"].startswith(reverse("account_login"))


@pytest.mark.parametrize("route", COMPANY)
def test_a_form_without_its_token_changes_nothing(owner: User, company: Company, things: dict[str, str], route: str):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(owner)
    before = state()
    assert browser.post(address(route, things, slug=company.slug)).status_code in {403, 405}
    assert state() == before


@pytest.mark.parametrize("route", [route for route in COMPANY if "export" not in route])
def test_looking_changes_nothing(owner_client: Client, company: Company, things: dict[str, str], route: str):
    before = state()
    response = owner_client.get(address(route, things, slug=company.slug))
    assert response.status_code in {200, 302, 403, 404, 405}  # 403: nobody removes or promotes themselves
    assert state() == before


@pytest.mark.parametrize("route", STAFF)
def test_a_member_is_told_that_there_is_no_staff_page(owner_client: Client, things: dict[str, str], route: str):
    before = state()
    things = dict.fromkeys(re.findall(r":(\w+)>", route), "AAAAAAAAAAAA") | things
    assert owner_client.get(address(route, things)).status_code == 404
    assert owner_client.post(address(route, things)).status_code == 404
    assert state() == before


def state() -> list[object]:
    """All that a careless view could change."""
    return [
        list(AuditEvent.objects.values_list("hash", flat=True)),
        list(Key.objects.order_by("pk").values()),
        list(Company.objects.order_by("pk").values()),
        list(Endpoint.objects.order_by("pk").values("pk", "url", "secret", "disabled_at")),
        list(McpServer.objects.order_by("pk").values("pk", "stopped_at", "archived_at", "url")),
    ]


def test_ids_cannot_be_guessed(company: Company, key: Key, owner: User):
    """12 characters of 62 from the operating system: no counter, no time."""
    more = [services.create_key(company=company, server=key.server, user=owner, name=f"Key {number}",
                                scopes=["tools:*"], expires_at=None, actor=Actor.user(owner))[0].pk
            for number in range(20)]  # fmt: skip
    assert all(len(identifier) == 12 and identifier.isalnum() for identifier in more)
    assert len({identifier[:3] for identifier in more}) > 15
    assert more != sorted(more)
