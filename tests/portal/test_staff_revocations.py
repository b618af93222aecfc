"""Staff revoke by rule: what a rule finds, what has to be said first, and a run that nothing throws off."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.core import mail
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from keys import services
from keys.models import FeedEvent, Key
from keys.oauth.models import Connection
from keys.usage.models import Sighting
from portal.audit.actors import SYSTEM, Actor
from portal.audit.models import AuditEvent
from portal.audit.services import verify_chain
from portal.ids import ALPHABET
from portal.incidents.models import Incident, IncidentNotice
from portal.incidents.services import open_incident
from portal.staff.errors import RuleEmpty
from portal.staff.models import RevocationRun, RunState
from portal.staff.revocations import runs
from portal.staff.revocations.finds import Number
from portal.staff.revocations.rules import Rule, matches
from tests import factories

pytestmark = pytest.mark.django_db

RULE = "/staff/revoke/"
NOW = timezone.now().replace(microsecond=0)


def names(**rule) -> set[str]:
    return set(matches(Rule(**rule)).keys.values_list("name", flat=True))


def seen(key, address, client="Gemini CLI"):
    Sighting.objects.create(key_id=key.pk, company_id=key.company_id, address=address, client=client, code="VALID",
                            first_at=NOW, last_at=NOW, count=1)  # fmt: skip


def used(key, first, last):
    Key.objects.filter(pk=key.pk).update(first_used_at=first, last_used_at=last)


def made(key, moment):
    Key.objects.filter(pk=key.pk).update(created_at=moment)


def connect(company, server, user, **fields) -> Connection:
    fields = {"client_name": "Gemini CLI", "scopes": ["tools:*"], **fields}
    return Connection.objects.create(company=company, server=server, user=user, **fields)


@pytest.fixture
def actor(staff):
    return Actor.staff(staff)


@pytest.fixture
def many(company, server, owner):
    """Twelve keys of `owner`: more than can be revoked without typing their number."""
    return [factories.make_key(company, server, owner, name=f"CI {number}")[0] for number in range(12)]


@pytest.fixture
def idle(monkeypatch):
    """A queue that takes the task and does nothing with it."""
    monkeypatch.setattr("portal.staff.tasks.revoke_by_rule.apply_async", lambda *args, **kwargs: None)


# --- What a rule finds ---------------------------------------------------------------------------------------------


def test_a_rule_without_a_condition_is_refused():
    with pytest.raises(RuleEmpty):
        Rule()


def test_each_condition_narrows(company, other_company, server, owner, colleague, stranger):
    other_server = factories.make_server()
    one = factories.make_key(company, server, owner, name="one", scopes=["tools:read"])[0]
    two = factories.make_key(company, other_server, colleague, name="two", expires_at=None)[0]
    three = factories.make_key(other_company, server, stranger, name="three")[0]
    seen(one, "203.0.113.9")
    seen(two, "2001:db8::7")
    seen(three, "203.0.114.9")
    made(one, NOW - timedelta(days=10))
    used(one, NOW - timedelta(days=9), NOW - timedelta(days=8))
    used(two, NOW - timedelta(hours=3), NOW)
    assert names(company=company.pk) == {"one", "two"}
    assert names(user=colleague.pk) == {"two"}
    assert names(server=server.pk) == {"one", "three"}
    assert names(scope="tools:read") == {"one"}
    assert names(scope="tools:*") == {"two", "three"}
    assert names(no_expiry=True) == {"two"}
    assert names(address="203.0.113.9/32") == {"one"}
    assert names(address="203.0.113.0/24") == {"one"}
    assert names(address="203.0.112.0/22") == {"one", "three"}
    assert names(address="2001:db8::/32") == {"two"}
    assert names(made_before=NOW - timedelta(days=9)) == {"one"}
    assert names(made_after=NOW - timedelta(days=9)) == {"two", "three"}
    assert names(used_after=NOW - timedelta(hours=1)) == {"two"}
    assert names(used_before=NOW - timedelta(days=1)) == {"one"}
    assert names(unused_since=NOW - timedelta(days=7)) == {"one"}
    assert names(company=company.pk, server=server.pk) == {"one"}
    assert names(company=other_company.pk, address="203.0.113.0/24") == set()


def test_a_rule_finds_only_what_is_still_accepted(company, server, owner, key):
    expired = factories.make_key(company, server, owner, name="expired")[0]
    Key.objects.filter(pk=expired.pk).update(expires_at=NOW - timedelta(days=1))
    gone = factories.make_key(company, server, owner, name="gone")[0]
    services.revoke_key(key=gone, reason="", actor=SYSTEM)
    assert names(company=company.pk) == {key.name}


def test_a_rule_finds_connections_too(company, other_company, server, owner, stranger):
    mine = connect(company, server, owner)
    connect(other_company, server, stranger)
    assert list(matches(Rule(company=company.pk)).connections) == [mine]
    assert list(matches(Rule(scope="tools:*", user=owner.pk)).connections) == [mine]
    assert not matches(Rule(company=company.pk, no_expiry=True, scope="tools:read")).connections


def test_a_rule_survives_its_row():
    rule = Rule(company="c" * 12, made_after=NOW, no_expiry=True, address="203.0.113.0/24")
    assert Rule.from_json(rule.as_json()) == rule


# --- The page ------------------------------------------------------------------------------------------------------


def test_of_a_wide_rule_companies_are_counted_among_the_first_keys(staff_client, server, many, monkeypatch):
    monkeypatch.setattr("portal.staff.revocations.finds.WIDE", 5)
    monkeypatch.setattr("portal.staff.revocations.finds.FIRST", 5)
    monkeypatch.setattr("portal.staff.views.revocations.FIRST", 5)
    shown = staff_client.get(RULE, {"server": server.name}).content.decode()
    assert shown.count("At least: counted among the first 5 of each") == 2
    assert "12 keys and connections are refused" in shown and "Acme" in shown and "CI 11" in shown


@pytest.fixture
def endless(company, server, owner, monkeypatch):
    """A rule's keys are so many that they are reckoned: two of fourteen have an id that begins with 0."""
    monkeypatch.setattr("portal.staff.revocations.finds.WIDE", 5)
    monkeypatch.setattr("portal.staff.revocations.finds.COUNTED", 10)
    keys = [factories.make_key(company, server, owner, name=f"CI {number}")[0] for number in range(14)]
    for number, key in enumerate(keys):
        Key.objects.filter(pk=key.pk).update(id=f"{0 if number < 2 else 7}{number:011}")


