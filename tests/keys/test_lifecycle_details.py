"""The life of a key in detail: borders of what is allowed, what each act records, tells and keeps."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from keys import errors, feed, services, tokens
from keys.models import CredentialState, Key, McpServer
from keys.servers import services as servers
from keys.webhooks import endpoints
from keys.webhooks.models import Event
from portal.audit.actors import SYSTEM, Actor
from portal.audit.models import AuditEvent
from portal.companies.models import Company, CompanyState, Membership
from portal.companies.roles import Role
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def told(company):
    """The events that the company's endpoint was told, with their data."""
    endpoints.create_endpoint(
        company=company, url="https://receiver.example.com/hook", description="", event_types=[], actor=SYSTEM
    )
    return lambda: [(event.type, event.data) for event in Event.objects.order_by("created_at", "pk")]


def recorded(action: str) -> Any:
    return AuditEvent.objects.get(action=action)


def forgotten(server) -> list[Any]:
    return feed.read(server.pk, "0").events


@pytest.fixture
def still():
    with time_machine.travel(timezone.now(), tick=False) as clock:
        yield clock


# --- making


def test_a_key_is_made_as_it_was_asked_for(company, server, owner, still, told):
    ends = timezone.now() + timedelta(days=3)
    key, token = factories.make_key(
        company, server, owner, name="  Spaces  ", scopes=["tool:whoami", "tool:get_companies"], expires_at=ends,
        allowed_ips=["10.1.2.3/8"], login_client="cli", per_minute=7, per_month=70, labels=["Team", "prod"],
    )  # fmt: skip
    key.refresh_from_db()
    assert (key.name, key.expires_at, key.allowed_ips, key.login_client) == ("Spaces", ends, ["10.0.0.0/8"], "cli")
    assert (key.per_minute, key.per_month, key.user, key.server, key.company) == (7, 70, owner, server, company)
    assert sorted(key.scopes) == ["tool:get_companies", "tool:whoami"]
    assert key.pk == token.id
    assert key.hint == tokens.hint(token)
    event = recorded("key:created")
    assert (event.target_kind, event.target_id, event.target_label) == ("key", key.pk, "Spaces")
    assert event.data == {
        "server": server.pk,
        "scopes": key.scopes,
        "expires_at": ends.isoformat(),
        "user": owner.pk,
        "allowed_ips": ["10.0.0.0/8"],
        "labels": key.labels,
    }
    ((kind, data),) = told()
    assert (kind, data["key"]["id"]) == ("key.created", key.pk)


def test_values_are_digested_by_the_first_pepper_and_of_the_configured_kind(company, server, owner, settings):
    settings.PEPPERS = {"new": b"n" * 32} | settings.PEPPERS
    settings.KEY_KIND = "live"
    key, token = factories.make_key(company, server, owner)
    assert token.text.startswith("lk_live_")
    assert key.pepper == "new"
    assert bytes(key.digest) == tokens.digest(token.text, b"n" * 32)


def test_a_name_must_be_one(company, server, owner):
    from django.core.exceptions import ValidationError

    with pytest.raises(ValidationError):
        factories.make_key(company, server, owner, name="x" * 500)


@pytest.mark.parametrize("off", [timedelta(0), timedelta(days=3653, seconds=1)])
def test_a_life_begins_later_than_now_and_ends_within_ten_years(company, server, owner, still, off):
    with pytest.raises(errors.LifetimeInvalid):
        factories.make_key(company, server, owner, expires_at=timezone.now() + off)
    for good in (timedelta(seconds=1), timedelta(days=3653)):
        factories.make_key(company, server, owner, expires_at=timezone.now() + good)


def test_a_server_that_went_to_the_archive_takes_no_new_keys_and_no_rotation(company, server, owner, key):
    McpServer.objects.filter(pk=server.pk).update(archived_at=timezone.now())
    for act in (
        lambda: factories.make_key(company, server, owner),
        lambda: services.rotate_key(key=key, overlap=timedelta(0), actor=SYSTEM),
    ):
        with pytest.raises(errors.ServerUnavailable):
            act()


def test_a_company_makes_keys_for_its_own_server(company, owner):
    own = factories.make_server(company=company)
    assert factories.make_key(company, own, owner)[0].server == own


def test_a_server_without_a_catalogue_may_have_any_tool(company, owner):
    bare = factories.make_server(tools=[])
    assert factories.make_key(company, bare, owner, scopes=["tool:anything"])[0].scopes == ["tool:anything"]


def test_an_unknown_tool_is_named(company, server, owner):
    with pytest.raises(errors.ScopeUnknown) as refused:
        factories.make_key(company, server, owner, scopes=["tool:whoami", "tool:zzz", "tool:aaa"])
    assert "tool:aaa" in str(refused.value.message)
    with pytest.raises(errors.AddressInvalid) as refused:
        factories.make_key(company, server, owner, allowed_ips=["10.0.0.0/8", "10.0.0.0/99"])
    assert "10.0.0.0/99" in str(refused.value.message)


