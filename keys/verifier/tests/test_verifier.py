"""Verifier and AsyncVerifier against a portal that plays its part over HTTP."""

from __future__ import annotations

import asyncio

import pytest
from fake_portal import new_token
from latchkey import AsyncVerifier, Verifier


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


@pytest.mark.parametrize("tool", ["x" * 129, "line\nbreak", "\ud800"])
def test_a_tool_that_cannot_be_named_needs_all_tools(portal, verifier, tool):
    assert verifier.verify(portal.make_key(scopes=["tool:a"]), tool).code == "INSUFFICIENT_SCOPE"
    assert verifier.verify(portal.make_key(), tool).valid
    assert verifier.verify(new_token(), tool).code == "NOT_FOUND"


def test_an_address_that_is_none_is_not_sent(portal, verifier):
    assert verifier.verify(portal.make_key(), client_ip="testclient").valid
    assert "client_ip" not in portal.asked[0][1]


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