def test_of_nearly_every_key_the_number_is_about_and_need_not_be_typed_exactly(
    staff_client, company, endless, settings, idle
):
    settings.FOUR_EYES_ABOVE = 13
    address = f"{RULE}?company={company.slug}"
    shown = staff_client.get(address).content.decode()
    assert "About 120 keys and connections are refused" in shown and "10 of about 120" in shown
    assert "CI 13" in shown, "the latest are what they are"
    for typed in ("14", "100"):
        refused = staff_client.post(address, {"why": "Leaked", "confirm": typed})
        assert refused.status_code == 400 and "The rule finds about 120 now" in refused.content.decode()
    assert staff_client.post(address, {"why": "Leaked", "confirm": "115"}).status_code == 302
    run = RevocationRun.objects.get()
    assert (run.expected_keys, run.state) == (14, RunState.WAITING), "the run counts exactly"
    second = Client()
    second.force_login(factories.make_staff(role="support"))
    approve = second.get(reverse("staff:run_approve", args=[run.pk])).content.decode()
    assert "asks to revoke about 120 keys and connections" in approve


@pytest.mark.parametrize(
    ("number", "words"),
    [(Number(7), "7"), (Number(99_999), "99,999"), (Number(953_812, exact=False), "about 950,000"),
     (Number(100_001, exact=False) + Number(3), "about 100,000"), (Number(7) + Number(5), "12")],
)  # fmt: skip
def test_a_number_that_is_reckoned_says_so(number, words):
    assert str(number) == words


def test_the_random_ids_that_begin_with_0_are_one_in_62():
    assert ALPHABET[0] == "0" and len(set(ALPHABET)) == 62 and sorted(ALPHABET) == list(ALPHABET)


