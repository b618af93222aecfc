"""Driving the pages of accounts, and reading their mails."""

from __future__ import annotations

import re

from django.urls import reverse

from portal.audit.models import AuditEvent
from tests.factories import PASSWORD

STRONG = "quiet lanterns drift over tin roofs"
CODE = re.compile(r"^[A-Z0-9]{3,8}-[A-Z0-9]{3,8}$", re.MULTILINE)


def filled(**changes):
    return {
        "company_name": "Analytical Engines",
        "currency": "EUR",
        "name": "Ada Example",
        "email": "ada@example.com",
        "password1": STRONG,
    } | changes


def sign_up(client, **changes):
    return client.post(reverse("account_signup"), filled(**changes))


def code_of(message):
    return CODE.search(message.body)[0]


def sign_in(client, email="owner@example.com", password=PASSWORD):
    return client.post(reverse("account_login"), {"login": email, "password": password})


def platform_actions():
    return list(AuditEvent.objects.filter(chain="platform").order_by("number").values_list("action", flat=True))
