"""The overview waits for the first call of an AI client, and says what came."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from keys.models import Key
from keys.usage.models import Sighting
from portal.companies.models import Company

pytestmark = pytest.mark.django_db


def ask(client: Client, company: Company) -> str:
    """What the part that waits gets, as htmx asks for it."""
    address = reverse("company", kwargs={"slug": company.slug})
    return client.get(address, headers={"HX-Request": "true", "HX-Target": "first-call"}).content.decode()


def see(key: Key, company: Company, code: str = "VALID") -> None:
    """Record a call with `key`."""
    now = timezone.now()
    Sighting.objects.create(
        key_id=key.pk, company_id=company.pk, client="Gemini CLI", tool="get_companies", code=code,
        first_at=now, last_at=now, count=1,
    )  # fmt: skip


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
    owner_client: Client, company: Company, other_company: Company, key: Key
) -> None:
    see(key, other_company)
    assert "Waiting" in ask(owner_client, company)


def test_a_stranger_is_told_nothing(client: Client, stranger: object, company: Company) -> None:
    client.force_login(stranger)  # type: ignore[arg-type]
    address = reverse("company", kwargs={"slug": company.slug})
    assert client.get(address, headers={"HX-Target": "first-call"}).status_code == 404
