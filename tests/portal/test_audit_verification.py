"""Chains are verified daily, in slices; tampering is kept, shown and told. Erased, they still hold."""

from __future__ import annotations

import time
from datetime import timedelta
from io import StringIO

import pytest
import time_machine
from django.core import mail
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction
from django.test import Client
from django.utils import timezone

from keys.models import Key
from portal import tasks
from portal.accounts.erasure import CompaniesWithoutOwner, erase_user
from portal.accounts.models import User
from portal.audit import erasure, verifying
from portal.audit.actors import SYSTEM, Actor
from portal.audit.models import AuditChain, AuditEvent
from portal.audit.services import Target, record, verify_chain
from portal.billing.models import CardConfirmation
from portal.companies.models import Company, CompanyState, Membership
from tests import factories
from tests.portal.test_audit import add, drop_triggers

pytestmark = pytest.mark.django_db


def tamper(company, number=2):
    drop_triggers()
    AuditEvent.objects.filter(chain=company.pk, number=number).update(reason="harmless")


def verify(*chains):
    out, err = StringIO(), StringIO()
    code = 0
    try:
        call_command("verify_audit", *chains, stdout=out, stderr=err)
    except SystemExit as error:
        code = error.code
    return code, out.getvalue(), err.getvalue()


def test_the_command_verifies_every_chain_or_one(company, other_company):
    add(company, 3)
    add(other_company, 2)
    add(None, 1)
    code, out, _err = verify()
    assert code == 0
    assert "3 chains hold, 0 do not; 6 events were verified." in out
    assert verify(company.pk)[1].startswith(f"{company.pk}: 3 events hold")
    assert AuditChain.objects.get(pk=company.pk).verified_number == 3


def test_the_command_ends_with_one_and_names_what_is_wrong(company):
    add(company, 3)
    tamper(company)
    code, out, err = verify()
    assert code == 1
    assert f"{company.pk}: 1 events hold; then event 2 was changed" in err
    assert "0 chains hold, 1 do not" in out


def test_a_chain_that_is_not_there_is_an_error(company):
    with pytest.raises(CommandError, match="no chain nobody"):
        call_command("verify_audit", "nobody")


def test_every_chain_is_walked_once_a_day(company, other_company):
    add(company, 3)
    add(other_company)
    assert verifying.verify_due() == 2
    assert verifying.verify_due() == 0
    with time_machine.travel(timezone.now() + timedelta(hours=21)):
        assert verifying.verify_due() == 2


def test_a_long_chain_is_walked_in_slices_and_taken_up_where_it_was(company, monkeypatch):
    add(company, 7)
    monkeypatch.setattr(verifying, "SLICE", 3)
    steps = []
    while True:
        chain = AuditChain.objects.get(pk=company.pk)
        ended = verifying.verify_slice(chain, timezone.now())
        chain.refresh_from_db()
        steps.append((chain.walked_number, ended))
        if ended:
            break
        add(company)  # it grows meanwhile
    assert steps == [(3, False), (6, False), (0, True)]
    assert (chain.verified_number, chain.fault) == (9, "")


def test_a_fault_beyond_the_first_slice_is_found(company, monkeypatch):
    add(company, 7)
    tamper(company, 5)
    monkeypatch.setattr(verifying, "SLICE", 3)
    verifying.verify_due()
    chain = AuditChain.objects.get(pk=company.pk)
    assert (chain.fault, chain.verified_number) == ("event 5 was changed", 4)


def test_a_run_out_of_time_leaves_the_rest_to_the_next(company, other_company):
    add(company)
    add(other_company)
    assert verifying.verify_due(budget=0) == 0
    assert verifying.verify_due() == 2


