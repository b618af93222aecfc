"""What is known of a token without asking anyone."""

from __future__ import annotations

import contextlib
import string

from fake_portal import new_token
from hypothesis import given
from hypothesis import strategies as st
from latchkey.credentials import client_name, find_key, is_key_in_url
from latchkey.jsonrpc import Unreadable, called_tools, messages, read
from latchkey.tokens import ALPHABET, has_token, is_key, kind_of
from latchkey.verdicts import Verdict, from_json

PLACES = st.integers(0, len(new_token()) - 1)


@given(PLACES, st.sampled_from(ALPHABET + "_-é \n"))
def test_one_wrong_character_is_always_noticed(place, letter):
    key = new_token()
    wrong = key[:place] + letter + key[place + 1 :]
    assert is_key(wrong) == (wrong == key)


@given(st.integers(0, len(new_token()) - 2))
def test_two_neighbours_swapped_are_noticed(place):
    key = new_token()
    wrong = key[:place] + key[place + 1] + key[place] + key[place + 2 :]
    assert is_key(wrong) == (wrong == key)


@given(st.text())
def test_any_text_can_be_looked_at(text):
    assert kind_of(text) is None
    assert not has_token(text)
    assert find_key({"x-api-key": text}.get) in {"", text.strip()}
    client_name(text)


@given(st.binary())
def test_any_body_can_be_read_or_is_refused(body):
    with contextlib.suppress(Unreadable):
        called_tools(messages(read(body)))


MEMBERS = st.sampled_from(
    ["valid", "code", "key_id", "company", "scopes", "rate_limit", "limit", "remaining", "cache_seconds", "expires_at"]
)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.floats() | st.just("VALID"),
        lambda inner: st.lists(inner) | st.dictionaries(MEMBERS, inner),
    )
)
def test_any_json_is_a_verdict_or_a_value_error(data):
    try:
        verdict = from_json(data)
    except ValueError:
        return
    assert verdict.valid == (verdict.code == "VALID")


@given(st.text())
def test_no_message_can_break_out_of_the_challenge(text):
    challenge = Verdict(valid=False, code="INSUFFICIENT_SCOPE", message=text, required_scope=text).challenge()
    inner = challenge.removeprefix("Bearer ")
    assert inner.count('"') % 2 == 0
    assert all(" " <= letter <= "~" for letter in challenge)
    assert [part.split("=")[0] for part in inner.split('", ')][:1] == ["error"]


def test_kinds():
    assert [kind_of(new_token(kind)) for kind in ("live", "test", "srv", "mgt")] == ["live", "test", "srv", "mgt"]
    assert [is_key(new_token(kind)) for kind in ("live", "test", "srv", "mgt")] == [True, True, False, False]
    assert kind_of(new_token("live").replace("lk_live", "lk_prod")) is None


def test_a_token_in_a_url_is_found_even_with_a_wrong_check():
    key = new_token()
    assert is_key_in_url(f"/mcp?k={key}")
    assert is_key_in_url(f"/mcp?k={key[:-1]}0")
    assert is_key_in_url("/mcp?k=" + "".join(f"%{ord(letter):02x}" for letter in key))
    assert not is_key_in_url("/mcp?k=lk_test_" + string.ascii_letters[:10])


def test_the_clients_name_is_its_first_product():
    assert client_name("claude-code/2.1.330 (external, cli)") == "claude-code"
    assert client_name("") is client_name(None) is None
