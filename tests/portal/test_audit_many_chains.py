"""One act over the records of many companies: few queries, every chain whole."""

from __future__ import annotations

import pytest
from django.db import transaction

from keys.models import Key
from keys.services import revoke_keys
from portal.audit.actors import SYSTEM
from portal.audit.models import AuditChain, AuditEvent
from portal.audit.services import Target, record_over, verify_chain
from tests import factories

pytestmark = pytest.mark.django_db
NAMES = [f"CHAIN{number:07d}" for number in range(40)]


def add(names: list[str]) -> list[AuditEvent]:
    with transaction.atomic():
        return record_over([(name, Target("key", name), {}) for name in names], "key:revoked", actor=SYSTEM)


def test_events_come_back_in_their_order_and_every_chain_verifies():
    mixed = [NAMES[3], NAMES[0], NAMES[3], NAMES[1]]
    add(NAMES[:2])
    events = add(mixed)
    assert [event.chain for event in events] == mixed
    assert [event.number for event in events] == [1, 2, 2, 2]
    assert {name: verify_chain(name).verified for name in mixed} == {NAMES[3]: 2, NAMES[0]: 2, NAMES[1]: 2}
    assert all(verify_chain(name).intact for name in mixed)


def test_how_many_companies_does_not_matter(django_assert_max_num_queries):
    add(NAMES[:20])  # some of the chains are there, others not
    with django_assert_max_num_queries(7):  # two of them the savepoint of a transaction within the test's
        add(NAMES)
    assert AuditChain.objects.filter(name__in=NAMES).count() == 40
    assert AuditEvent.objects.filter(chain__in=NAMES).count() == 60


def test_what_verifying_found_stays_with_the_chain():
    add(NAMES[:1])
    AuditChain.objects.filter(name=NAMES[0]).update(fault="event 1 was changed", verified_number=1)
    add(NAMES[:1])
    chain = AuditChain.objects.get(name=NAMES[0])
    assert (chain.length, chain.fault, chain.verified_number) == (2, "event 1 was changed", 1)


def test_an_event_outside_a_transaction_is_refused_here_too(transactional_db):
    with pytest.raises(RuntimeError):
        record_over([(NAMES[0], Target("key"), {})], "key:revoked", actor=SYSTEM)


def test_revoking_keys_of_many_companies_costs_no_query_more(server, django_assert_max_num_queries):
    keys = []
    for _ in range(12):
        user = factories.make_user()
        company = factories.make_company(f"Company {user.pk}", owner=user)
        keys.append(factories.make_key(company, server, user)[0].pk)
    with django_assert_max_num_queries(16):
        assert revoke_keys(key_ids=keys, reason="Leaked", actor=SYSTEM) == 12
    assert Key.objects.filter(pk__in=keys, revoked_at__isnull=False).count() == 12
    events = AuditEvent.objects.filter(action="key:revoked", target_id__in=keys)
    assert events.values("chain").distinct().count() == 12
