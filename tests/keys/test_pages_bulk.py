"""Revoking several keys at once: one reason, one incident, nobody else's keys, and a typed number for many."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from keys import services
from keys.models import Key
from portal.audit.actors import Actor
from portal.audit.models import AuditEvent
from tests import factories

pytestmark = pytest.mark.django_db


def make(company, server, user, number):
    return [factories.make_key(company, server, user, name=f"Key {each}")[0] for each in range(number)]


def address(company, keys):
    return reverse("keys:revoke_many", args=[company.slug]) + "?" + "&".join(f"key={key.pk}" for key in keys)


def states(keys):
    return {key.state for key in Key.objects.filter(pk__in=[key.pk for key in keys])}


def test_ticked_keys_are_listed_then_revoked_with_one_reason(owner_client, company, server, owner):
    keys = make(company, server, owner, 3)
    page = owner_client.get(address(company, keys)).content.decode()
    assert "Revoke 3 keys" in page and all(key.name in page for key in keys) and "How many" not in page
    assert states(keys) == {"active"}
    response = owner_client.post(address(company, keys), {"reason": "1", "details": "laptop stolen"}, follow=True)
    assert "3 keys were revoked." in response.content.decode()
    assert states(keys) == {"revoked"}
    events = AuditEvent.objects.filter(action="key:revoked")
    assert {event.reason for event in events} == {"Leaked or exposed: laptop stolen"}
    assert len({event.incident_id for event in events}) == 1 and events[0].incident_id


def test_more_than_ten_have_to_be_counted(owner_client, company, server, owner):
    keys = make(company, server, owner, 11)
    assert "Type 11 to confirm" in owner_client.get(address(company, keys)).content.decode()
    for wrong in ("", "10", "eleven"):
        page = owner_client.post(address(company, keys), {"reason": "0", "count": wrong}).content.decode()
        assert states(keys) == {"active"} and "field-bad" in page
    owner_client.post(address(company, keys), {"reason": "0", "count": " 11 "})
    assert states(keys) == {"revoked"}


def test_old_values_that_are_still_accepted_end_too(owner_client, company, server, owner):
    (old,) = make(company, server, owner, 1)
    newer, _ = services.rotate_key(key=old, overlap=timedelta(hours=1), actor=Actor.user(owner))
    owner_client.post(address(company, [newer]), {"reason": "0"})
    assert states([old, newer]) == {"revoked"}


def test_what_is_not_ones_own_is_left_out_and_said(
    colleague_client, company, server, owner, colleague, other_company, stranger
):
    mine, others = make(company, server, colleague, 1), make(company, server, owner, 1)
    foreign = make(other_company, server, stranger, 1)
    page = colleague_client.get(address(company, mine + others + foreign)).content.decode()
    assert "2 keys are left out" in page and "Revoke 1 key" in page
    colleague_client.post(address(company, mine + others + foreign), {"reason": "0"})
    assert states(mine) == {"revoked"} and states(others + foreign) == {"active"}


def test_without_a_tick_it_says_so(owner_client, company):
    response = owner_client.get(reverse("keys:revoke_many", args=[company.slug]), follow=True)
    assert "Tick keys that are in use" in response.content.decode()


def test_the_list_offers_boxes_for_what_the_member_may_revoke(
    owner_client, colleague_client, company, server, owner, colleague
):
    (own,), (others,) = make(company, server, colleague, 1), make(company, server, owner, 1)
    listed = reverse("keys:list", args=[company.slug])
    page = colleague_client.get(listed).content.decode()
    assert f'value="{own.pk}" form="bulk"' in page and f'value="{others.pk}" form="bulk"' not in page
    assert f'value="{others.pk}" form="bulk"' in owner_client.get(listed).content.decode()


def test_the_list_is_narrowed_to_a_member(owner_client, company, server, owner, colleague):
    factories.make_key(company, server, colleague, name="Colin's")
    factories.make_key(company, server, owner, name="Olivia's")
    page = owner_client.get(reverse("keys:list", args=[company.slug]), {"member": colleague.pk}).content.decode()
    assert "Colin&#x27;s</a>" in page and "Olivia&#x27;s</a>" not in page
