"""The life of an endpoint, and what companies' changes tell it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from keys.models import Key, McpServer
from keys.webhooks import endpoints
from keys.webhooks.errors import AddressUnusable, EventUnknown, TooManyEndpoints
from keys.webhooks.models import Endpoint, Event, EventType
from portal.audit.actors import SYSTEM
from portal.audit.models import AuditEvent
from portal.companies import services as companies
from portal.companies.models import Company, CompanyState
from tests import factories

URL = "https://example.com/hook"


def _actions() -> list[str]:
    return list(AuditEvent.objects.filter(target_kind="webhook").order_by("pk").values_list("action", flat=True))


def test_every_act_leaves_an_audit_event_without_the_secret(company: Company) -> None:
    endpoint, first = endpoints.create_endpoint(url=URL, company=company, actor=SYSTEM)
    endpoints.update_endpoint(endpoint=endpoint, actor=SYSTEM, description="Billing")
    endpoint, second = endpoints.rotate_secret(endpoint=endpoint, actor=SYSTEM)
    endpoints.disable_endpoint(endpoint=endpoint, actor=SYSTEM)
    endpoints.enable_endpoint(endpoint=endpoint, actor=SYSTEM)
    endpoints.delete_endpoint(endpoint=endpoint, actor=SYSTEM)
    assert _actions() == [
        f"webhook:{act}" for act in ("created", "updated", "secret_rotated", "disabled", "enabled", "deleted")
    ]
    record = str(list(AuditEvent.objects.values()))
    assert first not in record
    assert second not in record
    assert set(AuditEvent.objects.filter(target_kind="webhook").values_list("chain", flat=True)) == {company.pk}


def test_what_changes_nothing_leaves_no_audit_event(company: Company) -> None:
    endpoint, _ = endpoints.create_endpoint(url=URL, company=company, actor=SYSTEM)
    endpoints.update_endpoint(endpoint=endpoint, actor=SYSTEM, url=URL)
    endpoints.enable_endpoint(endpoint=endpoint, actor=SYSTEM)
    assert _actions() == ["webhook:created"]


def test_secrets_have_the_form_that_receivers_expect_and_differ(company: Company) -> None:
    import base64

    secrets = {endpoints.create_endpoint(url=URL, company=company, actor=SYSTEM)[1] for _ in range(3)}
    assert len(secrets) == 3
    for secret in secrets:
        assert secret.startswith("whsec_")
        assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32


def test_an_unusable_address_or_event_makes_nothing(company: Company) -> None:
    with pytest.raises(AddressUnusable):
        endpoints.create_endpoint(url="example", company=company, actor=SYSTEM)
    with pytest.raises(EventUnknown):
        endpoints.create_endpoint(url=URL, company=company, actor=SYSTEM, event_types=["key.eaten"])
    assert not Endpoint.objects.exists()
    assert _actions() == []


def test_a_company_has_at_most_twenty(company: Company, other_company: Company) -> None:
    for _ in range(20):
        endpoints.create_endpoint(url=URL, company=company, actor=SYSTEM)
    with pytest.raises(TooManyEndpoints):
        endpoints.create_endpoint(url=URL, company=company, actor=SYSTEM)
    endpoints.create_endpoint(url=URL, company=other_company, actor=SYSTEM)


def test_an_endpoint_belongs_to_a_company_or_a_server_never_both_or_none(company: Company, server: McpServer) -> None:
    for owners in ({}, {"company": company, "server": server}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Endpoint.objects.create(url=URL, secret="x", **owners)


@pytest.fixture
def told(company: Company) -> Any:
    """The types of events that endpoints of `company` were told."""
    endpoints.create_endpoint(url=URL, company=company, actor=SYSTEM)
    return lambda: list(Event.objects.order_by("created_at", "id").values_list("type", flat=True))


def test_what_happens_to_a_company_is_told(company: Company, told: Any) -> None:
    companies.suspend_company(company=company, reason="Unpaid, says Sam", actor=SYSTEM)
    assert told() == [EventType.COMPANY_SUSPENDED]
    assert Event.objects.get().data == {
        "company": {"id": company.pk, "name": "Acme", "slug": company.slug, "state": "suspended"}
    }
    companies.reactivate_company(company=company, actor=SYSTEM)
    assert told() == [EventType.COMPANY_SUSPENDED, EventType.COMPANY_REACTIVATED]
    companies.close_company(company=company, actor=SYSTEM)
    assert EventType.COMPANY_CLOSED in told()


def test_a_confirmed_company_was_activated(owner: Any) -> None:
    company = factories.make_company("New", state=CompanyState.PENDING, owner=owner)
    endpoints.create_endpoint(url=URL, company=company, actor=SYSTEM)
    companies.activate_company(company=company, actor=SYSTEM)
    assert list(Event.objects.values_list("type", flat=True)) == [EventType.COMPANY_ACTIVATED]


def test_servers_hear_of_companies_that_have_keys_for_them(key: Key, server: McpServer, company: Company) -> None:
    endpoint, _ = endpoints.create_endpoint(url=URL, server=server, actor=SYSTEM)
    other, _ = endpoints.create_endpoint(url=URL, server=factories.make_server(), actor=SYSTEM)
    companies.suspend_company(company=company, reason="", actor=SYSTEM)
    assert endpoint.deliveries.get().event.type == EventType.COMPANY_SUSPENDED
    assert not other.deliveries.exists()
