"""The pages, as members meet them."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from keys.webhooks import delivery as deliveries
from keys.webhooks import endpoints, services
from keys.webhooks.models import Delivery, DeliveryState, Endpoint, EventType
from portal.audit.actors import SYSTEM
from portal.companies.models import Company
from tests.keys.webhooks.conftest import Receiver

FORM = {"url": "http://127.0.0.1:9/hook", "description": "Billing", "which": "every"}


@pytest.fixture
def base(company: Company) -> str:
    """Where the company's webhook pages begin."""
    return f"/c/{company.slug}/webhooks/"


def test_the_empty_page_says_what_to_do(owner_client: Client, base: str) -> None:
    page = owner_client.get(base)
    assert page.status_code == 200
    assert f'href="{base}new/"' in page.content.decode()


def test_adding_shows_the_secret_once_and_nothing_keeps_it(owner_client: Client, base: str, company: Company) -> None:
    page = owner_client.post(base + "new/", FORM)
    endpoint = company.webhooks.get()
    text = page.content.decode()
    secret = text.partition("whsec_")[2].partition("<")[0]
    assert len(secret) == 44
    assert "no-store" in page["Cache-Control"]
    assert secret not in owner_client.get(f"{base}{endpoint.pk}/").content.decode()
    assert secret not in str(dict(owner_client.session))
    assert (endpoint.url, endpoint.description, endpoint.event_types) == (FORM["url"], "Billing", [])


def test_the_kinds_below_the_choice_that_needs_them_are_not_called_optional(owner_client: Client, base: str) -> None:
    page = owner_client.get(base + "new/").content.decode()
    kinds = page.partition("Kinds of events")[2].partition("</legend>")
    assert kinds[1]
    assert "optional" not in kinds[0]


def test_only_ticked_events_are_kept(owner_client: Client, base: str, company: Company) -> None:
    data = FORM | {"which": "chosen", "event_types": [EventType.KEY_EXPIRED, EventType.KEY_REVOKED]}
    owner_client.post(base + "new/", data)
    assert company.webhooks.get().event_types == [EventType.KEY_REVOKED, EventType.KEY_EXPIRED]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"url": "example"}, "Use a full address"),
        ({"url": "https://user:secret@example.com/"}, "Leave user name and password out"),
        ({"which": "chosen"}, "Tick at least one"),
        ({"which": "chosen", "event_types": ["key.eaten"]}, "Choose one of those that are offered."),
        ({"url": ""}, "Fill this in"),
    ],
)
def test_a_wrong_form_says_what_is_wrong_and_makes_nothing(
    owner_client: Client, base: str, change: dict[str, Any], says: str
) -> None:
    page = owner_client.post(base + "new/", FORM | change)
    assert page.status_code == 200
    assert says in page.content.decode()
    assert not Endpoint.objects.exists()


def test_production_takes_no_private_address(owner_client: Client, base: str, settings: Any) -> None:
    settings.PRODUCTION = True
    assert "Use https" in owner_client.post(base + "new/", FORM).content.decode()
    page = owner_client.post(base + "new/", FORM | {"url": "https://169.254.169.254/latest"})
    assert "Use a public address" in page.content.decode()
    assert not Endpoint.objects.exists()


def test_editing_shows_what_is_and_saves_what_is_changed(owner_client: Client, base: str, endpoint: Endpoint) -> None:
    address = f"{base}{endpoint.pk}/edit/"
    assert endpoint.url in owner_client.get(address).content.decode()
    answer = owner_client.post(address, FORM | {"which": "chosen", "event_types": [EventType.KEY_LEAKED]})
    assert answer["Location"] == f"{base}{endpoint.pk}/"
    endpoint.refresh_from_db()
    assert (endpoint.description, endpoint.event_types) == ("Billing", [EventType.KEY_LEAKED])