def test_tampering_is_told_to_staff_once_recorded_and_shown(company, staff, owner_client, client):
    add(company, 3)
    tamper(company)
    tasks.heartbeat()
    verifying.verify_due()
    assert [message.to for message in mail.outbox] == [[staff.email]]
    assert "event 2 was changed" in mail.outbox[0].body
    event = AuditEvent.objects.get(action="audit:fault_found")
    assert (event.chain, event.target_id, event.reason) == ("platform", company.pk, "event 2 was changed")
    body = client.get("/healthz/").json()
    assert (body["status"], body["components"]["audit"]) == ("degraded", "tampered")
    page = owner_client.get(f"/c/{company.slug}/audit/").content.decode()
    assert "event 2 was changed" in page
    with time_machine.travel(timezone.now() + timedelta(hours=21)):
        verifying.verify_due()
    assert len(mail.outbox) == 1


def test_a_chain_that_is_whole_again_is_well(company, client):
    add(company, 3)
    AuditChain.objects.filter(pk=company.pk).update(fault="event 2 was changed", fault_at=timezone.now())
    verify(company.pk)
    assert AuditChain.objects.get(pk=company.pk).fault == ""
    assert client.get("/healthz/").json()["components"]["audit"] == "ok"


def test_the_page_tells_of_the_daily_walk_even_of_a_long_chain(company, owner_client, monkeypatch):
    from portal.audit import verification

    add(company, 3)
    monkeypatch.setattr(verification, "INLINE", 1)
    address = f"/c/{company.slug}/audit/"
    assert "Not checked yet" in owner_client.get(address).content.decode()
    verifying.verify_due()
    assert "3 events hold" in owner_client.get(address).content.decode()


def test_events_behind_the_noted_end_are_found(company):
    add(company, 3)
    first = AuditEvent.objects.get(chain=company.pk, number=1)
    AuditChain.objects.filter(pk=company.pk).update(length=1, head=first.hash)
    assert verify_chain(company.pk).fault == "its end was not noted"


@pytest.mark.slow
def test_verifying_many_small_chains_is_quick(db):
    with transaction.atomic():
        for number in range(300):
            record("key:revoked", actor=SYSTEM, company=f"chain{number:07}", target=Target("key", "k", "K"))
    began = time.perf_counter()
    assert verifying.verify_due() == 300
    assert time.perf_counter() - began < 10  # some 3 ms each: a hundred thousand within a day of 60-second runs


# --- Erasure


def by(person, company, **fields):
    actor = Actor("user", person.pk, f"{person.name} <{person.email}>", "203.0.113.9", "Browser")
    with transaction.atomic():
        return record("key:created", actor=actor, company=company, target=Target("key", "k", "CI"), **fields)


def names_in_record():
    return str(list(AuditEvent.objects.values_list("actor_label", "target_label", "ip", "user_agent")))


def test_a_person_is_erased_and_every_chain_still_verifies(company, owner, colleague, key):
    factories.make_key(company, key.server, colleague, name="Nightly report")
    CardConfirmation.objects.create(
        company=company, gateway="dummy", gateway_token="t", brand="visa", last_four="4242", expiry_month=1,
        expiry_year=2030, cardholder="Colin Colleague", confirmed_by=colleague,
    )  # fmt: skip
    by(colleague, company)
    with transaction.atomic():
        target = Target("user", colleague.pk, f"{colleague.name} <{colleague.email}>")
        record("member:added", actor=Actor.user(owner), company=company, target=target, data={"role": "developer"})
    by(owner, company)
    erase_user(user=colleague, actor=SYSTEM)
    for trace in ("Colin", "colleague@example.com"):
        assert trace not in names_in_record()
        assert trace not in str(list(User.objects.values()))
        assert trace not in str(list(CardConfirmation.objects.values()))
    assert owner.name in names_in_record()
    assert all(verify_chain(name).intact for name in AuditChain.objects.values_list("name", flat=True))
    assert not Membership.objects.filter(user=colleague).exists()
    assert {one.state for one in Key.objects.filter(user=colleague)} == {"revoked"}
    assert not colleague.emailaddress_set.exists()
    assert AuditEvent.objects.get(action="account:erased").target_id == colleague.pk


