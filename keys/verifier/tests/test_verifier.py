"""Verifier and AsyncVerifier against a portal that plays its part over HTTP."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from fake_portal import DATABASE_AWAY, new_token
from latchkey import AsyncVerifier, Verifier

VERIFY, REVOCATIONS, USAGE = "/api/v1/keys/verify", "/api/v1/revocations", "/api/v1/usage"


def warm(verifier, key, until, **question):
    """Ask until the answer comes from memory; how many calls that took."""
    calls, asked_before = 0, verifier.remembered
    while verifier.remembered == asked_before:
        assert verifier.verify(key, **question).valid
        calls += 1
        until(lambda: verifier.is_trusting)
    return calls


async def awarm(verifier, key, auntil):
    while not (verifier.remembered and verifier.is_trusting):
        assert (await verifier.verify(key)).valid
        await auntil(lambda: verifier.is_trusting)


def test_a_good_key_is_valid_and_says_who_it_is(portal, verifier):
    key = portal.make_key(scopes=["tool:ping"])
    verdict = verifier.verify(key, "ping", "192.0.2.7", "claude-code")
    assert verdict.valid
    assert (verdict.code, verdict.status) == ("VALID", 200)
    assert verdict.company.slug == "acme"
    assert verdict.user.email == "ann@example.com"
    assert verdict.scopes == ("tool:ping",)
    asked = portal.asked[0][1]
    assert asked == {"key": key, "tool": "ping", "client_ip": "192.0.2.7", "client": "claude-code"}


async def test_the_async_verifier_says_the_same(portal, averifier):
    key = portal.make_key(scopes=["tool:ping"])
    assert (await averifier.verify(key, "ping")).valid
    refused = await averifier.verify(key, "drop_tables")
    assert (refused.code, refused.status, refused.required_scope) == ("INSUFFICIENT_SCOPE", 403, "tool:drop_tables")
    assert (await averifier.verify(new_token())).code == "NOT_FOUND"


@pytest.mark.parametrize("key", [None, "", "  ", "null", "undefined"])
def test_no_key_is_missing_without_a_call(portal, verifier, key):
    verdict = verifier.verify(key)
    assert (verdict.code, verdict.status, verdict.error) == ("MISSING", 401, "")
    assert portal.asked == []


def test_a_typo_or_another_kind_of_token_is_refused_without_a_call(portal, verifier):
    key = portal.make_key()
    typo = key[:-10] + ("A" if key[-10] != "A" else "B") + key[-9:]
    for text in (typo, key[:-1], key + "x", "hello", "ключ", "\ud800", portal.credential, new_token("mgt")):
        assert verifier.verify(text).code == "MALFORMED"
    assert portal.asked == []


def test_a_warm_key_is_answered_from_memory_and_its_calls_are_reported(portal, verifier, until):
    key = portal.make_key()
    direct = warm(verifier, key, until)
    for _ in range(250):
        assert verifier.verify(key).valid
    assert portal.count(VERIFY) == direct
    until(lambda: portal.counted(key) == 250)


def test_what_was_counted_is_reported_on_close(portal, until):
    verifier = Verifier(portal.url, portal.credential, poll_seconds=0.02, report_seconds=3600)
    key = portal.make_key()
    warm(verifier, key, until)
    for _ in range(7):
        verifier.verify(key)
    verifier.close()
    assert portal.counted(key) == 7


async def test_the_async_verifier_reports_on_close(portal, auntil):
    async with AsyncVerifier(portal.url, portal.credential, poll_seconds=0.02, report_seconds=3600) as verifier:
        key = portal.make_key()
        await awarm(verifier, key, auntil)
        for _ in range(7):
            await verifier.verify(key, client=None)
    assert portal.counted(key) == 7


def test_a_report_without_an_answer_is_sent_again_under_the_same_id(portal, verifier, until):
    key = portal.make_key()
    warm(verifier, key, until)
    portal.broken[USAGE] = (504, {}, None)
    for _ in range(5):
        verifier.verify(key)
    until(lambda: portal.count(USAGE) >= 3)
    assert len({data["id"] for path, data in portal.asked if path == USAGE}) == 1
    del portal.broken[USAGE]
    until(lambda: portal.counted(key) == 5)


def test_calls_are_counted_exactly_over_threads(portal, verifier, until):
    key = portal.make_key()
    warm(verifier, key, until)
    before = portal.count(VERIFY)
    threads = [threading.Thread(target=lambda: [verifier.verify(key) for _ in range(3000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    direct = portal.count(VERIFY) - before
    until(lambda: portal.counted(key) == 12_000 - direct)


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


@pytest.mark.parametrize("tool", ["x" * 129, "line\nbreak", "\ud800"])
def test_a_tool_that_cannot_be_named_needs_all_tools(portal, verifier, tool):
    assert verifier.verify(portal.make_key(scopes=["tool:a"]), tool).code == "INSUFFICIENT_SCOPE"
    assert verifier.verify(portal.make_key(), tool).valid
    assert verifier.verify(new_token(), tool).code == "NOT_FOUND"


def test_an_address_that_is_none_is_not_sent(portal, verifier):
    assert verifier.verify(portal.make_key(), client_ip="testclient").valid
    assert "client_ip" not in portal.asked[0][1]


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


def test_with_the_cache_off_every_question_is_asked_and_no_feed_is_polled(portal):
    with Verifier(portal.url, portal.credential, cache=False) as verifier:
        key = portal.make_key()
        for _ in range(3):
            verifier.verify(key)
    assert [path for path, _ in portal.asked] == [VERIFY] * 3


def test_one_async_verifier_serves_several_event_loops_one_after_the_other(portal):
    verifier = AsyncVerifier(portal.url, portal.credential)
    key = portal.make_key()
    for _ in range(2):
        assert asyncio.run(verifier.verify(key)).valid


def test_a_wrong_address_or_credential_is_refused_at_once_and_not_shown(portal):
    for url in ("portal.example", "ftp://x", "https://user:pw@portal.example", "https://portal.example?x=1"):
        with pytest.raises(ValueError, match="address"):
            Verifier(url, portal.credential)
    for credential in ("", "lk_srv_abc", new_token("test")):
        with pytest.raises(ValueError, match="credential") as raised:
            Verifier(portal.url, credential)
        assert not credential or credential not in str(raised.value)
    assert portal.credential not in repr(AsyncVerifier(portal.url, portal.credential))


def test_nothing_in_memory_holds_the_key_in_clear(portal, verifier, until):
    key = portal.make_key()
    warm(verifier, key, until)
    assert key not in repr(verifier._store._entries)
    assert key not in repr([(e.verdict, e.question) for e in verifier._store._entries.values()])


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_does_not_report_its_parents_calls(portal, until):
    import os

    verifier = Verifier(portal.url, portal.credential, poll_seconds=0.02, report_seconds=3600)
    key = portal.make_key()
    warm(verifier, key, until)
    for _ in range(5):
        verifier.verify(key)
    pid = os.fork()
    if pid == 0:
        good = verifier.remembered == 0 and verifier.verify(key).valid
        verifier.close()
        os._exit(0 if good else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert portal.counted(key) == 0
    verifier.close()
    assert portal.counted(key) == 5
