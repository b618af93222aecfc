"""What two people do to one key at the same moment."""

import json
from datetime import timedelta

import pytest
from django.test import Client

from keys import errors, feed, services
from keys.models import CredentialState, FeedEvent, Key
from portal.audit.actors import SYSTEM
from portal.audit.models import AuditEvent
from portal.audit.services import verify_chain
from tests import factories
from tests.races import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def test_of_two_rotations_at_once_one_wins(key, company):
    results = at_once(*[lambda: services.rotate_key(key=key, overlap=timedelta(hours=1), actor=SYSTEM)] * 4)
    refused = [result for result in results if isinstance(result, errors.AlreadyRotated)]
    assert len(refused) == 3, results
    assert Key.objects.count() == 2
    assert AuditEvent.objects.filter(action="key:rotated").count() == 1
    assert verify_chain(company.pk).intact


def test_a_rotation_and_a_revocation_at_once_leave_no_forgotten_value(key, company):
    results = at_once(
        lambda: services.rotate_key(key=key, overlap=timedelta(hours=1), actor=SYSTEM),
        lambda: services.revoke_key(key=key, reason="leaked", actor=SYSTEM),
    )
    key.refresh_from_db()
    assert key.state == CredentialState.REVOKED
    rotated = not isinstance(results[0], Exception)
    assert rotated or isinstance(results[0], errors.NotUsable), results
    # A rotation that came first leaves a new value: listed, active, and in the audit record.
    assert Key.objects.filter(revoked_at=None).count() == int(rotated)
    assert verify_chain(company.pk).intact


def test_revocations_at_once_are_each_one_event_and_one_feed_number(company, server, owner):
    keys = [factories.make_key(company, server, owner)[0] for _ in range(6)]
    before = int(feed.read(server.pk, None).cursor)
    results = at_once(*[lambda key=key: services.revoke_key(key=key, reason="x", actor=SYSTEM) for key in keys])
    assert not [result for result in results if isinstance(result, Exception)], results
    numbers = list(FeedEvent.objects.order_by("number").values_list("number", flat=True))
    assert numbers == list(range(before + 1, before + 7))
    assert verify_chain(company.pk).verified == 12


def test_no_verification_that_starts_after_a_revocation_returned_is_accepted(company, server, owner, server_token):
    keys = [factories.make_key(company, server, owner) for _ in range(8)]
    wrong = []

    def verify(token):
        return Client().post(
            "/api/v1/keys/verify", json.dumps({"key": token.text}), content_type="application/json",
            headers={"Authorization": f"Bearer {server_token}"},
        ).json()["code"]  # fmt: skip

    def revoke_and_ask(key, token):
        services.revoke_key(key=key, reason="x", actor=SYSTEM)
        if (code := verify(token)) != "REVOKED":
            wrong.append(code)

    results = at_once(*[lambda key=key, token=token: revoke_and_ask(key, token) for key, token in keys])
    assert results == [None] * 8
    assert not wrong
