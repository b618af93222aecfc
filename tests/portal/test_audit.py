"""The record: it is chained, append-only, and written in the transaction of its act."""

from __future__ import annotations

import threading

import pytest
from django.db import DatabaseError, connection, connections, transaction

from portal.audit.actors import SYSTEM, Actor
from portal.audit.models import AuditEvent
from portal.audit.services import PLATFORM, Target, record, record_many, verify_chain
from tests import factories


def add(chain: object, number: int = 1, **fields: object) -> list[AuditEvent]:
    with transaction.atomic():
        return [
            record("key:revoked", actor=SYSTEM, company=chain, target=Target("key", f"k{n}", f"Key {n}"), **fields)
            for n in range(number)
        ]


def drop_triggers() -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("DROP TRIGGER audit_no_update")
            cursor.execute("DROP TRIGGER audit_no_delete")
        else:
            cursor.execute("DROP TRIGGER audit_append_only ON audit_auditevent")


@pytest.mark.django_db
def test_each_event_is_chained_to_the_one_before(company):
    first, second = add(company, 2)
    assert (first.number, second.number) == (1, 2)
    assert first.previous_hash == "0" * 64
    assert second.previous_hash == first.hash
    report = verify_chain(company.pk)
    assert (report.verified, report.intact) == (2, True)


@pytest.mark.django_db
def test_every_company_has_a_chain_of_its_own_and_the_platform_too(company, other_company):
    add(company, 2)
    add(other_company)
    add(None)
    assert verify_chain(company.pk).verified == 2
    assert verify_chain(other_company.pk).verified == 1
    assert AuditEvent.objects.filter(chain=PLATFORM, number=1).exists()


@pytest.mark.django_db
def test_many_events_are_added_at_once_in_order(company):
    items = [(Target("key", str(n)), {"n": n}) for n in range(1200)]
    with transaction.atomic():
        record_many(items, "key:revoked", actor=SYSTEM, company=company, incident_id="incident")
    assert verify_chain(company.pk).verified == 1200
    assert list(AuditEvent.objects.filter(chain=company.pk).order_by("number").values_list("target_id", flat=True)) == [
        str(n) for n in range(1200)
    ]


@pytest.mark.django_db(transaction=True)
def test_an_event_outside_a_transaction_is_refused(transactional_db):
    with pytest.raises(RuntimeError, match="transaction of its act"):
        record("key:revoked", actor=SYSTEM, company=None, target=Target("key"))
    assert not AuditEvent.objects.exists()


@pytest.mark.django_db
def test_the_database_refuses_to_change_an_event(company):
    add(company)
    for change in ({"reason": "another"}, {"action": "key:created"}, {"actor_label": "Somebody else"}):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            AuditEvent.objects.filter(chain=company.pk).update(**change)
    assert verify_chain(company.pk).intact


@pytest.mark.django_db
def test_the_database_refuses_to_delete_an_event(company):
    add(company)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        AuditEvent.objects.all().delete()
    assert AuditEvent.objects.filter(chain=company.pk).count() == 1


@pytest.mark.django_db
def test_personal_data_can_be_erased_and_the_chain_still_verifies(company, owner):
    with transaction.atomic():
        actor = Actor("user", owner.pk, "Ada <ada@example.com>", "203.0.113.9", "Browser")
        record("key:created", actor=actor, company=company, target=Target("key", "k", "CI"))
    blank = {"personal_salt": "", "actor_label": "", "target_label": "", "ip": None, "user_agent": ""}
    AuditEvent.objects.filter(chain=company.pk).update(**blank)
    assert verify_chain(company.pk).intact


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [{"reason": "harmless"}, {"actor_id": "x"}, {"data": {"a": 1}}, {"actor_label": "Mallory"}, {"ip": "192.0.2.1"}],
)
def test_a_changed_event_is_found(company, change):
    add(company, 3)
    drop_triggers()
    AuditEvent.objects.filter(chain=company.pk, number=2).update(**change)
    report = verify_chain(company.pk)
    assert not report.intact
    assert (report.verified, report.fault) == (1, "event 2 was changed")


@pytest.mark.django_db
def test_a_removed_event_is_found(company):
    add(company, 3)
    drop_triggers()
    AuditEvent.objects.filter(chain=company.pk, number=2).delete()
    assert verify_chain(company.pk).fault == "event 2 is missing"


@pytest.mark.django_db
def test_a_removed_last_event_is_found(company):
    add(company, 3)
    drop_triggers()
    AuditEvent.objects.filter(chain=company.pk, number=3).delete()
    assert verify_chain(company.pk).fault == "events after 2 are missing"


@pytest.mark.django_db
def test_a_token_in_a_reason_loses_its_secret(company, key_token):
    event = add(company, reason=f"found {key_token} in a repository")[0]
    assert key_token not in event.reason
    assert "lk_test_" in event.reason


@pytest.mark.django_db(transaction=True)
def test_events_recorded_at_the_same_moment_all_find_their_place(transactional_db):
    company = factories.make_company("Busy")
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(10):
                add(company)
        except BaseException as error:  # noqa: BLE001
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    report = verify_chain(company.pk)
    assert (report.verified, report.fault) == (40, "")