def test_who_owes_a_second_factor_makes_no_key(company, server, owner):
    Company.objects.filter(pk=company.pk).update(require_second_factor=True)
    with pytest.raises(errors.NotAllowed) as refused:
        factories.make_key(company, server, owner)
    assert "second factor" in str(refused.value.message)


# --- limits


@pytest.mark.parametrize(("field", "most"), [("per_minute", 600), ("per_month", 1_000_000)])
def test_a_new_key_stays_within_the_plan_unless_staff_make_it(company, server, owner, staff, field, most):
    factories.make_key(company, server, owner, **{field: most})
    with pytest.raises(errors.LimitBeyondPlan) as refused:
        factories.make_key(company, server, owner, **{field: most + 1})
    assert str(most) in str(refused.value.message)
    factories.make_key(company, server, owner, actor=Actor.staff(staff), **{field: most + 1})


# --- rotating


def test_a_rotation_keeps_what_the_key_had_and_says_what_replaced_what(company, server, owner, still, told):
    old, _ = factories.make_key(
        company, server, owner, expires_at=None, allowed_ips=["10.0.0.0/8"], login_client="cli", per_minute=7,
        per_month=70, scopes=["tool:whoami"], labels=["team"],
    )  # fmt: skip
    new, _ = services.rotate_key(key=old, overlap=timedelta(hours=5), actor=Actor.user(owner))
    old.refresh_from_db()
    new.refresh_from_db()
    assert (new.expires_at, new.allowed_ips, new.login_client) == (None, ["10.0.0.0/8"], "cli")
    assert (new.per_minute, new.per_month, new.scopes, new.labels) == (7, 70, ["tool:whoami"], old.labels)
    assert (old.login_client, old.overlap_ends_at, old.expires_at) == ("", timezone.now() + timedelta(hours=5), None)
    event = recorded("key:rotated")
    assert (event.target_id, event.data["replaces"], event.data["replaced_by"]) == (old.pk, old.pk, new.pk)
    assert event.data["overlap_ends_at"] == old.overlap_ends_at.isoformat()
    assert event.data["scopes"] == ["tool:whoami"]
    data = dict(told())["key.rotated"]
    assert (data["key"]["id"], data["replaced_by"]) == (old.pk, new.pk)
    assert data["overlap_ends_at"] == old.overlap_ends_at.isoformat()


def test_a_new_value_lives_as_long_as_the_old_one_did(company, server, owner, still):
    old, _ = factories.make_key(company, server, owner, expires_at=timezone.now() + timedelta(days=10))
    still.shift(timedelta(days=4))
    new, _ = services.rotate_key(key=old, overlap=timedelta(0), actor=SYSTEM)
    assert new.expires_at == timezone.now() + timedelta(days=10)


def test_a_rotation_keeps_a_tool_that_the_server_lost(company, server, owner):
    old, _ = factories.make_key(company, server, owner, scopes=["tool:whoami"])
    servers.update_server(server=server, actor=SYSTEM, tools=[{"name": "other"}])
    new, _ = services.rotate_key(key=old, overlap=timedelta(0), actor=SYSTEM)
    assert new.scopes == ["tool:whoami"]


@pytest.mark.parametrize("overlap", [timedelta(seconds=-1), timedelta(days=30, seconds=1)])
def test_an_overlap_is_at_most_thirty_days(key, overlap):
    with pytest.raises(errors.LifetimeInvalid):
        services.rotate_key(key=key, overlap=overlap, actor=SYSTEM)
    services.rotate_key(key=key, overlap=timedelta(days=30), actor=SYSTEM)


