"""What a verifier remembers, how long, and what it forgets."""

from __future__ import annotations

import asyncio
import time

import pytest
from latchkey import Verifier
from warming import REVOCATIONS, VERIFY, awarm, warm


def test_a_revoked_key_is_refused_within_a_second(portal, verifier, until):
    key, other = portal.make_key(), portal.make_key()
    warm(verifier, key, until)
    warm(verifier, other, until)
    portal.revoke(key)
    end = time.monotonic() + 1
    while verifier.verify(key).valid:
        assert time.monotonic() < end
    assert verifier.verify(key).code == "REVOKED"
    assert verifier.remembered == 1  # the other key stays


async def test_a_revoked_key_is_refused_within_a_second_by_the_async_verifier(portal, averifier, auntil):
    key = portal.make_key()
    await awarm(averifier, key, auntil)
    portal.revoke(key)
    end = time.monotonic() + 1
    while (await averifier.verify(key)).valid:
        assert time.monotonic() < end
        await asyncio.sleep(0)


@pytest.mark.parametrize("event", [{"company_id": "acme"}, {"all": True}, {"something_new": 1}])
def test_a_company_all_or_an_event_not_understood_drops_verdicts(portal, verifier, until, event):
    key = portal.make_key()
    warm(verifier, key, until)
    portal.tell(event)
    until(lambda: verifier.remembered == 0)


def test_an_answer_that_was_under_way_when_the_key_was_revoked_is_not_remembered(portal, verifier, until):
    """The portal looked, the key was revoked and the feed told of it, and only then did the answer arrive."""
    key, other = portal.make_key(), portal.make_key()
    warm(verifier, other, until)

    def revoke_and_wait(path):
        portal.before_answer = lambda path: None
        portal.revoke(key)
        seen = portal.count(REVOCATIONS)
        until(lambda: portal.count(REVOCATIONS) >= seen + 3)

    portal.before_answer = revoke_and_wait
    assert verifier.verify(key).valid  # as it was when the portal looked
    assert verifier.verify(key).code == "REVOKED"


def test_nothing_is_remembered_that_was_asked_before_the_feed_was_heard(portal, verifier, until):
    """A revocation between the first verdict and the feed's first cursor would never be told of."""
    key = portal.make_key()
    portal.broken[REVOCATIONS] = (500, {}, None)
    assert verifier.verify(key).valid
    assert verifier.verify(key).valid
    assert verifier.remembered == 0
    portal.revoke(key)
    del portal.broken[REVOCATIONS]
    until(lambda: verifier.is_trusting)
    assert verifier.verify(key).code == "REVOKED"


def test_without_the_feed_memory_is_not_trusted_and_the_portal_is_asked(portal, until):
    with Verifier(portal.url, portal.credential, poll_seconds=0.02, max_stale=0.1) as verifier:
        key = portal.make_key()
        warm(verifier, key, until)
        portal.broken[REVOCATIONS] = (500, {}, None)
        until(lambda: not verifier.is_trusting)
        asked = portal.count(VERIFY)
        assert verifier.verify(key).valid
        assert portal.count(VERIFY) == asked + 1


def test_a_verdict_is_not_used_beyond_its_life(portal, until):
    now = [1000.0]
    # The feed is asked by the same clock, so it stays trusted while the test moves the clock in small steps.
    with Verifier(portal.url, portal.credential, poll_seconds=0.02, clock=lambda: now[0]) as verifier:
        key = portal.make_key()
        warm(verifier, key, until)
        asked = portal.count(VERIFY)
        for _ in range(31 * 2):
            now[0] += 0.5
            until(lambda: verifier.is_trusting)
            if portal.count(VERIFY) == asked:
                verifier.verify(key)
        assert portal.count(VERIFY) == asked + 1


def test_a_verdict_is_not_used_beyond_the_keys_expiry(portal, verifier, until):
    key = portal.make_key(expires_in=0.5)
    warm(verifier, key, until)
    portal.keys[key]["revoked"] = True  # no event: only the life ends it
    end = time.monotonic() + 2
    while verifier.verify(key).valid:
        assert time.monotonic() < end


def test_when_the_limit_is_used_up_the_portal_is_asked(portal, verifier, until):
    key = portal.make_key(remaining=10)
    direct = warm(verifier, key, until)
    left = 10 - direct
    for _ in range(left):
        assert verifier.verify(key).valid
    assert portal.count(VERIFY) == direct
    portal.keys[key]["remaining"] = 0
    verdict = verifier.verify(key)
    assert (verdict.code, verdict.status, verdict.headers()) == ("RATE_LIMITED", 429, {"Retry-After": "7"})


def test_the_limit_is_shared_by_all_questions_about_a_key(portal, until):
    with Verifier(portal.url, portal.credential, poll_seconds=0.02, report_seconds=3600) as verifier:
        key = portal.make_key(remaining=20)
        warm(verifier, key, until, tool="a")
        verifier.verify(key, "b")
        left = portal.keys[key]["remaining"]
        asked = portal.count(VERIFY)
        while portal.count(VERIFY) == asked:
            verifier.verify(key, "a")
            verifier.verify(key, "b")
            left -= 2
            assert left >= -2


def test_memory_is_bounded(portal, until):
    with Verifier(portal.url, portal.credential, poll_seconds=0.02, cache_size=5) as verifier:
        warm(verifier, portal.make_key(), until)
        for _ in range(12):
            verifier.verify(portal.make_key())
        assert verifier.remembered == 5


def test_a_verdict_for_one_tool_or_address_is_none_for_another(portal, verifier, until):
    key = portal.make_key(scopes=["tool:a"])
    warm(verifier, key, until, tool="a", client_ip="192.0.2.1")
    assert verifier.verify(key, "b", "192.0.2.1").code == "INSUFFICIENT_SCOPE"
    assert verifier.verify(key, "None").code == "INSUFFICIENT_SCOPE"
    asked = portal.count(VERIFY)
    verifier.verify(key, "a", "192.0.2.2")
    assert portal.count(VERIFY) == asked + 1


def test_with_the_cache_off_every_question_is_asked_and_no_feed_is_polled(portal):
    with Verifier(portal.url, portal.credential, cache=False) as verifier:
        key = portal.make_key()
        for _ in range(3):
            verifier.verify(key)
    assert [path for path, _ in portal.asked] == [VERIFY] * 3


def test_nothing_in_memory_holds_the_key_in_clear(portal, verifier, until):
    key = portal.make_key()
    warm(verifier, key, until)
    assert key not in repr(verifier._store._entries)
    assert key not in repr([(e.verdict, e.question) for e in verifier._store._entries.values()])