def test_a_test_event_is_sent_and_its_page_shows_what_came_of_it(
    owner_client: Client, base: str, endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.status, receiver.body = 500, b"<b>out of order</b>"
    answer = owner_client.post(f"{base}{endpoint.pk}/test/")
    delivery = endpoint.deliveries.get()
    assert answer["Location"] == f"{base}{endpoint.pk}/deliveries/{delivery.pk}/"
    assert "No attempt yet" in owner_client.get(answer["Location"]).content.decode()
    deliveries.attempt(delivery.pk)
    text = owner_client.get(answer["Location"]).content.decode()
    assert "&lt;b&gt;out of order&lt;/b&gt;" in text
    assert "webhook.test" in text
    assert "did not answer with a 2xx status" in text


def test_a_failed_delivery_is_sent_again(owner_client: Client, base: str, endpoint: Endpoint) -> None:
    delivery = services.send_test_event(endpoint=endpoint)
    Delivery.objects.update(state=DeliveryState.FAILED, next_attempt_at=None, finished_at=timezone.now())
    owner_client.post(f"{base}{endpoint.pk}/deliveries/{delivery.pk}/replay/")
    assert Delivery.objects.get().state == DeliveryState.PENDING
    Delivery.objects.update(state=DeliveryState.FAILED, next_attempt_at=None, finished_at=timezone.now())
    assert "Send 1 failed event again" in owner_client.get(f"{base}{endpoint.pk}/").content.decode()
    owner_client.post(f"{base}{endpoint.pk}/replay/")
    assert Delivery.objects.get().state == DeliveryState.PENDING


def test_switched_off_nothing_can_be_sent_until_it_is_on(owner_client: Client, base: str, endpoint: Endpoint) -> None:
    page = owner_client.post(f"{base}{endpoint.pk}/off/", follow=True)
    assert "nothing is sent to it" in page.content.decode()
    page = owner_client.post(f"{base}{endpoint.pk}/test/", follow=True)
    assert "Switch it on first" in page.content.decode()
    assert not endpoint.deliveries.exists()
    owner_client.post(f"{base}{endpoint.pk}/on/")
    endpoint.refresh_from_db()
    assert endpoint.is_enabled


def test_rotating_shows_the_new_secret_and_keeps_the_old_one_for_as_long_as_chosen(
    owner_client: Client, base: str, endpoint: Endpoint, secret: str
) -> None:
    assert owner_client.get(f"{base}{endpoint.pk}/secret/").status_code == 200
    page = owner_client.post(f"{base}{endpoint.pk}/secret/", {"overlap": "1"})
    assert "whsec_" in page.content.decode()
    assert secret not in page.content.decode()
    assert "no-store" in page["Cache-Control"]
    endpoint.refresh_from_db()
    assert endpoint.previous_until and 3500 < (endpoint.previous_until - timezone.now()).total_seconds() <= 3600


@pytest.mark.parametrize("path", ["new/", "{}/secret/"])
def test_who_signed_in_long_ago_confirms_it_before_seeing_a_secret(
    owner_client: Client, base: str, endpoint: Endpoint, path: str
) -> None:
    session = owner_client.session
    session["signed_in_at"] = 0
    session["account_authentication_methods"] = []
    session.save()
    before = Endpoint.objects.get().secret
    answer = owner_client.post(base + path.format(endpoint.pk), FORM | {"overlap": "0"})
    assert answer.status_code == 302
    assert "/reauthenticate/" in answer["Location"]
    assert Endpoint.objects.get().secret == before


def test_deleting_asks_first(owner_client: Client, base: str, endpoint: Endpoint) -> None:
    services.send_test_event(endpoint=endpoint)
    assert "Delete this endpoint?" in owner_client.get(f"{base}{endpoint.pk}/delete/").content.decode()
    assert Endpoint.objects.exists()
    owner_client.post(f"{base}{endpoint.pk}/delete/")
    assert not Endpoint.objects.exists()


def test_the_log_is_filtered_and_stays_in_few_queries(
    owner_client: Client, base: str, endpoint: Endpoint, django_assert_max_num_queries: Any
) -> None:
    for _ in range(30):
        services.send_test_event(endpoint=endpoint)
    address = f"{base}{endpoint.pk}/"
    with django_assert_max_num_queries(20):
        page = owner_client.get(address)
    assert page.content.decode().count("/deliveries/") == 25
    assert owner_client.get(address + "?page=2").content.decode().count("/deliveries/") == 5
    assert "Nothing matches" in owner_client.get(address + "?state=failed").content.decode()
    assert "Nothing matches" in owner_client.get(address + "?type=key.revoked").content.decode()
    assert owner_client.get(address + "?state=x'--&type=%00&page=-7").status_code == 200


def _addresses(base: str, endpoint: Endpoint, delivery: Delivery) -> list[str]:
    parts = ["", "edit/", "secret/", "delete/", "test/", "on/", "off/", "replay/",
             f"deliveries/{delivery.pk}/", f"deliveries/{delivery.pk}/replay/"]  # fmt: skip
    return [base, base + "new/", *(f"{base}{endpoint.pk}/{part}" for part in parts)]


def test_a_developer_may_not_and_a_stranger_finds_nothing(
    colleague_client: Client, stranger_client: Client, base: str, endpoint: Endpoint
) -> None:
    for address in _addresses(base, endpoint, services.send_test_event(endpoint=endpoint)):
        for method in ("get", "post"):
            assert getattr(colleague_client, method)(address).status_code == 403, address
            assert getattr(stranger_client, method)(address).status_code == 404, address
            assert "/accounts/login/" in getattr(Client(), method)(address)["Location"]
    endpoint.refresh_from_db()
    assert endpoint.is_enabled
    assert Delivery.objects.count() == 1


def test_another_companys_endpoint_answers_like_one_that_does_not_exist(
    owner_client: Client, base: str, other_company: Company, receiver: Receiver
) -> None:
    foreign, _ = endpoints.create_endpoint(url=receiver.url, company=other_company, actor=SYSTEM)
    delivery = services.send_test_event(endpoint=foreign)
    for address in _addresses(base, foreign, delivery)[2:]:
        missing = address.replace(foreign.pk, "A" * 12).replace(delivery.pk, "B" * 12)
        for method in ("get", "post"):
            there, not_there = (getattr(owner_client, method)(one) for one in (address, missing))
            assert there.status_code == not_there.status_code in {404, 405}, address
    foreign.refresh_from_db()
    assert foreign.is_enabled


def test_acts_are_not_done_by_get(owner_client: Client, base: str, endpoint: Endpoint) -> None:
    for part in ("test/", "on/", "off/", "replay/"):
        assert owner_client.get(f"{base}{endpoint.pk}/{part}").status_code == 405
    assert not endpoint.deliveries.exists()


def test_the_list_shows_how_endpoints_fare(owner_client: Client, base: str, endpoint: Endpoint) -> None:
    services.send_test_event(endpoint=endpoint)
    text = owner_client.get(base).content.decode()
    assert endpoint.url in text
    Endpoint.objects.update(failing_since=timezone.now(), failures=1)
    assert "Failing" in owner_client.get(base).content.decode()
