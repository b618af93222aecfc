"""Mails of accounts: their text and their HTML, and a mail server that is away."""

from __future__ import annotations

import re
import smtplib

from django.core import mail
from django.urls import reverse

from portal.accounts import mails
from tests.portal.accounts.driving import code_of, sign_up


def test_a_mails_html_says_what_its_text_says(client, db):
    sign_up(client, company_name="<i>Sly</i>")
    message = mail.outbox[0]
    html, kind = message.alternatives[0]
    assert kind == "text/html"
    assert code_of(message) in html
    assert "http" not in re.sub(r"<!doctype.*?<body", "", html, flags=re.DOTALL)


def test_the_markup_of_a_mail_escapes_what_people_wrote():
    assert "<script>" not in mails.html("Subject", "Hello <script>alert(1)</script>\n")


def test_paragraphs_that_are_only_an_address_or_a_code_stand_out():
    kinds = [block.kind for block in mails.blocks("Hello,\n\nABCD-1234\n\nhttps://example.com/x\n\n- one\n- two\n")]
    assert kinds == ["text", "code", "link", "list"]


def test_a_mail_server_that_is_away_breaks_no_sign_up(client, db, monkeypatch):
    def fail(self, *args, **kwargs):
        raise smtplib.SMTPServerDisconnected("gone")

    monkeypatch.setattr("django.core.mail.message.EmailMessage.send", fail)
    assert sign_up(client).status_code == 302
    page = client.get(reverse("account_email_verification_sent")).content.decode()
    assert "could not be sent just now" in page and "Send another code" in page