def test_only_an_active_key_of_an_active_company_is_rotated(key, company):
    Company.objects.filter(pk=company.pk).update(state=CompanyState.SUSPENDED)
    with pytest.raises(errors.CompanyInactive):
        services.rotate_key(key=key, overlap=timedelta(0), actor=SYSTEM)
    Company.objects.filter(pk=company.pk).update(state=CompanyState.ACTIVE)
    Key.objects.filter(pk=key.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(errors.NotUsable):
        services.rotate_key(key=key, overlap=timedelta(0), actor=SYSTEM)


def test_a_member_who_lost_the_right_rotates_nothing(key, owner):
    Membership.objects.filter(user=owner).update(role=Role.VIEWER)
    with pytest.raises(errors.ScopeBeyondRights):
        services.rotate_key(key=key, overlap=timedelta(0), actor=SYSTEM)
    key.refresh_from_db()
    assert key.overlap_ends_at is None


def test_the_end_of_an_overlap_is_recorded(key, company, server, still):
    services.rotate_key(key=key, overlap=timedelta(hours=1), actor=SYSTEM)
    services.end_overlap(key=key, actor=SYSTEM)
    key.refresh_from_db()
    assert key.overlap_ends_at == timezone.now()
    event = recorded("key:overlap_ended")
    assert (event.chain, event.target_id) == (company.pk, key.pk)


# --- changing


def test_a_change_keeps_what_it_does_not_name(key, company, server, told):
    before = Key.objects.values().get(pk=key.pk)
    changed = services.update_key(key=key, actor=SYSTEM, name="  Other ", per_minute=5)
    after = Key.objects.values().get(pk=key.pk)
    assert {name for name in after if after[name] != before[name]} == {"name", "per_minute"}
    assert (after["name"], after["per_minute"], changed.name) == ("Other", 5, "Other")
    event = recorded("key:updated")
    assert (event.chain, event.target_id, event.target_label) == (company.pk, key.pk, "Other")
    assert event.data == {
        "name": {"from": "Owner's key", "to": "Other"},
        "per_minute": {"from": None, "to": 5},
    }
    ((kind, data),) = told()
    assert (kind, data["key"]["id"]) == ("key.updated", key.pk)
    assert data["changed"] == ["name", "per_minute"]


def test_a_change_of_nothing_leaves_no_trace(key, server, told):
    services.update_key(key=key, actor=SYSTEM, name=key.name, scopes=key.scopes, labels=key.labels)
    assert not AuditEvent.objects.filter(action="key:updated").exists()
    assert (forgotten(server), told()) == ([], [])


def test_what_cannot_be_changed_is_named(key):
    with pytest.raises(TypeError, match="revoked_at, user"):
        services.update_key(key=key, actor=SYSTEM, user=None, revoked_at=None)


def test_a_change_is_checked_as_a_new_key_is(key, owner):
    for change, error in (
        ({"scopes": ["tool:no_such"]}, errors.ScopeUnknown),
        ({"allowed_ips": ["nowhere"]}, errors.AddressInvalid),
        ({"labels": ["x" * 500]}, errors.LabelInvalid),
        ({"per_minute": 601}, errors.LimitBeyondPlan),
    ):
        with pytest.raises(error):
            services.update_key(key=key, actor=Actor.user(owner), **change)
    services.update_key(key=key, actor=SYSTEM, labels=["Team"])
    key.refresh_from_db()
    assert [label.lower() for label in key.labels] == ["team"]


# --- revoking


def test_a_revocation_says_what_why_and_when(key, company, server, still, told):
    revoked = services.revoke_key(key=key, reason="x" * 400, actor=SYSTEM, incident_id="incident1")
    assert (revoked.revoked_at, revoked.revoked_reason, revoked.state) == (
        timezone.now(), "x" * 300, CredentialState.REVOKED,
    )  # fmt: skip
    event = recorded("key:revoked")
    assert (event.data, event.incident_id, event.reason[:3]) == ({"server": server.pk}, "incident1", "xxx")
    assert forgotten(server) == [{"key_id": key.pk}]
    ((kind, data),) = told()
    assert (kind, data["key"]["id"]) == ("key.revoked", key.pk)
    assert data["reason"].startswith("xxx")


def test_old_values_that_ended_stay_as_they_ended(key):
    second, _ = services.rotate_key(key=key, overlap=timedelta(0), actor=SYSTEM)
    third, _ = services.rotate_key(key=second, overlap=timedelta(hours=1), actor=SYSTEM)
    assert services.accepted_values(third) == [third.pk, second.pk]
    services.revoke_key(key=third, reason="x", actor=SYSTEM)
    states = {each.pk: each.state for each in Key.objects.all()}
    assert states == {
        key.pk: CredentialState.EXPIRED,
        second.pk: CredentialState.REVOKED,
        third.pk: CredentialState.REVOKED,
    }


def test_many_are_revoked_in_batches_and_each_once(company, server, owner, monkeypatch):
    monkeypatch.setattr(services, "BATCH", 2)
    ids = [factories.make_key(company, server, owner)[0].pk for _ in range(5)]
    assert services.revoke_keys(key_ids=[], reason="x", actor=SYSTEM) == 0
    assert services.revoke_keys(key_ids=ids[:1], reason="x", actor=SYSTEM) == 1
    assert services.revoke_keys(key_ids=ids, reason="x", actor=SYSTEM) == 4
    assert services.revoke_keys(key_ids=ids, reason="x", actor=SYSTEM) == 0
    assert AuditEvent.objects.filter(action="key:revoked").count() == 5
    assert not Key.objects.filter(revoked_at=None).exists()


def test_a_revocation_that_comes_twice_forgets_what_is_kept_again(key, monkeypatch, django_capture_on_commit_callbacks):
    """The answer to the first may have been lost, and what Redis keeps with it."""
    forgotten: list[Any] = []
    services.revoke_key(key=key, reason="x", actor=SYSTEM)
    monkeypatch.setattr("keys.hotstore.forget", lambda **what: forgotten.append(what))
    with django_capture_on_commit_callbacks(execute=True):
        services.revoke_keys(key_ids=[key.pk], reason="x", actor=SYSTEM)
    assert {"key_ids": {key.pk}} in forgotten
