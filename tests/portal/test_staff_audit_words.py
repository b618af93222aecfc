"""Words in a record that is too long to read: looked for in its latest events, and the page says so."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

import portal.audit.views
import portal.staff.views.dashboard
from portal.audit.actors import SYSTEM
from portal.audit.services import Target, record

pytestmark = pytest.mark.django_db
SAID = "Words are looked for in the latest 3 of these events"


@pytest.fixture
def long_record(company, monkeypatch):
    for module in (portal.audit.views, portal.staff.views.dashboard):
        monkeypatch.setattr(module, "WORDS_IN", 3)
    for days in (10, 9, 8, 7, 1):
        with time_machine.travel(timezone.now() - timedelta(days=days)), transaction.atomic():
            record("key:revoked", actor=SYSTEM, company=company, target=Target("key", "k", f"Robot {days} days ago"))
    return company


def staff_page(company) -> str:
    return f"{reverse('staff:audit')}?chain={company.pk}"


def company_page(company) -> str:
    return f"{reverse('audit', kwargs={'slug': company.slug})}?"


@pytest.mark.parametrize(("browser", "address"), [("staff_client", staff_page), ("owner_client", company_page)])
def test_words_are_looked_for_in_the_latest_events(request, long_record, browser, address):
    client, path = request.getfixturevalue(browser), address(long_record)
    shown = client.get(f"{path}&q=Robot").content.decode()
    assert "Robot 7 days ago" in shown and "Robot 9 days ago" not in shown
    assert SAID in shown
    assert SAID not in client.get(path).content.decode()
    until = (timezone.now() - timedelta(days=8)).date()
    shown = client.get(f"{path}&q=Robot&until={until}").content.decode()
    assert "Robot 9 days ago" in shown and SAID not in shown