def test_the_preview_says_how_many_whose_and_who_is_told(staff_client, company, owner, many, other_company):
    response = staff_client.get(RULE, {"company": company.slug})
    assert response.context["keys"].number == Number(12)
    assert (response.context["company_count"], response.context["owner_count"]) == (1, 1)
    assert "CI 11" in response.content.decode()
    assert not RevocationRun.objects.exists() and not Key.objects.filter(revoked_at__isnull=False).exists()


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"company": "nobody"}, "No company has this"),
        ({"member": "nobody@example.com"}, "Nobody has this address"),
        ({"server": "none"}, "No MCP server has this"),
        ({"scope": "everything"}, "Use tools:*"),
        ({"address": "300.1.1.1"}, "Use an address or a range"),
        ({"made_after": "yesterday"}, "Write day and time"),
        ({"no_expiry": ""}, "at least one condition"),
    ],
)
def test_a_wrong_rule_says_what_is_wrong(staff_client, query, words):
    response = staff_client.get(RULE, query)
    assert response.status_code == 400 and words in response.content.decode()


def test_a_rule_that_finds_nothing_says_so(staff_client, company):
    shown = staff_client.get(RULE, {"company": company.slug}).content.decode()
    assert "The rule finds nothing" in shown


def test_the_page_opens_at_what_the_rule_finds(staff_client, company, key):
    assert 'action="#found"' in staff_client.get(RULE).content.decode()
    assert 'id="found"' in staff_client.get(RULE, {"company": company.slug}).content.decode()
    assert 'id="found"' not in staff_client.get(RULE, {"company": "nobody"}).content.decode()


def test_the_number_is_typed_and_the_reason_given(staff_client, company, many):
    address = f"{RULE}?company={company.slug}"
    for data in ({"why": ""}, {"why": "Leaked"}, {"why": "Leaked", "confirm": "11"}):
        assert staff_client.post(address, data).status_code == 400
    assert "The rule finds 12 now" in staff_client.post(address, {"why": "Leaked", "confirm": "11"}).content.decode()
    assert not Key.objects.filter(revoked_at__isnull=False).exists()


def test_many_keys_need_a_recent_sign_in_and_few_do_not(staff_client, company, many):
    with time_machine.travel(timezone.now() + timedelta(minutes=15)):
        response = staff_client.post(f"{RULE}?company={company.slug}", {"why": "Leaked", "confirm": "12"})
        assert "reauthenticate" in response["Location"] and not RevocationRun.objects.exists()
        for key in many[:3]:
            services.revoke_key(key=key, reason="", actor=SYSTEM)
        staff_client.post(f"{RULE}?company={company.slug}", {"why": "Leaked"})
        assert RevocationRun.objects.exists()


def test_all_of_it_is_revoked_under_one_incident_and_the_owners_are_told(
    staff_client, staff, company, other_company, server, owner, stranger, many, django_capture_on_commit_callbacks
):
    theirs = factories.make_key(other_company, server, stranger)[0]
    connection_ = connect(company, server, owner)
    with django_capture_on_commit_callbacks(execute=True):
        response = staff_client.post(
            f"{RULE}?member={owner.email}", {"why": "Leaked", "note": "in a repository", "confirm": "13",
                                             "title": "Leak at Acme", "tell_owners": "on"},
        )  # fmt: skip
    run = RevocationRun.objects.get()
    assert response["Location"] == reverse("staff:run", args=[run.pk])
    assert (run.state, run.keys_done, run.connections_done) == (RunState.DONE, 12, 1)
    incident = Incident.objects.get()
    assert (incident.title, incident.kind, incident.opened_by) == ("Leak at Acme", "revocation", staff)
    events = AuditEvent.objects.filter(chain=company.pk, incident_id=incident.pk)
    assert events.filter(action="key:revoked").count() == 12
    assert {(event.actor_kind, event.actor_id, event.reason) for event in events} == {
        ("staff", staff.pk, "Leaked: in a repository")
    }
    connection_.refresh_from_db()
    theirs.refresh_from_db()
    assert connection_.revoked_at and not theirs.revoked_at
    assert FeedEvent.objects.filter(key_id=many[0].pk).exists()
    assert verify_chain(company.pk).intact and verify_chain("platform").intact
    # Tasks run at once here, but mail waits for the commit of the last batch.
    from portal.incidents.notices import send_due

    send_due()
    assert [message.to for message in mail.outbox] == [[owner.email]]
    assert "in a repository" in mail.outbox[0].body
    shown = staff_client.get(response["Location"]).content.decode()
    assert "Nothing that matches is left" in shown


