"""The card page: what each card gives, what is kept of it, and what is not."""

from __future__ import annotations

import logging
import re

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.urls import reverse

from portal.audit.actors import Actor
from portal.audit.models import AuditEvent
from portal.billing import services
from portal.billing.cards import (
    CardDetails,
    DummyGateway,
    VerifiedCard,
    brand_of,
    clean_number,
)
from portal.billing.errors import CompanyNotReady, DeclineReason, TooManyAttempts
from portal.billing.forms import CardForm
from portal.billing.models import CardConfirmation
from portal.companies.models import CompanyState
from tests import factories
from tests.races import at_once

GOOD = "4242424242424242"
REAL_LOOKING = "5555555555554444"


@pytest.fixture
def pending(owner):
    return factories.make_company("Newcomer", state=CompanyState.PENDING, owner=owner)


@pytest.fixture
def browser(owner, pending):
    client = Client()
    client.force_login(owner)
    return client


def address(company):
    return reverse("card", kwargs={"slug": company.slug})


def typed(number=GOOD, **changes):
    return {"cardholder": "Olivia Owner", "number": number, "expiry": "12/40", "cvc": "737", "replaces": ""} | changes


def details(number=GOOD):
    return CardDetails(number=number, cvc="737", expiry_month=12, expiry_year=2040, cardholder="Olivia Owner")


def actions(company):
    return list(AuditEvent.objects.filter(chain=company.pk).order_by("number").values_list("action", flat=True))


@pytest.mark.parametrize("number", ["4242 4242 4242 4242", "4012-8888-8888-1881"])
def test_an_approved_card_makes_the_company_active(browser, pending, owner, number):
    response = browser.post(address(pending), typed(number), follow=True)
    pending.refresh_from_db()
    assert pending.state == CompanyState.ACTIVE and pending.activated_at
    card = pending.cards.get()
    assert (card.brand, card.last_four, card.confirmed_by) == ("visa", number[-4:], owner)
    assert card.gateway == "dummy" and card.gateway_token.startswith("dummy_")
    assert actions(pending) == ["card:confirmed", "company:activated"]
    assert "The card is confirmed" in response.content.decode()


@pytest.mark.parametrize(
    ("number", "field", "says"),
    [
        ("4000000000000002", "number", "was declined"),
        ("4000000000009995", "number", "insufficient funds"),
        ("4000000000000069", "expiry", "has expired"),
        ("4000000000000127", "cvc", "CVC) is wrong"),
        ("4000000000000119", "__all__", "try again"),
        (REAL_LOOKING, "number", "use one of the test cards"),
    ],
)
def test_a_refused_card_says_why_and_keeps_only_what_may_be_kept(browser, pending, number, field, says):
    response = browser.post(address(pending), typed(number))
    page = response.content.decode()
    assert any(says in error for error in response.context["form"].errors[field])
    assert says in page
    assert 'value="Olivia Owner"' in page and 'value="12/40"' in page
    form = page.partition("Use a test card")[0]
    assert number not in re.sub(r"\s", "", form) and "737" not in form
    pending.refresh_from_db()
    assert pending.state == CompanyState.PENDING and not pending.cards.exists()
    assert actions(pending) == ["card:declined"]


def test_the_page_offers_every_test_card_with_its_outcome(browser, pending):
    page = browser.get(address(pending)).content.decode()
    for card in DummyGateway.test_cards:
        assert card.spaced in page and str(card.outcome) in page
    assert {card.number for card in DummyGateway.test_cards if card.approved} == {GOOD, "4012888888881881"}
    assert {card.reason for card in DummyGateway.test_cards} == set(DeclineReason) - {DeclineReason.NOT_A_TEST_CARD} | {
        None
    }


