"""The token format: what is generated parses, and nothing else does."""

import hmac
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import tokens
from portal.ids import ALPHABET

PEPPERS = {"new": b"n" * 32, "old": b"o" * 32}


@pytest.mark.parametrize("kind", tokens.Kind)
def test_what_is_generated_parses(kind):
    token = tokens.generate(kind)
    assert tokens.parse(token.text) == token
    assert token.text.startswith(f"lk_{kind}_{token.id}_")
    assert len(token.id) == 12
    assert len(token.text) == len(f"lk_{kind}__") + 12 + 32 + 6


def test_no_two_tokens_are_alike():
    made = [tokens.generate(tokens.Kind.LIVE) for _ in range(500)]
    assert len({token.text for token in made}) == len({token.id for token in made}) == 500


def test_a_secret_has_at_least_190_bits():
    assert tokens.SECRET_LENGTH * 5.954 >= 190
    assert set(ALPHABET) == set(string.ascii_letters + string.digits)


@given(st.text(max_size=120))
def test_no_other_text_parses(text):
    with pytest.raises(tokens.MalformedToken):
        tokens.parse(text)


def test_the_error_does_not_repeat_what_was_sent():
    with pytest.raises(tokens.MalformedToken) as error:
        tokens.parse("lk_live_nearly-a-secret")
    assert "nearly" not in str(error.value)


@given(st.data())
def test_a_typo_of_one_character_is_refused(data):
    text = tokens.generate(tokens.Kind.TEST).text
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from([c for c in ALPHABET + "_- " if c != text[place]]))
    with pytest.raises(tokens.MalformedToken):
        tokens.parse(text[:place] + other + text[place + 1 :])


@pytest.mark.parametrize("around", ["{}\n", " {}", "{} ", "Bearer {}", "{}a"])
def test_what_stands_around_a_token_is_not_ignored(around):
    with pytest.raises(tokens.MalformedToken):
        tokens.parse(around.format(tokens.generate(tokens.Kind.LIVE).text))


def test_a_digest_matches_its_token_under_any_known_pepper():
    text = tokens.generate(tokens.Kind.LIVE).text
    for name, pepper in PEPPERS.items():
        stored = tokens.digest(text, pepper)
        assert len(stored) == 32
        assert tokens.matches(text, stored, name, PEPPERS)
        assert not tokens.matches(text[:-1] + "!", stored, name, PEPPERS)
    assert not tokens.matches(text, tokens.digest(text, b"n" * 32), "old", PEPPERS)


@given(st.binary(max_size=200), st.text(st.characters(max_codepoint=127), max_size=90))
def test_a_digest_is_the_hmac_of_the_standard_library(pepper, text):
    assert tokens.digest(text, pepper) == hmac.digest(pepper, text.encode(), "sha256")


def test_a_pepper_that_is_gone_matches_nothing():
    text = tokens.generate(tokens.Kind.LIVE).text
    assert not tokens.matches(text, tokens.digest(text, bytes(32)), "gone", PEPPERS)


def test_neither_repr_nor_hint_shows_the_secret():
    token = tokens.generate(tokens.Kind.LIVE)
    secret = token.text.split("_")[3][:32]
    assert secret not in repr(token)
    assert secret not in tokens.hint(token)
    assert tokens.hint(token) == f"lk_live_{token.id}_…{token.text[-4:]}"


def test_the_published_checksum_example_holds():
    assert tokens.checksum("lk_test_000000000000_" + "A" * 32) == "0BW9af"
