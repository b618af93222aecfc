"""The portal that the verifier's tests talk to, and waiting without guessing how long."""

from __future__ import annotations

import asyncio
import time

import pytest
from fake_portal import FakePortal
from latchkey import AsyncVerifier, Verifier


@pytest.fixture
def portal():
    fake = FakePortal()
    yield fake
    fake.stop()


@pytest.fixture
def verifier(portal):
    with Verifier(portal.url, portal.credential, poll_seconds=0.02, report_seconds=0.05) as made:
        yield made


@pytest.fixture
async def averifier(portal):
    async with AsyncVerifier(portal.url, portal.credential, poll_seconds=0.02, report_seconds=0.05) as made:
        yield made


@pytest.fixture
def until():
    """Waits for a condition, at most 5 seconds."""

    def wait(condition):
        end = time.monotonic() + 5
        while not condition():
            assert time.monotonic() < end, "the condition did not come true"
            time.sleep(0.002)

    return wait


@pytest.fixture
def auntil():
    """The same for asyncio."""

    async def wait(condition):
        end = time.monotonic() + 5
        while not condition():
            assert time.monotonic() < end, "the condition did not come true"
            await asyncio.sleep(0.002)

    return wait
