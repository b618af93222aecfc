"""A company's rules for new keys: they hold for the page, the API and a rotation alike."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from keys import errors, services
from keys.management_tokens.services import create_token
from keys.models import Key
from keys.policy.models import KeyPolicy
from keys.policy.selectors import policy_of
from keys.policy.services import set_policy
from portal.audit.actors import SYSTEM, Actor
from portal.audit.models import AuditEvent
from tests import factories
from tests.keys.test_pages_create import create

pytestmark = pytest.mark.django_db


def rule(company, **changes) -> KeyPolicy:
    """Set the policy of `company`, as it is without one but for `changes`."""
    fields = {"default_days": 90, "longest_days": None, "makers": "developer", "allowed_ips": []}
    policy = set_policy(company=company, actor=SYSTEM, **fields | changes)
    company.refresh_from_db()
    return policy


def page(company):
    return reverse("key_policy", args=[company.slug])


def form(**changes):
    return {"default": "90", "maximum": "none", "makers": "developer", "allowed_ips": ""} | changes


def api(company, user, body):
    _, token = create_token(company=company, user=user, name="CI", scopes=["keys:write"], expires_at=None, actor=SYSTEM)
    return Client().post(
        "/api/v1/keys", body, "application/json", headers={"Authorization": f"Bearer {token.text}"}
    )  # fmt: skip


def new_key(server, **changes):
    return {"name": "By script", "server": server.name, "scopes": ["tools:*"], "expires_in_days": 30} | changes


def test_a_company_without_a_policy_allows_everything(company, server, owner):
    key, _ = factories.make_key(company, server, owner, expires_at=None)
    assert key.expires_at is None
    assert policy_of(company).longest_days is None


def test_it_is_set_on_its_page_with_an_event(owner_client, company):
    sent = form(default="30", maximum="other-is-a-date", allowed_ips="")
    assert owner_client.post(page(company), sent).status_code == 200  # no such choice
    owner_client.post(page(company), form(default="30", maximum="date", days="60", makers="admin",
                                          allowed_ips="203.0.113.7\n10.0.0.0/8"))  # fmt: skip
    policy = KeyPolicy.objects.get(company=company)
    assert (policy.default_days, policy.longest_days, policy.makers) == (30, 60, "admin")
    assert "10.0.0.0/8" in policy.allowed_ips and len(policy.allowed_ips) == 2
    event = AuditEvent.objects.get(action="key_policy:updated")
    assert event.data["longest_days"] == {"from": None, "to": 60}
    shown = owner_client.get(page(company))
    assert shown.context["form"]["days"].value() == 60


@pytest.mark.parametrize(
    ("sent", "field"),
    [(form(default="365", maximum="90"), "default"), (form(default="never", maximum="90"), "default"),
     (form(maximum="date"), "days"), (form(maximum="date", days="0"), "days"), (form(makers="viewer"), "makers"),
     (form(allowed_ips="not an address"), "allowed_ips")],
)  # fmt: skip
def test_what_is_wrong_is_said_at_its_field_and_nothing_is_changed(owner_client, company, sent, field):
    response = owner_client.post(page(company), sent)
    assert field in response.context["form"].errors
    assert not KeyPolicy.objects.exists()


def test_a_key_cannot_outlive_the_maximum_by_page_or_by_api(owner_client, company, owner, server):
    rule(company, default_days=30, longest_days=60)
    offered = owner_client.get(reverse("keys:new", args=[company.slug])).context["form"].fields["lifetime"]
    assert [value for value, _ in offered.choices] == ["30", "date"] and offered.initial == "30"
    far = (timezone.now() + timedelta(days=61)).date().isoformat()
    assert "60 days at most" in create(owner_client, company, lifetime="date", until=far).content.decode()
    for body in ({"expires_in_days": 61}, {"expires_at": None}):
        sent = new_key(server) | body
        if "expires_at" in body:
            sent.pop("expires_in_days")
        refused = api(company, owner, sent)
        assert refused.status_code == 422 and refused.json()["code"] == "lifetime_invalid"
    assert not Key.objects.exists()
    assert api(company, owner, new_key(server, expires_in_days=60)).status_code == 201
    assert create(owner_client, company).status_code == 200
    assert Key.objects.count() == 2


def test_a_default_that_is_no_usual_choice_is_offered_first(owner_client, company):
    rule(company, default_days=45, longest_days=45)
    offered = owner_client.get(reverse("keys:new", args=[company.slug])).context["form"].fields["lifetime"]
    assert offered.initial == "45" and offered.choices[0][0] == "45"


def test_a_rotation_shortens_what_lives_too_long(company, server, owner):
    endless, _ = factories.make_key(company, server, owner, expires_at=None)
    year, _ = factories.make_key(company, server, owner, expires_at=timezone.now() + timedelta(days=365))
    short, _ = factories.make_key(company, server, owner, expires_at=timezone.now() + timedelta(days=7))
    rule(company, default_days=30, longest_days=30)
    for old, days in ((endless, 30), (year, 30), (short, 7)):
        new, _ = services.rotate_key(key=old, overlap=timedelta(hours=1), actor=SYSTEM)
        assert abs(new.expires_at - timezone.now() - timedelta(days=days)) < timedelta(minutes=1)
    endless.refresh_from_db()
    assert endless.expires_at is None  # a key that exists stays as it is


def test_below_the_floor_nobody_creates_and_everybody_still_manages_their_own(
    colleague_client, company, colleague, owner, server
):
    mine, _ = factories.make_key(company, server, colleague)
    rule(company, makers="admin")
    assert colleague_client.get(reverse("keys:new", args=[company.slug])).status_code == 403
    listed = colleague_client.get(reverse("keys:list", args=[company.slug])).content.decode()
    assert reverse("keys:new", args=[company.slug]) not in listed
    refused = api(company, colleague, new_key(server))
    assert refused.status_code == 403 and "fewer roles" in refused.json()["detail"]
    with pytest.raises(errors.NotAllowed):
        factories.make_key(company, server, colleague)
    services.rotate_key(key=mine, overlap=timedelta(0), actor=Actor.user(colleague))
    assert api(company, owner, new_key(server)).status_code == 201


def test_a_new_key_begins_with_the_companys_addresses(owner_client, company, owner, server):
    rule(company, allowed_ips=["203.0.113.0/24"])
    create(owner_client, company)
    assert Key.objects.get().allowed_ips == ["203.0.113.0/24"]
    assert api(company, owner, new_key(server)).json()["allowed_ips"] == ["203.0.113.0/24"]
    assert api(company, owner, new_key(server, allowed_ips=[])).json()["allowed_ips"] == []  # asked for: anywhere


def test_only_managers_set_it_and_a_foreign_one_is_not_there(colleague_client, stranger_client, company):
    assert colleague_client.post(page(company), form()).status_code == 403
    assert stranger_client.post(page(company), form()).status_code == 404
