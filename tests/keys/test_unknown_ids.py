"""Floods of made-up keys are refused before the database, and lock nobody out (S18, S37)."""

from __future__ import annotations

from unittest import mock

import pytest

from keys import batch, records, tokens, unknown_ids, verification
from keys.batch import verify_many
from keys.verification import Question, verify
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _clean():
    unknown_ids.unknown_ids.clear()
    yield
    unknown_ids.unknown_ids.clear()


@pytest.fixture
def flood(server_token, monkeypatch):
    monkeypatch.setattr(unknown_ids, "PER_MINUTE", 5)
    monkeypatch.setattr(unknown_ids, "PER_MINUTE_UNADDRESSED", 10)

    def flood(count, address="203.0.113.9"):
        made = [tokens.generate(tokens.Kind.TEST).text for _ in range(count)]
        return [verify(server_token, Question(text, client_ip=address)) for text in made]

    return flood


def test_a_flood_is_refused_without_a_query(flood):
    assert [verdict["code"] for verdict in flood(5)] == ["NOT_FOUND"] * 5
    with mock.patch.object(verification, "fetch", side_effect=records.fetch) as fetch:
        refused = flood(3)
    assert fetch.call_count == 0
    assert [verdict["code"] for verdict in refused] == ["RATE_LIMITED"] * 3
    assert all(0 < verdict["retry_after"] <= 13 for verdict in refused)


def test_keys_in_use_go_on_from_the_same_address(flood, server_token, key_token):
    question = Question(key_token, client_ip="203.0.113.9")
    assert verify(server_token, question)["valid"]
    flood(20)
    assert verify(server_token, question)["valid"]


def test_other_addresses_and_servers_are_not_slowed(flood, server, server_token, key_token):
    flood(20)
    assert verify(server_token, Question(key_token, client_ip="203.0.113.10"))["valid"]
    unknown_ids.unknown_ids._known.clear()
    _, other = factories.make_credential(server)
    assert verify(other.text, Question(key_token, client_ip="203.0.113.9"))["valid"]


def test_nobody_without_the_credential_can_bring_it_about(flood, server_token, key_token):
    body = server_token[:20] + "0" * 32
    for _ in range(20):
        with pytest.raises(verification.NotAuthenticated):
            verify(body + tokens.checksum(body), Question(key_token, client_ip="203.0.113.9"))
    assert verify(server_token, Question(key_token, client_ip="203.0.113.9"))["valid"]


def test_a_forged_credential_learns_nothing_during_a_flood(flood, server_token):
    """S16."""
    flood(20)
    body = server_token[:20] + "0" * 32
    with pytest.raises(verification.NotAuthenticated):
        verify(
            body + tokens.checksum(body),
            Question(tokens.generate(tokens.Kind.TEST).text, client_ip="203.0.113.9"),
        )


def test_clients_without_an_address_share_a_larger_allowance(flood):
    assert {verdict["code"] for verdict in flood(10, address=None)} == {"NOT_FOUND"}
    assert {verdict["code"] for verdict in flood(2, address=None)} == {"RATE_LIMITED"}


def test_a_flood_in_batches_is_refused_too(flood, server_token, key_token):
    server = verification.authenticate(server_token)
    verify(server_token, Question(key_token, client_ip="203.0.113.9"))
    made = [Question(tokens.generate(tokens.Kind.TEST).text, client_ip="203.0.113.9") for _ in range(20)]
    verify_many(server, server_token, made)
    with mock.patch.object(batch, "fetch_keys", side_effect=records.fetch_keys) as fetch:
        verdicts = verify_many(server, server_token, [*made, Question(key_token, client_ip="203.0.113.9")])
    assert len(fetch.call_args.args[0]) == 1
    assert {verdict["code"] for verdict in verdicts[:-1]} == {"RATE_LIMITED"}
    assert verdicts[-1]["valid"]


def test_the_allowance_comes_back():
    made = unknown_ids.UnknownIds()
    for _ in range(unknown_ids.PER_MINUTE):
        made.note("lk_srv_x", "203.0.113.9", 100.0)
    assert made.refuse("lk_srv_x", "203.0.113.9", "k", 100.0) == 1
    assert made.refuse("lk_srv_x", "203.0.113.9", "k", 101.0) == 0