def test_neither_number_nor_cvc_is_stored_logged_or_kept_in_the_session(browser, pending, caplog):
    caplog.set_level(logging.DEBUG)
    cvc = "9173"
    for number in ("4000000000000002", "378282246310005", GOOD):
        browser.post(address(pending), typed(number, cvc=cvc if number.startswith("37") else "917"))
        text = "\n".join(str(session.get_decoded()) for session in Session.objects.all()) + "\n".join(
            f"{record.getMessage()} {record.__dict__}" for record in caplog.records if "card" in record.name
        )
        assert number not in text and cvc not in text
    with connection.cursor() as cursor:
        for table in ("billing_cardconfirmation", "audit_auditevent", "companies_company"):
            cursor.execute(f"SELECT * FROM {table}")
            rows = repr(cursor.fetchall())
            assert GOOD not in rows and "4000000000000002" not in rows and "378282246310005" not in rows
    assert pending.cards.get().last_four == "4242"


def test_the_details_show_neither_number_nor_cvc():
    assert GOOD not in repr(details()) and "737" not in repr(details())


def test_the_card_page_is_not_stored_and_its_post_is_hidden_from_error_reports(browser, pending, rf):
    response = browser.post(address(pending), typed("4000000000000002"))
    assert "no-store" in response["Cache-Control"]
    assert response.wsgi_request.sensitive_post_parameters == "__ALL__"


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"number": "4242 4242 4242 4241"}, "number", "check its digits"),
        ({"number": "0"}, "number", "check its digits"),
        ({"number": "4242"}, "number", "check its digits"),
        ({"number": "٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢"}, "number", "check its digits"),
        ({"number": ""}, "number", "Fill this in"),
        ({"expiry": "13/40"}, "expiry", "no such month"),
        ({"expiry": "00/40"}, "expiry", "no such month"),
        ({"expiry": "soon"}, "expiry", "such as 04/30"),
        ({"expiry": "10/26"}, "expiry", "has expired"),
        ({"expiry": "01/99"}, "expiry", "too far away"),
        ({"cvc": "12"}, "cvc", "three or four"),
        ({"cvc": "abc"}, "cvc", "three or four"),
        ({"cvc": "1234"}, "cvc", "has 3 digits"),
        ({"number": "378282246310005", "cvc": "123"}, "cvc", "has 4 digits"),
        ({"cardholder": ""}, "cardholder", "Fill this in"),
        ({"cardholder": "visit evil.com"}, "cardholder", "web or e-mail"),
    ],
)
@time_machine.travel("2026-11-22T12:00:00Z", tick=False)
def test_wrong_input_is_refused_before_the_gateway(changes, field, says):
    form = CardForm(typed() | changes)
    assert not form.is_valid()
    assert says in " ".join(form.errors[field])


@pytest.mark.parametrize("expiry", ["12/40", "12 / 2040", "1240", "12-40", "12.40"])
def test_an_expiry_is_read_as_people_write_it(expiry):
    form = CardForm(typed(expiry=expiry))
    assert form.is_valid(), form.errors
    assert form.cleaned_data["expiry"] == (12, 2040)


@time_machine.travel("2026-11-30T23:00:00Z", tick=False)
def test_a_card_is_good_until_the_end_of_its_month():
    assert CardForm(typed(expiry="11/26")).is_valid()


def test_a_card_number_in_the_name_field_does_not_come_back(browser, pending):
    page = browser.post(address(pending), typed(cardholder="4000 0000 0000 0002")).content.decode()
    assert "4000 0000 0000 0002" not in page.partition("Use a test card")[0]


@pytest.mark.parametrize(
    ("number", "brand"),
    [(GOOD, "visa"), (REAL_LOOKING, "mastercard"), ("2221000000000009", "mastercard"),
     ("2720990000000007", "mastercard"),
     ("378282246310005", "amex"), ("6011111111111117", "discover"), ("30569309025904", "diners"),
     ("3530111333300000", "jcb"), ("2220990000000000", ""), ("9999", "")],
)  # fmt: skip
def test_the_brand_is_known_by_the_first_digits(number, brand):
    assert brand_of(number) == brand


