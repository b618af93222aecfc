"""Staff adjust how often keys may be used: a company's plan, and a key's own limits."""

from __future__ import annotations

import json

import pytest
from django.urls import reverse

from keys import services
from keys.errors import LimitBeyondPlan
from keys.models import FeedEvent
from portal.audit.actors import Actor
from portal.audit.models import AuditEvent

pytestmark = pytest.mark.django_db


def limit(client, server_token, key_token) -> int | None:
    answer = client.post(
        "/api/v1/keys/verify", json.dumps({"key": key_token}), content_type="application/json",
        headers={"Authorization": f"Bearer {server_token}"},
    )  # fmt: skip
    found = answer.json()["rate_limit"]
    return found and found["limit"]


def test_a_plan_counts_from_the_moment_it_is_given(staff_client, client, company, server_token, key, key_token, staff):
    assert limit(client, server_token, key_token) == 600
    before = FeedEvent.objects.count()
    page = staff_client.get(reverse("staff:company", args=[company.pk])).content.decode()
    address = reverse("staff:company_plan", args=[company.pk])
    assert address in page
    assert "6,000 calls a minute" in staff_client.get(address).content.decode()
    response = staff_client.post(address, {"plan": "plus"}, follow=True)
    assert "count from now on" in response.content.decode()
    assert limit(client, server_token, key_token) == 6_000
    event = AuditEvent.objects.get(chain=company.pk, action="company:plan_changed")
    assert event.data == {"plan": "plus", "old_plan": "standard"} and event.actor_id == staff.pk
    assert FeedEvent.objects.count() == before + 1


def test_the_same_plan_again_records_nothing(staff_client, company):
    staff_client.post(reverse("staff:company_plan", args=[company.pk]), {"plan": "standard"})
    assert not AuditEvent.objects.filter(action="company:plan_changed").exists()


def test_a_plan_that_is_none_is_refused(staff_client, company):
    response = staff_client.post(reverse("staff:company_plan", args=[company.pk]), {"plan": "golden"})
    assert response.status_code == 400
    company.refresh_from_db()
    assert company.plan == "standard"


def test_staff_give_a_key_more_than_its_plan_and_the_plans_limit_again(
    staff_client, client, company, server_token, key, key_token
):
    address = reverse("staff:key_limits", args=[key.pk])
    assert address in staff_client.get(reverse("staff:key", args=[key.pk])).content.decode()
    staff_client.post(address, {"per_minute": "1200", "per_month": ""})
    assert limit(client, server_token, key_token) == 1_200
    assert AuditEvent.objects.filter(chain=company.pk, action="key:updated").count() == 1
    staff_client.post(address, {"per_minute": "", "per_month": ""})
    assert limit(client, server_token, key_token) == 600


def test_limits_of_a_revoked_key_stay(staff_client, key, staff):
    services.revoke_key(key=key, reason="Leaked", actor=Actor.staff(staff))
    response = staff_client.post(reverse("staff:key_limits", args=[key.pk]), {"per_minute": "5"}, follow=True)
    assert "no longer in use" in response.content.decode()
    key.refresh_from_db()
    assert key.per_minute is None


@pytest.mark.parametrize(("field", "many"), [("per_minute", 601), ("per_month", 1_000_001)])
def test_a_member_cannot_go_beyond_the_plan(company, key, owner, field, many):
    actor = Actor.user(owner)
    with pytest.raises(LimitBeyondPlan):
        services.update_key(key=key, actor=actor, **{field: many})
    services.update_key(key=key, actor=actor, **{field: many - 1})


def test_what_staff_gave_a_key_stays_when_a_member_changes_its_name(key, owner, staff):
    services.update_key(key=key, actor=Actor.staff(staff), per_minute=5_000)
    services.update_key(key=key, actor=Actor.user(owner), name="Renamed", per_minute=5_000)
    key.refresh_from_db()
    assert (key.name, key.per_minute) == ("Renamed", 5_000)
