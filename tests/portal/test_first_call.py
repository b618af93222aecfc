"""The overview waits for the first call of an AI client, and says what came."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from keys.models import Key
from keys.trying.calls import CLIENT
from keys.usage.services import write_batch
from portal.accounts.models import User
from portal.companies.models import Company
from tests import factories

pytestmark = pytest.mark.django_db


def ask(client: Client, company: Company) -> str:
    """What the part that waits gets, as htmx asks for it."""
    address = reverse("company", kwargs={"slug": company.slug})
    return client.get(address, headers={"HX-Request": "true", "HX-Target": "first-call"}).content.decode()


def see(
    key: Key, company: Company, code: str = "VALID", client: str = "Gemini CLI", tool: str = "get_companies"
) -> None:
    """Record a call with `key`, as the worker does."""
    now = timezone.now().timestamp()
    counts = [[int(now) // 3600 * 3600, key.server_id, company.pk, key.pk, code, tool, client, 1]]
    seen = [[key.pk, "192.0.2.1", client, company.pk, tool, code, now, now, 1]]
    write_batch(f"batch-{now}-{client}-{tool}", {"counts": counts, "sightings": seen})


def done(client: Client, company: Company) -> list[bool]:
    """Which of the five steps are done."""
    response = client.get(reverse("company", kwargs={"slug": company.slug}))
    return [step.done for step in response.context["steps"]]


def test_the_steps_follow_the_person(owner_client: Client, company: Company, server: object, owner: User) -> None:
    assert done(owner_client, company) == [True, True, False, False, False]
    key, _token = factories.make_key(company, server, owner)  # type: ignore[arg-type]
    assert done(owner_client, company) == [True, True, True, False, False]
    see(key, company, tool="")  # it looked around: connected, and nothing called yet
    assert done(owner_client, company) == [True, True, True, True, False]
    assert "Now ask it for" in ask(owner_client, company)
    see(key, company)
    assert done(owner_client, company) == [True] * 5


def test_at_a_server_that_names_no_tools_any_call_is_one(owner_client: Client, company: Company, owner: User) -> None:
    own = factories.make_server("own", company=company)
    key, _token = factories.make_key(company, own, owner)
    see(key, company, tool="")
    assert done(owner_client, company) == [True] * 5


def test_a_refused_client_is_connected_and_has_not_called(owner_client: Client, company: Company, key: Key) -> None:
    see(key, company, "INSUFFICIENT_SCOPE")
    assert done(owner_client, company) == [True, True, True, True, False]


def test_the_portals_own_test_of_a_key_is_no_first_call(owner_client: Client, company: Company, key: Key) -> None:
    see(key, company, client=CLIENT, tool="whoami")
    assert done(owner_client, company) == [True, True, True, False, False]
    assert "Waiting" in ask(owner_client, company)


def test_nothing_new_is_answered_with_nothing(owner_client: Client, company: Company, key: Key) -> None:
    address = reverse("company", kwargs={"slug": company.slug})
    headers = {"HX-Request": "true", "HX-Target": "first-call"}
    assert owner_client.get(address, {"seen": "-"}, headers=headers).status_code == 204
    see(key, company)
    response = owner_client.get(address, {"seen": "-"}, headers=headers)
    assert response.status_code == 200 and b"is-done" in response.content
    mark = response.context["call"].mark
    assert owner_client.get(address, {"seen": mark}, headers=headers).status_code == 204


def test_the_page_of_a_key_waits_for_that_key_alone(
    owner_client: Client, stranger_client: Client, company: Company, key: Key, owner: User
) -> None:
    other, _token = factories.make_key(company, key.server, owner)
    see(other, company)
    address = reverse("keys:first_call", kwargs={"slug": company.slug, "key_id": key.pk})
    assert "Waiting" in owner_client.get(address).content.decode()
    assert (
        f'hx-get="{address}?seen=-"'
        in owner_client.get(reverse("keys:detail", kwargs={"slug": company.slug, "key_id": key.pk})).content.decode()
    )
    see(key, company)
    assert "called <code>get_companies</code>" in owner_client.get(address, {"seen": "-"}).content.decode()
    assert stranger_client.get(address).status_code == 404


def test_the_overview_waits_when_a_key_is_there_and_unused(owner_client: Client, company: Company, key: Key) -> None:
    page = owner_client.get(reverse("company", kwargs={"slug": company.slug})).content.decode()
    assert "Waiting for your AI" in page and 'hx-trigger="every 2s"' in page


def test_it_does_not_wait_before_there_is_a_key(owner_client: Client, company: Company) -> None:
    assert "first-call" not in owner_client.get(reverse("company", kwargs={"slug": company.slug})).content.decode()


def test_it_says_who_called_what_and_asks_no_more(owner_client: Client, company: Company, key: Key) -> None:
    assert "Waiting" in ask(owner_client, company)
    see(key, company)
    part = ask(owner_client, company)
    assert "Gemini CLI" in part and "called <code>get_companies</code>" in part
    assert "hx-get" not in part and "<html" not in part


def test_a_refused_call_says_why_and_it_waits_on(owner_client: Client, company: Company, key: Key) -> None:
    see(key, company, "INSUFFICIENT_SCOPE")
    part = ask(owner_client, company)
    assert "The key does not have the scope for this tool." in part and "hx-get" in part


def test_calls_of_other_companies_are_not_shown(
    owner_client: Client, company: Company, other_company: Company, key: Key, stranger: User
) -> None:
    theirs, _token = factories.make_key(other_company, key.server, stranger)
    see(theirs, other_company)
    assert "Waiting" in ask(owner_client, company)


def test_a_stranger_is_told_nothing(client: Client, stranger: object, company: Company) -> None:
    client.force_login(stranger)  # type: ignore[arg-type]
    address = reverse("company", kwargs={"slug": company.slug})
    assert client.get(address, headers={"HX-Target": "first-call"}).status_code == 404
