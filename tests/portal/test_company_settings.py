"""The settings of a company: profile, second factor, and its end with the way back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from keys.management_tokens.services import TokenRefused, check_token, create_token
from keys.models import Key
from keys.webhooks.endpoints import create_endpoint
from portal.audit.actors import SYSTEM, Actor
from portal.audit.models import AuditEvent
from portal.audit.services import verify_chain
from portal.companies import closing, services
from portal.companies.errors import WrongState
from portal.companies.models import Company
from portal.companies.tasks import tidy
from tests import factories
from tests.portal.inviting import give_second_factor, last_link

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _commits(monkeypatch):
    monkeypatch.setattr("portal.companies.mails.on_commit", lambda act: act())


def page(name, company, *args):
    return reverse(name, args=[company.slug, *args])


def actions(company):
    return list(AuditEvent.objects.filter(chain=company.pk).order_by("number").values_list("action", flat=True))


def old_sign_in(client):
    session = client.session
    session["signed_in_at"] = 0
    session["account_authentication_methods"] = []
    session.save()


def profile(**changes):
    return {"company_name": "Acme Works", "currency": "THB", "time_zone": "Asia/Bangkok"} | changes


def test_name_currency_and_time_zone_are_changed_and_the_address_stays(owner_client, company):
    slug = company.slug
    assert owner_client.post(page("settings", company), profile())["Location"] == page("settings", company)
    company.refresh_from_db()
    assert (company.name, company.currency, company.time_zone, company.slug) == (
        "Acme Works", "THB", "Asia/Bangkok", slug,
    )  # fmt: skip
    event = AuditEvent.objects.get(chain=company.pk)
    assert event.action == "company:updated"
    assert event.data["fields"] == ["currency", "name", "time_zone"]
    assert event.data["name"] == {"from": "Acme", "to": "Acme Works"}
    owner_client.post(page("settings", company), profile())
    assert actions(company) == ["company:updated"]  # nothing changed the second time


@pytest.mark.parametrize(
    "changes", [{"company_name": "Latchkey"}, {"company_name": "www.evil.example"}, {"currency": "XXX"},
                {"time_zone": "Mars/Base"}, {"company_name": ""}],
)  # fmt: skip
def test_a_wrong_setting_is_said_and_nothing_is_changed(owner_client, company, changes):
    response = owner_client.post(page("settings", company), profile(**changes))
    assert response.status_code == 200 and response.context["form"].errors
    company.refresh_from_db()
    assert company.name == "Acme"


def test_dates_on_the_companys_pages_are_in_its_time_zone(owner_client, company, owner):
    moment = datetime(2026, 3, 1, 22, 30, tzinfo=UTC)
    company.memberships.update(created_at=moment)
    shown = owner_client.get(page("team", company)).content.decode()
    assert ">1 March 2026<" in shown
    Company.objects.filter(pk=company.pk).update(time_zone="Asia/Bangkok")
    shown = owner_client.get(page("team", company)).content.decode()
    assert ">2 March 2026<" in shown
    assert timezone.get_current_timezone_name() == "UTC"


def test_a_time_zone_that_the_machine_does_not_know_is_utc(owner_client, company):
    Company.objects.filter(pk=company.pk).update(time_zone="Nowhere/Gone")
    assert owner_client.get(page("team", company)).status_code == 200
    assert owner_client.get(page("settings", company)).status_code == 200


def require(client, company, on=True):
    return client.post(page("security", company), {"require_second_factor": "on"} if on else {})


def test_who_asks_others_for_a_second_factor_needs_one(owner_client, company, owner):
    response = require(owner_client, company)
    assert "you would lock yourself out" in response.content.decode()
    give_second_factor(owner)
    assert require(owner_client, company).status_code == 302
    company.refresh_from_db()
    assert company.require_second_factor


@pytest.fixture
def strict(company, owner, owner_client) -> Company:
    """Asks every member for a second factor; its owner has one."""
    give_second_factor(owner)
    services.update_company(company=company, user=owner, actor=Actor.user(owner), require_second_factor=True)
    return company


def test_a_member_without_one_is_led_to_set_one_up_before_any_page_opens(strict, colleague, colleague_client, key):
    for name in ("company", "keys:list", "keys:new", "team", "usage"):
        response = colleague_client.get(page(name, strict))
        assert response.status_code == 403
        assert reverse("mfa_activate_totp") in response.content.decode()
    assert colleague_client.post(page("leave", strict)).status_code == 403
    give_second_factor(colleague)
    assert colleague_client.get(page("company", strict)).status_code == 200


def test_recovery_codes_alone_are_no_second_factor(strict, colleague, colleague_client):
    colleague.authenticator_set.create(type="recovery_codes", data={})
    assert colleague_client.get(page("company", strict)).status_code == 403


def test_strangers_still_find_nothing(strict, stranger_client):
    assert stranger_client.get(page("company", strict)).status_code == 404


def test_their_management_tokens_are_refused_meanwhile_and_their_keys_go_on(strict, colleague, server, server_token):
    _, token = create_token(
        company=strict, user=colleague, name="CI", scopes=["keys:read"], expires_at=None, actor=SYSTEM
    )
    with pytest.raises(TokenRefused):
        check_token(token.text)
    give_second_factor(colleague)
    assert check_token(token.text)
    _, value = factories.make_key(strict, server, colleague)
    colleague.authenticator_set.all().delete()
    answer = Client().post(
        "/api/v1/keys/verify", {"key": value.text}, "application/json",
        headers={"Authorization": f"Bearer {server_token}"},
    )  # fmt: skip
    assert answer.json()["code"] == "VALID"


def test_asking_for_less_needs_a_recent_sign_in(strict, owner_client):
    old_sign_in(owner_client)
    assert require(owner_client, strict, on=False)["Location"].startswith(reverse("account_reauthenticate"))
    strict.refresh_from_db()
    assert strict.require_second_factor


def close(client, company, name="acme"):
    return client.post(page("close_company", company), {"name": name})


def test_closing_ends_everything_at_once_and_tells_the_owners(
    owner_client, client, company, owner, key, key_token, server_token
):
    _, token = create_token(company=company, user=owner, name="CI", scopes=["keys:read"], expires_at=None, actor=SYSTEM)
    response = close(owner_client, company)
    assert response["Location"] == page("reopen_company", company)
    answer = client.post(
        "/api/v1/keys/verify", {"key": key_token}, "application/json",
        headers={"Authorization": f"Bearer {server_token}"},
    )  # fmt: skip
    assert answer.json()["code"] == "REVOKED"
    with pytest.raises(TokenRefused):
        check_token(token.text)
    assert owner_client.get(page("company", company))["Location"] == page("reopen_company", company)
    assert mail.outbox[-1].to == ["owner@example.com"]
    assert last_link("owner@example.com") == page("reopen_company", company)
    assert owner_client.get(reverse("home"))["Location"] == page("reopen_company", company)


@pytest.mark.parametrize("name", ["", "Acm", "other"])
def test_only_the_companys_name_closes_it(owner_client, company, name):
    assert close(owner_client, company, name).status_code == 200
    company.refresh_from_db()
    assert company.is_active


def test_closing_needs_an_owner_and_a_recent_sign_in(owner_client, colleague, company):
    services.change_role(membership=company.memberships.get(user=colleague), role="admin", actor=SYSTEM)
    admin = Client()
    admin.force_login(colleague)
    assert close(admin, company).status_code == 403
    old_sign_in(owner_client)
    assert close(owner_client, company)["Location"].startswith(reverse("account_reauthenticate"))
    company.refresh_from_db()
    assert company.is_active


def test_an_owner_with_another_company_finds_the_way_back_on_their_account(
    owner_client, colleague_client, company, owner
):
    factories.make_company("Still open", owner=owner)
    way_back = page("reopen_company", company)
    assert way_back not in owner_client.get(reverse("account")).content.decode()
    services.close_company(company=company, actor=SYSTEM)
    assert way_back in owner_client.get(reverse("account")).content.decode()
    assert way_back not in colleague_client.get(reverse("account")).content.decode()  # no owner


def test_reopening_makes_it_active_again_and_revoked_keys_stay_revoked(owner_client, company, key):
    close(owner_client, company)
    assert "is closed" in owner_client.get(page("reopen_company", company)).content.decode()
    assert owner_client.post(page("reopen_company", company))["Location"] == page("company", company)
    company.refresh_from_db()
    assert company.is_active and company.closed_at is None
    key.refresh_from_db()
    assert key.revoked_at
    assert actions(company) == [
        "key:created", "company:closed", "key:revoked", "company:reopened",
    ]  # fmt: skip
    assert verify_chain(company.pk).intact
    assert owner_client.get(page("reopen_company", company)).status_code == 404


@pytest.mark.parametrize("state", ["pending", "suspended"])
def test_closing_and_reopening_is_no_way_around_a_card_or_a_suspension(owner, state):
    company = factories.make_company("Sly", "active" if state == "suspended" else state, owner=owner)
    if state == "suspended":
        services.suspend_company(company=company, reason="Unpaid", actor=SYSTEM)
    services.close_company(company=company, actor=SYSTEM)
    assert closing.reopen_company(company=company, actor=SYSTEM).state == state


def test_only_an_owner_finds_the_way_back_and_only_for_fourteen_days(
    owner_client, owner, colleague_client, stranger_client, company
):
    services.close_company(company=company, actor=SYSTEM)
    for other in (colleague_client, stranger_client):
        assert other.get(page("reopen_company", company)).status_code == 404
        assert other.post(page("reopen_company", company)).status_code == 404
        assert other.get(page("company", company)).status_code == 404
    with time_machine.travel(timezone.now() + timedelta(days=14, minutes=1), tick=False):
        owner_client.force_login(owner)
        assert owner_client.post(page("reopen_company", company)).status_code == 404
        assert owner_client.get(page("company", company)).status_code == 404
        with pytest.raises(WrongState):
            closing.reopen_company(company=company, actor=SYSTEM)


def test_after_fourteen_days_what_is_not_needed_any_more_is_deleted(company, owner, key):
    company.cards.create(
        gateway="dummy", gateway_token="t", brand="visa", last_four="4242", expiry_month=1, expiry_year=2033,
        cardholder="Olivia",
    )  # fmt: skip
    create_endpoint(url="https://hooks.example.com/x", actor=SYSTEM, company=company)
    services.close_company(company=company, actor=SYSTEM)
    assert tidy() == 0
    with time_machine.travel(timezone.now() + timedelta(days=14, minutes=1), tick=False):
        assert tidy() == 1
        assert tidy() == 0  # safe to repeat
    company.refresh_from_db()
    assert company.finalised_at
    for rows in (company.memberships, company.cards, company.webhooks, company.invitations):
        assert not rows.exists()
    assert Key.objects.filter(pk=key.pk).exists()  # the record names it
    assert actions(company)[-2:] == ["company:finalised", "webhook:deleted"]
    assert verify_chain(company.pk).intact
    owner.refresh_from_db()
    assert owner.is_active
