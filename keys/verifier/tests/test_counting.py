"""Calls that a verifier answered itself are reported, once."""

from __future__ import annotations

import threading

import pytest
from latchkey import AsyncVerifier, Verifier
from warming import USAGE, VERIFY, awarm, warm


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