def test_the_triggers_allow_erasure_and_nothing_else(company, owner):
    by(owner, company)
    mine = AuditEvent.objects.filter(chain=company.pk, number=1)
    for change in (
        {"actor_label": ""},  # half an erasure
        erasure.BLANK | {"actor_label": "Mallory"},
        erasure.BLANK | {"ip": "192.0.2.1"},
        erasure.BLANK | {"reason": "harmless"},
        erasure.BLANK | {"actor_id": "x"},
        erasure.BLANK | {"personal_digest": "0" * 64},
        erasure.BLANK | {"hash": "0" * 64},
        {"personal_salt": ""},
    ):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            mine.update(**change)
    assert mine.update(**erasure.BLANK) == 1
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        mine.update(actor_label="Ada again")


def test_names_that_were_written_into_an_erased_event_are_found(company, owner):
    by(owner, company)
    erasure.erase_person(owner.pk)
    drop_triggers()
    AuditEvent.objects.filter(chain=company.pk, number=1).update(actor_label="Mallory")
    assert verify_chain(company.pk).fault == "event 1 was changed"


def test_the_only_owner_of_a_company_with_others_is_held(company, owner):
    with pytest.raises(CompaniesWithoutOwner, match="Acme"):
        erase_user(user=owner, actor=SYSTEM)
    owner.refresh_from_db()
    assert owner.is_active


def test_a_company_without_anybody_else_is_closed(other_company, stranger):
    erase_user(user=stranger, actor=SYSTEM)
    assert Company.objects.get(pk=other_company.pk).state == CompanyState.CLOSED


def test_a_person_deletes_their_own_account(colleague_client, colleague, company):
    assert "You leave Acme" in colleague_client.get("/account/delete/").content.decode()
    assert "not the address" in colleague_client.post("/account/delete/", {"confirm": "x@example.com"}).content.decode()
    response = colleague_client.post("/account/delete/", {"confirm": "Colleague@example.com"})
    assert response.status_code == 302
    colleague.refresh_from_db()
    assert not colleague.is_active
    assert colleague_client.get("/account/").status_code == 302
    again = Client().post("/accounts/login/", {"login": "colleague@example.com", "password": factories.PASSWORD})
    assert "_auth_user_id" not in again.client.session


def test_deleting_an_account_asks_for_a_recent_sign_in(colleague_client):
    with time_machine.travel(timezone.now() + timedelta(minutes=11)):
        assert "/reauthenticate/" in colleague_client.get("/account/delete/")["Location"]


def test_the_command_tells_first_and_erases_only_when_told(company, colleague):
    out = StringIO()
    call_command("erase_user", "colleague@example.com", stdout=out)
    assert "leaves Acme" in out.getvalue()
    assert "Nothing was done" in out.getvalue()
    call_command("erase_user", "colleague@example.com", "--yes", stdout=out)
    assert not User.objects.filter(email="colleague@example.com").exists()
    with pytest.raises(CommandError, match="no account"):
        call_command("erase_user", "colleague@example.com")
    call_command("erase_user", colleague.pk, stdout=out)
    assert "erased already" in out.getvalue()


def test_what_is_old_is_blanked_if_the_settings_say_so(settings, company, owner):
    with time_machine.travel(timezone.now() - timedelta(days=40)):
        by(owner, company)
    by(owner, company)
    assert erasure.erase_old() == 0
    settings.AUDIT_PERSONAL_KEPT_DAYS = 30
    assert (erasure.erase_old(), erasure.erase_old()) == (1, 0)
    cache.clear()
    assert erasure.erase_old() == 0
    labels = dict(AuditEvent.objects.filter(chain=company.pk).values_list("number", "actor_label"))
    assert labels[1] == ""
    assert owner.name in labels[2]
    assert verify_chain(company.pk).intact
