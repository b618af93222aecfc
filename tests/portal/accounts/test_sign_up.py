"""Sign-up, and confirming an address."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user
from django.core import mail
from django.urls import reverse

from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.companies.models import Company, CompanyState
from portal.companies.roles import Role
from tests.portal.accounts.driving import STRONG, code_of, platform_actions, sign_in, sign_up


def test_one_page_makes_the_person_and_the_company(client, db):
    response = sign_up(client)
    assert response["Location"] == reverse("account_email_verification_sent")
    user, company = User.objects.get(), Company.objects.get()
    assert (user.name, user.email) == ("Ada Example", "ada@example.com")
    assert (company.name, company.currency, company.state) == ("Analytical Engines", "EUR", CompanyState.PENDING)
    assert company.memberships.get(user=user).role == Role.OWNER
    assert platform_actions() == ["account:created"]
    assert AuditEvent.objects.filter(chain=company.pk, action="company:created").exists()
    assert not user.emailaddress_set.get().verified


def test_the_code_from_the_mail_leads_straight_to_the_card(client, db):
    sign_up(client)
    (message,) = mail.outbox
    page = client.get(reverse("account_email_verification_sent")).content.decode()
    assert "ada@example.com" in page and reverse("mailbox") in page
    response = client.post(reverse("account_email_verification_sent"), {"code": code_of(message)})
    assert response["Location"] == reverse("card", kwargs={"slug": "analytical-engines"})
    assert User.objects.get().emailaddress_set.get().verified
    assert "account:signed_in" in platform_actions()


def test_a_wrong_code_is_refused_and_after_three_the_code_is_dead(client, db):
    sign_up(client)
    good = code_of(mail.outbox[0])
    for _ in range(3):
        client.post(reverse("account_email_verification_sent"), {"code": "AAAA-AAAA"})
    client.post(reverse("account_email_verification_sent"), {"code": good})
    assert not User.objects.get().emailaddress_set.get().verified


def test_without_the_code_nobody_is_signed_in(client, db):
    sign_up(client)
    assert client.get(reverse("home")).status_code == 302
    sign_in(client, "ada@example.com", STRONG)
    assert not get_user(client).is_authenticated


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"password1": "short"}, "password1", "add 5 more characters"),
        ({"password1": "password123"}, "password1", "too common"),
        ({"password1": "ada.example1"}, "password1", "too similar"),
        ({"password1": "AdaExample12"}, "password1", "too similar"),
        ({"password1": "analyticalengines"}, "password1", "too similar to the company"),
        ({"email": "nonsense"}, "email", "no e-mail address"),
        ({"email": f"{'x' * 300}@example.com"}, "email", "At most 254 characters; this is 312."),
        ({"company_name": "evil.com"}, "company_name", "web or e-mail"),
        ({"company_name": "Latchkey Security"}, "company_name", "name of this portal"),
        ({"name": "Ada\u202e"}, "name", "invisible"),
        ({"currency": "XXX"}, "currency", "that are offered"),
        ({"company_name": ""}, "company_name", "Fill this in"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_made(client, db, changes, field, says):
    response = sign_up(client, **changes)
    assert says in " ".join(response.context["form"].errors[field])
    assert not User.objects.exists() and not Company.objects.exists() and not mail.outbox


@pytest.mark.parametrize("password", ["correct horse battery", "ten-chars!", "aaaaaaaaab"])
def test_no_rules_of_composition(client, db, password):
    sign_up(client, password1=password)
    assert User.objects.exists()


def test_a_refused_sign_up_does_not_show_the_password_again(client, db):
    assert "password123" not in sign_up(client, password1="password123").content.decode()


def test_a_failure_half_way_leaves_nothing(client, db, monkeypatch):
    def fail(**kwargs):
        raise RuntimeError("half way")

    monkeypatch.setattr("portal.accounts.services.create_company", fail)
    with pytest.raises(RuntimeError):
        sign_up(client)
    assert not User.objects.exists() and not AuditEvent.objects.exists()


def test_who_signs_up_in_a_language_is_written_to_in_it_from_then_on(client, db):
    """Also by the worker, which knows no browser to ask."""
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "nl-BE,nl;q=0.9"
    sign_up(client)
    assert User.objects.get().language == "nl"
    assert mail.outbox[0].subject == "Bevestig je e-mailadres"


def test_who_signs_up_in_the_portals_own_language_has_chosen_none(client, db):
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en-GB"
    sign_up(client)
    assert User.objects.get().language == ""