def test_a_run_goes_under_an_open_incident(staff_client, company, key, actor, django_capture_on_commit_callbacks):
    incident = open_incident(title="Known leak", actor=actor)
    with django_capture_on_commit_callbacks(execute=True):
        staff_client.post(f"{RULE}?company={company.slug}", {"why": "Leaked", "incident": incident.pk})
    assert RevocationRun.objects.get().incident == incident
    assert AuditEvent.objects.get(action="key:revoked").incident_id == incident.pk


# --- The run -------------------------------------------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch):
    """Batches of five."""
    monkeypatch.setattr(runs, "BATCH", 5)


def test_a_run_that_is_killed_goes_on_and_does_nothing_twice(company, many, actor, idle, small):
    run = runs.start_run(rule=Rule(company=company.pk), reason="Leaked", actor=actor)
    assert runs.work(run.pk, seconds=-1) == RunState.RUNNING
    run.refresh_from_db()
    assert (run.keys_done, Key.objects.filter(revoked_at__isnull=False).count()) == (5, 5)
    assert runs.work(run.pk, seconds=60) == RunState.DONE
    assert runs.work(run.pk, seconds=60) == RunState.DONE
    run.refresh_from_db()
    assert run.keys_done == 12
    assert AuditEvent.objects.filter(action="key:revoked").count() == 12
    assert FeedEvent.objects.exclude(key_id="").count() == 12


def test_a_batch_that_fails_leaves_nothing_of_it(company, many, actor, idle, small, monkeypatch):
    run = runs.start_run(rule=Rule(company=company.pk), reason="Leaked", actor=actor)
    runs.work(run.pk, seconds=-1)
    save = RevocationRun.save

    def dies(self, **kwargs):
        save(self, **kwargs)
        raise SystemExit("killed at the end of a batch")

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(RevocationRun, "save", dies)
        runs.work(run.pk, seconds=60)
    run.refresh_from_db()
    assert (run.keys_done, Key.objects.filter(revoked_at__isnull=False).count()) == (5, 5)
    runs.work(run.pk, seconds=60)
    assert AuditEvent.objects.filter(action="key:revoked").count() == 12


def test_keys_that_come_while_it_runs_are_revoked_too(company, server, owner, many, actor, idle, small):
    run = runs.start_run(rule=Rule(company=company.pk), reason="Leaked", actor=actor)
    runs.work(run.pk, seconds=-1)
    late = [factories.make_key(company, server, owner)[0] for _number in range(4)]
    runs.work(run.pk, seconds=60)
    run.refresh_from_db()
    assert (run.expected_keys, run.keys_done) == (12, 16)
    assert not Key.objects.filter(pk__in=[key.pk for key in late], revoked_at=None).exists()


def test_an_older_value_that_is_still_accepted_ends_with_its_newer_one(company, key, actor, idle):
    new = services.rotate_key(key=key, overlap=timedelta(hours=1), actor=actor)[0]
    seen(new, "203.0.113.9")
    run = runs.start_run(rule=Rule(address="203.0.113.9/32"), reason="Leaked", actor=actor)
    runs.work(run.pk, seconds=60)
    key.refresh_from_db()
    assert key.revoked_at


def test_the_sweep_goes_on_with_a_run_whose_worker_died(company, many, actor, idle, small, monkeypatch):
    run = runs.start_run(rule=Rule(company=company.pk), reason="Leaked", actor=actor)
    runs.work(run.pk, seconds=-1)
    handed = []
    monkeypatch.setattr(runs, "hand_over", lambda run: handed.append(run.pk) or True)
    assert runs.continue_all() == 0
    with time_machine.travel(timezone.now() + timedelta(seconds=30)):
        assert runs.continue_all() == 1
    assert handed == [run.pk]


def test_with_the_queue_away_the_page_says_so_and_goes_on_by_itself(staff_client, company, many, monkeypatch, small):
    from kombu.exceptions import OperationalError

    def away(*args, **kwargs):
        raise OperationalError("the broker is away")

    monkeypatch.setattr("portal.staff.tasks.revoke_by_rule.apply_async", away)
    response = staff_client.post(f"{RULE}?company={company.slug}", {"why": "Leaked", "confirm": "12"})
    assert response.status_code == 302
    run = RevocationRun.objects.get()
    with time_machine.travel(timezone.now() + timedelta(seconds=30)):
        shown = staff_client.get(reverse("staff:run", args=[run.pk])).content.decode()
        assert "The background worker is away" in shown and "Go on here" in shown
        staff_client.post(reverse("staff:run_continue", args=[run.pk]))
    run.refresh_from_db()
    assert (run.state, run.keys_done) == (RunState.DONE, 12)


