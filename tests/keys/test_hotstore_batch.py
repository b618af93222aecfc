"""A batch and the hot store: all in one round trip, and each key as it would be by itself."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from datetime import timedelta
from unittest import mock

import pytest
from django.db import connection as database
from django.db import connections
from django.utils import timezone

from keys import batch, records, services, tokens, verification
from keys.batch import verify_many
from keys.hotstore import connection
from keys.models import Key
from keys.usage.counter import counter
from keys.verification import Question, verify
from portal.audit.actors import SYSTEM
from tests import factories
from tests.keys.test_hotstore import _running, redis, sent  # noqa: F401  (fixtures)

pytestmark = [pytest.mark.django_db(transaction=True)]


@pytest.fixture
def ask_all(server_token):
    def ask_all(*questions):
        questions = [one if isinstance(one, Question) else Question(one) for one in questions]
        return verify_many(verification.authenticate(server_token), server_token, questions)

    return ask_all


@pytest.fixture
def looked_up():
    """The ids that were looked up in the database."""
    ids: list[str] = []

    def fetch_keys(key_ids):
        ids.extend(key_ids)
        return records.fetch_keys(key_ids)

    with mock.patch.object(batch, "fetch_keys", fetch_keys):
        yield ids


def somebody_writes(company):
    """Something else: what this thread has read does not stand any more, what Redis keeps does."""
    type(company).objects.filter(pk=company.pk).update(name=company.name)


def another_secret(text):
    """A token of the same key whose form is right and whose secret is not."""
    body = text[: -tokens.CHECK_LENGTH - 1] + ("A" if text[-tokens.CHECK_LENGTH - 1] != "A" else "B")
    return body + tokens.checksum(body)


def codes(verdicts):
    return [verdict["code"] for verdict in verdicts]


@pytest.mark.parametrize("written", [False, True])
def test_a_warm_batch_is_one_round_trip_and_no_look_up(
    redis, ask_all, company, server, owner, looked_up, written  # noqa: F811
):  # fmt: skip
    made = [factories.make_key(company, server, owner, per_minute=5) for _ in range(4)]
    texts = [token.text for _key, token in made]
    ask_all(*texts)
    assert sorted(looked_up) == sorted(key.pk for key, _token in made)
    looked_up.clear()
    if written:
        somebody_writes(company)
    others = database.vendor == "postgresql" and not written  # test processes, who write to the same server
    stand = mock.patch.object(records._unchanged, "stands_at", return_value=True) if others else nullcontext()
    asking = mock.patch.object(batch.hotstore, "ask_all", wraps=batch.hotstore.ask_all)
    with stand, asking as asked, sent() as send:
        verdicts = ask_all(*texts, *texts)
    assert send.call_count == 1
    assert looked_up == []
    assert len(asked.call_args.args[1]) == (8 if written else 0)
    assert [verdict["rate_limit"]["remaining"] for verdict in verdicts] == [3] * 4 + [2] * 4


def test_only_what_is_not_kept_is_looked_up_and_then_kept_for_one_question_too(
    redis, ask_all, company, server, owner, looked_up, server_token  # noqa: F811
):  # fmt: skip
    (_, one), (other, two) = (factories.make_key(company, server, owner, per_minute=9) for _ in range(2))
    verify(server_token, Question(one.text))
    verdicts = ask_all(one.text, two.text)
    assert looked_up == [other.pk]
    assert [verdict["rate_limit"]["remaining"] for verdict in verdicts] == [7, 8]
    # A single question finds the key; its credential was kept by the first one.
    with mock.patch.object(verification, "fetch", side_effect=AssertionError("it was not kept")):
        assert verify(server_token, Question(two.text))["rate_limit"]["remaining"] == 7


def test_it_answers_as_one_by_one(redis, ask_all, company, server, owner, server_token):  # noqa: F811
    _, good = factories.make_key(company, server, owner)
    _, narrow = factories.make_key(company, server, owner, scopes=["tool:get_users"])
    gone, revoked = factories.make_key(company, server, owner)
    services.revoke_key(key=gone, reason="leaked", actor=SYSTEM)
    late, over = factories.make_key(company, server, owner)
    Key.objects.filter(pk=late.pk).update(expires_at=timezone.now() - timedelta(days=1))
    _, full = factories.make_key(company, server, owner, per_minute=0)
    questions = [Question(token.text, tool="get_companies") for token in (good, narrow, revoked, over, full)]
    questions += [Question("nonsense"), Question(another_secret(good.text))]
    for _round in range(3):  # cold, then warm by rows that stand, then by Redis
        if _round == 2:
            somebody_writes(company)
        found = ask_all(*questions)
        assert codes(found) == [
            "VALID", "INSUFFICIENT_SCOPE", "REVOKED", "EXPIRED", "RATE_LIMITED", "MALFORMED", "NOT_FOUND",
        ]  # fmt: skip
        single = [verify(server_token, question) for question in questions]
        varies = ("rate_limit", "retry_after", "cache_seconds")
        assert [{**one, **dict.fromkeys(varies)} for one in found] == [
            {**one, **dict.fromkeys(varies)} for one in single
        ]


def test_every_verdict_is_counted_once_warm_or_cold(redis, ask_all, company, server, owner):  # noqa: F811
    key, token = factories.make_key(company, server, owner)
    _, stranger = factories.make_key(company, server, owner)
    for _round in range(2):
        ask_all(token.text, Question(token.text, tool="get_users"), another_secret(stranger.text))
    batches = []
    counter.flush(send=lambda _id, batch: batches.append(batch))
    counted = {(row[3], row[4], row[5]): row[-1] for batch in batches for row in batch["counts"]}
    assert counted == {(key.pk, "VALID", ""): 2, (key.pk, "VALID", "get_users"): 2, ("", "NOT_FOUND", ""): 2}


def test_a_key_revoked_elsewhere_counts_no_more_though_its_row_was_read(
    redis, ask_all, company, server, owner  # noqa: F811
):  # fmt: skip
    key, token = factories.make_key(company, server, owner)
    _, other = factories.make_key(company, server, owner)
    assert codes(ask_all(token.text, other.text)) == ["VALID", "VALID"]

    def revoke():
        services.revoke_key(key=key, reason="leaked", actor=SYSTEM)
        connections.close_all()

    thread = threading.Thread(target=revoke)  # a connection of its own
    thread.start()
    thread.join()
    assert codes(ask_all(token.text, other.text)) == ["REVOKED", "VALID"]


def test_access_tokens_are_looked_up_beside_keys(redis, ask_all, company, server, owner, looked_up):  # noqa: F811
    key, token = factories.make_key(company, server, owner)
    access = tokens.generate(tokens.Kind.ACCESS)
    with mock.patch.object(batch, "fetch_access", return_value={}) as fetch:
        assert codes(ask_all(token.text, access.text)) == ["VALID", "NOT_FOUND"]
        assert looked_up == [key.pk]
        fetch.assert_called_once_with({access.id})
        fetch.reset_mock()
        assert codes(ask_all(token.text)) == ["VALID"]
        fetch.assert_not_called()


@pytest.mark.parametrize("written", [False, True])
def test_a_wrong_secret_costs_the_look_up_of_an_unknown_id_and_no_permit(
    redis, ask_all, company, server, owner, looked_up, written  # noqa: F811
):  # fmt: skip
    key, token = factories.make_key(company, server, owner, per_minute=3)
    ask_all(token.text)
    looked_up.clear()
    if written:
        somebody_writes(company)
    assert codes(ask_all(*[another_secret(token.text)] * 5)) == ["NOT_FOUND"] * 5
    assert looked_up == [key.pk]
    assert ask_all(token.text)[0]["rate_limit"]["remaining"] == 1


def test_what_is_refused_after_all_gives_its_permit_back(redis, ask_all, company, server, owner):  # noqa: F811
    _, token = factories.make_key(company, server, owner, per_minute=3, scopes=["tool:get_users"])
    ask_all(token.text)
    somebody_writes(company)
    with sent() as send:
        assert codes(ask_all(*[Question(token.text, tool="get_companies")] * 3)) == ["INSUFFICIENT_SCOPE"] * 3
    assert send.call_count == 2
    assert ask_all(token.text)[0]["rate_limit"]["remaining"] == 1


def test_a_month_that_redis_does_not_know_is_read_for_all_at_once(redis, ask_all, company, server, owner):  # noqa: F811
    made = [factories.make_key(company, server, owner, per_month=4) for _ in range(3)]
    texts = [token.text for _key, token in made]
    ask_all(*texts)
    here = connection.connection()
    here.send(*[("DEL", name) for name in here.send(("KEYS", here.prefix + b"u:*"))[0]])
    somebody_writes(company)
    with sent() as send:
        verdicts = ask_all(*texts)
    assert codes(verdicts) == ["VALID"] * 3
    assert send.call_count == 3  # asked, then told to be unknown, then counted


def test_a_key_that_was_revoked_is_not_kept_by_a_batch_that_was_under_way(
    redis, ask_all, company, server, owner, monkeypatch  # noqa: F811
):  # fmt: skip
    key, token = factories.make_key(company, server, owner)

    def and_revoked_meanwhile(ids):
        found = records.fetch_keys(ids)
        services.revoke_key(key=key, reason="leaked", actor=SYSTEM)
        return found

    with monkeypatch.context() as patched:
        patched.setattr(batch, "fetch_keys", and_revoked_meanwhile)
        assert codes(ask_all(token.text)) == ["VALID"]  # it was asked before the revocation returned
    assert codes(ask_all(token.text)) == ["REVOKED"]


def test_a_key_of_another_server_is_told_so_and_takes_nothing(redis, ask_all, company, owner, server_token):  # noqa: F811
    other = factories.make_server("elsewhere")
    _, credential = factories.make_credential(other)
    _, token = factories.make_key(company, other, owner, per_minute=3)
    verify(credential.text, Question(token.text))
    assert codes(ask_all(token.text)) == ["WRONG_SERVER"]
    assert verify(credential.text, Question(token.text))["rate_limit"]["remaining"] == 1


def test_redis_that_goes_away_leaves_the_database_and_this_process(redis, ask_all, company, server, owner):  # noqa: F811
    _, token = factories.make_key(company, server, owner, per_minute=3)
    ask_all(token.text)
    redis.kill()
    assert codes(ask_all(token.text)) == ["VALID"]