def test_a_number_may_be_typed_with_blanks_and_dashes():
    assert clean_number(" 4242-4242 4242\u00a04242 ") == GOOD


def test_a_form_that_is_sent_twice_confirms_once(browser, pending):
    for _ in range(2):
        assert browser.post(address(pending), typed()).status_code == 302
    assert pending.cards.count() == 1
    assert actions(pending) == ["card:confirmed", "company:activated"]


@pytest.mark.django_db(transaction=True)
def test_forms_that_arrive_together_confirm_once(transactional_db, owner, pending):
    def send():
        client = Client()
        client.force_login(owner)
        return client.post(address(pending), typed()).status_code

    assert at_once(send, send, send, send) == [302] * 4
    assert pending.cards.count() == 1
    assert actions(pending) == ["card:confirmed", "company:activated"]


def test_an_active_company_sees_its_card_and_may_replace_it(browser, pending):
    browser.post(address(pending), typed())
    first = pending.cards.get()
    page = browser.get(address(pending)).content.decode()
    assert "Visa •••• 4242" in page
    browser.post(address(pending), typed("4012888888881881", replaces=str(first.pk)))
    first.refresh_from_db()
    assert first.replaced_at and pending.cards.get(replaced_at=None).last_four == "1881"
    assert actions(pending)[-1] == "card:replaced"


def test_a_declined_replacement_leaves_the_card_in_force(browser, pending):
    browser.post(address(pending), typed())
    first = pending.cards.get()
    browser.post(address(pending), typed("4000000000000002", replaces=str(first.pk)))
    assert pending.cards.get(replaced_at=None) == first


def test_too_many_cards_are_refused_for_a_while_and_not_for_ever(browser, pending):
    with time_machine.travel("2026-11-22T12:00:00Z", tick=False):
        for _ in range(services.ATTEMPTS):
            browser.post(address(pending), typed("4000000000000002"))
        response = browser.post(address(pending), typed())
        assert "Too many cards" in response.content.decode()
        assert not pending.cards.exists()
    with time_machine.travel("2026-11-22T12:10:01Z", tick=False):
        assert browser.post(address(pending), typed()).status_code == 302


def test_another_companys_attempts_do_not_count(browser, pending, other_company, stranger):
    for _ in range(services.ATTEMPTS):
        with pytest.raises(services.CardDeclined):
            services.confirm_card(company=other_company, card=details("4000000000000002"), replaces="", user=stranger,
                                  actor=Actor.user(stranger))  # fmt: skip
    with pytest.raises(TooManyAttempts):
        services.confirm_card(
            company=other_company, card=details(), replaces="", user=stranger, actor=Actor.user(stranger)
        )
    assert browser.post(address(pending), typed()).status_code == 302


@pytest.mark.parametrize("state", ["suspended", "closed"])
def test_a_card_brings_no_suspended_or_closed_company_back(owner, state):
    company = factories.make_company(state=state, owner=owner)
    with pytest.raises(CompanyNotReady):
        services.confirm_card(company=company, card=details(), replaces="", user=owner, actor=Actor.user(owner))
    company.refresh_from_db()
    assert company.state == state and not CardConfirmation.objects.exists()


class AnyCard:
    """A gateway that takes any card."""

    name = "any"
    test_cards = ()

    def verify(self, card, *, reference):
        """Good."""
        return VerifiedCard("any_1")


def test_the_settings_name_the_gateway(browser, pending, settings):
    settings.CARD_GATEWAY = f"{__name__}.AnyCard"
    page = browser.get(address(pending)).content.decode()
    assert "Use a test card" not in page
    browser.post(address(pending), typed(REAL_LOOKING))
    assert pending.cards.get().gateway == "any"


def test_the_inputs_tell_browsers_what_they_are(browser, pending):
    page = browser.get(address(pending)).content.decode()
    for words in ("cc-name", "cc-number", "cc-exp", "cc-csc"):
        assert f'autocomplete="{words}"' in page
    assert not re.search(r"\sstyle=|\son[a-z]+=", page)