def test_a_run_is_stopped_and_keeps_what_it_did(staff_client, company, many, actor, idle, small):
    run = runs.start_run(rule=Rule(company=company.pk), reason="Leaked", actor=actor)
    runs.work(run.pk, seconds=-1)
    staff_client.post(reverse("staff:run_stop", args=[run.pk]))
    assert runs.work(run.pk, seconds=60) == RunState.STOPPED
    assert Key.objects.filter(revoked_at=None).count() == 7


def test_progress_is_a_part_of_the_page_for_htmx(staff_client, company, many, actor, idle):
    run = runs.start_run(rule=Rule(company=company.pk), reason="Leaked", actor=actor)
    address = reverse("staff:run", args=[run.pk])
    part = staff_client.get(address, headers={"HX-Request": "true"}).content.decode()
    assert part.lstrip().startswith('<div id="run"') and "every 2s" in part
    assert '<noscript><meta http-equiv="refresh"' in staff_client.get(address).content.decode()
    runs.work(run.pk, seconds=60)
    assert "every 2s" not in staff_client.get(address, headers={"HX-Request": "true"}).content.decode()


def test_a_second_person_approves_what_is_above_the_threshold(staff_client, staff, company, many, settings, idle):
    settings.FOUR_EYES_ABOVE = 10
    staff_client.post(f"{RULE}?company={company.slug}", {"why": "Leaked", "confirm": "12"})
    run = RevocationRun.objects.get()
    assert run.state == RunState.WAITING
    assert runs.work(run.pk, seconds=60) == RunState.WAITING
    approve = reverse("staff:run_approve", args=[run.pk])
    staff_client.post(approve)
    run.refresh_from_db()
    assert run.state == RunState.WAITING, "nobody approves what they asked for"
    second = Client()
    second.force_login(factories.make_staff(role="support"))
    viewer = Client()
    viewer.force_login(factories.make_staff(role="viewer"))
    assert viewer.post(approve).status_code == 403
    assert "12 keys and connections" in second.get(approve).content.decode()
    second.post(approve)
    run.refresh_from_db()
    assert run.state == RunState.RUNNING
    assert runs.work(run.pk, seconds=60) == RunState.DONE
    actions = list(AuditEvent.objects.filter(target_kind="incident").order_by("id").values_list("action", flat=True))
    assert actions[:3] == ["incident:opened", "revocation:requested", "revocation:approved"]


def test_a_waiting_run_is_refused(staff_client, company, many, settings, idle):
    settings.FOUR_EYES_ABOVE = 10
    staff_client.post(f"{RULE}?company={company.slug}", {"why": "Leaked", "confirm": "12"})
    run = RevocationRun.objects.get()
    staff_client.post(reverse("staff:run_refuse", args=[run.pk]))
    assert runs.work(run.pk, seconds=60) == RunState.REFUSED
    assert Key.objects.filter(revoked_at=None).count() == 12


@pytest.mark.slow
def test_ten_thousand_keys_in_bounded_memory_and_time(company, key, actor, idle):
    """On SQLite, with the audit chain and the feed: a few thousand a second."""
    import time
    import tracemalloc

    call_command("fill", companies=3, keys=10_000, verbosity=0)
    big = Key.objects.exclude(company=company).values_list("server_id", flat=True).first()
    expected = Key.objects.usable().filter(server=big).count()
    run = runs.start_run(rule=Rule(server=big), reason="Leaked", actor=actor)
    tracemalloc.start()
    began = time.monotonic()
    runs.work(run.pk, seconds=300)
    took = time.monotonic() - began
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    run.refresh_from_db()
    assert run.state == RunState.DONE and run.keys_done == expected > 5000
    assert peak < 30_000_000, f"{peak / 1e6:.0f} MB"
    assert took < 240, took
    assert not IncidentNotice.objects.exists()
    print(f"{expected} keys in {took:.1f} s, peak {peak / 1e6:.1f} MB, {connection.vendor}")
