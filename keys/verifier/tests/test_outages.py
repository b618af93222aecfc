"""A verifier whose portal is away, in trouble, or answers nonsense."""

from __future__ import annotations

import pytest
from fake_portal import DATABASE_AWAY
from latchkey import Verifier
from warming import REVOCATIONS, VERIFY, warm


def test_if_the_portal_is_away_it_fails_closed(portal, until):
    with Verifier(portal.url, portal.credential, poll_seconds=0.02, max_stale=0.1, retries=0) as verifier:
        key = portal.make_key()
        warm(verifier, key, until)
        portal.stop()
        until(lambda: not verifier.is_trusting)
        verdict = verifier.verify(key)
        assert not verdict.valid
        assert (verdict.code, verdict.status) == ("UNAVAILABLE", 503)
        assert verdict.headers() == {"Retry-After": "1"}


def test_while_the_database_is_away_verdicts_within_their_life_go_on(portal, until):
    with Verifier(portal.url, portal.credential, poll_seconds=0.02, max_stale=0.1) as verifier:
        key = portal.make_key()
        warm(verifier, key, until)
        portal.broken[REVOCATIONS] = portal.broken[VERIFY] = DATABASE_AWAY
        polls = portal.count(REVOCATIONS)
        until(lambda: portal.count(REVOCATIONS) > polls + 10)  # 200 ms: twice max_stale
        assert verifier.verify(key).valid
        unknown = verifier.verify(portal.make_key())
        assert (unknown.code, unknown.retry_after) == ("UNAVAILABLE", 2)


def test_another_503_is_no_answer(portal, until):
    with Verifier(portal.url, portal.credential, poll_seconds=0.02, max_stale=0.1) as verifier:
        key = portal.make_key()
        warm(verifier, key, until)
        portal.broken[REVOCATIONS] = (503, {}, {"type": "about:blank"})
        until(lambda: not verifier.is_trusting)


@pytest.mark.parametrize("status", [502, 503, 504])
def test_what_may_pass_is_tried_again(portal, verifier, status):
    answers = iter([(status, {}, None), (status, {}, None)])

    def broken():
        answer = next(answers, None)
        if answer is None:
            portal.broken.clear()
            return (status, {}, None)
        return answer

    portal.broken[VERIFY] = broken
    key = portal.make_key()
    assert verifier.verify(key).code == "UNAVAILABLE"
    assert portal.count(VERIFY) == 3
    assert verifier.verify(key).valid


def test_a_connection_that_is_closed_without_an_answer_is_tried_again(portal, verifier):
    def broken():
        portal.broken.clear()
        return None, {}, None

    portal.broken[VERIFY] = broken
    assert verifier.verify(portal.make_key()).valid


@pytest.mark.parametrize(
    "answer",
    [
        (401, {}, {}), (429, {"Retry-After": "9"}, {}), (500, {}, None), (302, {"Location": "/"}, None),
        (200, {}, None), (200, {}, []), (200, {}, {"valid": True}), (200, {}, {"valid": True, "code": "REVOKED"}),
        (200, {}, {"valid": True, "code": "VALID"}), (200, {}, {"valid": "yes", "code": "VALID", "key_id": "x"}),
        (200, {}, {"valid": True, "code": "VALID", "key_id": "x", "rate_limit": 7}),
    ],
)  # fmt: skip
def test_an_answer_that_is_no_verdict_is_unavailable(portal, verifier, answer):
    portal.broken[VERIFY] = answer
    verdict = verifier.verify(portal.make_key())
    assert (verdict.valid, verdict.code, verdict.status) == (False, "UNAVAILABLE", 503)


def test_the_circuit_opens_after_failures_and_closes_after_one_success(portal):
    now = [0.0]
    with Verifier(portal.url, portal.credential, retries=0, clock=lambda: now[0]) as verifier:
        portal.broken[VERIFY] = (500, {}, None)
        key = portal.make_key()
        for _ in range(20):
            assert verifier.verify(key).code == "UNAVAILABLE"
        assert portal.count(VERIFY) == 5
        now[0] += 1.1
        verifier.verify(key)
        verifier.verify(key)
        assert portal.count(VERIFY) == 6  # one probe, then open again
        portal.broken.clear()
        now[0] += 1.1
        assert verifier.verify(key).valid
        assert verifier.verify(key).valid
