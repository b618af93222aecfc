"""Every mail of the portal, with example data: nothing missing in it, the same in HTML as in text."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.template import engines
from django.test import override_settings
from django.urls import reverse

from portal.accounts import mails
from portal.accounts.models import User
from portal.ui import mail_examples

EVERY = [(prefix, variant) for prefix in mail_examples.prefixes() for variant in mail_examples.variants(prefix)]
MISSING = "⚠missing⚠"


@pytest.fixture
def strict(monkeypatch):
    """A variable that a template asks for and nobody gave shows."""
    monkeypatch.setattr(engines["django"].engine, "string_if_invalid", MISSING)


def test_every_act_that_could_be_somebody_elses_has_its_mail():
    assert set(mail_examples.prefixes()) >= {
        "accounts/mail/new_sign_in", "accounts/mail/recovery_code_used", "accounts/mail/sessions_ended",
        "account/email/password_changed", "account/email/password_reset", "account/email/email_changed",
        "mfa/email/totp_activated", "mfa/email/totp_deactivated", "mfa/email/webauthn_added",
        "mfa/email/webauthn_removed", "mfa/email/recovery_codes_generated",
        "keys/mail/by_somebody_else", "connections/mail/made", "connections/mail/tokens_ended",
    }  # fmt: skip


@pytest.mark.parametrize(("prefix", "variant"), EVERY)
def test_a_mail_has_all_that_it_says(strict, prefix, variant):
    """Where this fails for a new mail, give it an example in portal/ui/mail_examples.py."""
    message = mail_examples.example(prefix, variant)
    whole = message.subject + message.body + message.alternatives[0][0]
    assert MISSING not in whole
    assert message.subject and "\n" not in message.subject and len(message.subject) < 78
    assert message.body.startswith("Hello") and message.body.endswith("\n") and "\n\n\n" not in message.body


@pytest.mark.parametrize(("prefix", "variant"), EVERY)
def test_the_html_says_what_the_text_says_and_loads_nothing(prefix, variant):
    message = mail_examples.example(prefix, variant)
    html = message.alternatives[0][0]
    seen = unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html.split("</head>")[1])))
    for word in message.body.split():
        assert word.strip("-:.,“”") in seen, word
    assert not re.search(r"<(img|script|link|iframe|form)\b", html)
    assert "prefers-color-scheme: dark" in html


@pytest.mark.parametrize(
    "prefix", [prefix for prefix, _variant in EVERY if prefix.startswith(("mfa/", "accounts/mail/new"))]
)
def test_a_security_notice_says_when_from_where_and_what_to_do(prefix):
    body = mail_examples.example(prefix).body
    assert "- When: 25 November 2026, 22:10 UTC" in body
    assert "- From: 203.0.113.9" in body and "- With: Firefox on Linux" in body
    assert "If it was not" in body and "http" in body


def test_a_line_of_words_before_an_address_is_the_buttons_label():
    (block,) = mails.blocks("Look at the key: https://example.com/k/")
    assert (block.kind, block.words, block.text) == ("link", "Look at the key", "https://example.com/k/")


def test_facts_are_a_table_and_other_lists_are_lists():
    facts, plain = mails.blocks("- When: now\n- From: here\n\n- One\n- Two")
    assert (facts.kind, facts.facts) == ("facts", (("When", "now"), ("From", "here")))
    assert (plain.kind, plain.lines) == ("list", ("One", "Two"))


@override_settings(LANGUAGES=[("en", "English"), ("nl", "Nederlands")])
def test_a_mail_is_in_the_language_of_its_reader():
    assert mails.language_of(User(language="nl")) == "nl"
    assert mails.language_of(User(language="fr")) == "en" and mails.language_of(None) == "en"
    message = mails.compose(
        "keys/mail/notice", mail_examples.EXAMPLES["keys/mail/notice"]["14d"], to="a@b.c", language="nl"
    )
    assert '<html lang="nl">' in message.alternatives[0][0] and "december" in message.body


def test_a_mail_to_an_address_that_is_not_confirmed_greets_nobody_by_name():
    """Whoever signs up chooses the name, and anybody's address: that makes no mail of theirs."""
    assert "Ada" not in mail_examples.example("account/email/email_confirmation_signup").body


@pytest.mark.django_db
def test_the_style_guide_shows_every_mail_in_a_closed_frame(client):
    page = client.get(reverse("styleguide_mail"))
    assert page.status_code == 200 and "frame-src 'self'" in page["Content-Security-Policy"]
    for prefix, _variant in EVERY:
        assert f"mail={prefix.replace('/', '%2F')}" in page.content.decode()
    frame = client.get(reverse("styleguide_mail_frame"), {"mail": "keys/mail/notice", "variant": "14d"})
    assert "Sales assistant" in frame.content.decode() and "sandbox" in frame["Content-Security-Policy"]
    assert client.get(reverse("styleguide_mail"), {"mail": "no/such"}).status_code == 404
    assert client.get(reverse("styleguide_mail"), {"mail": "keys/mail/notice", "variant": "x"}).status_code == 404


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["styleguide_mail", "styleguide_mail_frame"])
def test_nobody_sees_them_in_production(client, settings, name):
    settings.PRODUCTION = True
    assert client.get(reverse(name)).status_code == 404
