"""Asking a verifier until it answers from memory, and what it asks the portal."""

from __future__ import annotations

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
