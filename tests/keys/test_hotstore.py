"""The hot store, with a real Redis: what it saves, and that it never brings back what was revoked."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from unittest import mock

import pytest
from django.db import connection as database
from django.utils import timezone

from keys import hotstore, limits, records, services, tokens, verification
from keys.api.management import base
from keys.batch import verify_many
from keys.hotstore import connection, forgetting, store
from keys.management_tokens.services import create_token
from keys.models import Key
from keys.servers import services as servers
from keys.unknown_ids import unknown_ids
from keys.usage.counter import counter
from keys.verification import NotAuthenticated, Question, verify
from portal.accounts.models import User
from portal.audit.actors import SYSTEM
from portal.companies import services as companies
from portal.companies.models import Membership
from portal.companies.roles import Role
from portal.staff.revocations import runs
from tests import factories
from tests.keys.throwaway import ThrowawayRedis

pytestmark = [pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="module")
def _running(tmp_path_factory):
    made = ThrowawayRedis(tmp_path_factory.mktemp("redis"))
    made.start()
    yield made
    made.kill()


@pytest.fixture
def redis(_running, settings, monkeypatch):
    if _running.process is None:
        _running.start()
    settings.REDIS_URL = _running.url
    monkeypatch.setattr(store, "KEPT_FOR", {"postgresql", "sqlite"})
    # These are about what is right, not about how soon: a busy machine is no fault.
    monkeypatch.setattr(connection, "TIMEOUT_SECONDS", 3.0)
    connection.forget_connections()
    unknown_ids.clear()
    connection.connection().send(("FLUSHALL",))
    yield _running
    connection.forget_connections()
    unknown_ids.clear()


@pytest.fixture
def ask(server_token):
    def ask(text, **fields):
        return verify(server_token, Question(text, **fields))

    return ask


@pytest.fixture
def looked_up():
    with mock.patch.object(verification, "fetch", side_effect=records.fetch) as fetch:
        yield fetch


def sent():
    return mock.patch.object(connection.Connection, "send", autospec=True, side_effect=connection.Connection.send)


def test_a_warm_verdict_is_one_round_trip_and_no_query(redis, ask, company, server, owner, looked_up):
    _, token = factories.make_key(company, server, owner, per_minute=5)
    first = ask(token.text)
    assert looked_up.call_count == 1
    with sent() as send:
        second = ask(token.text, tool="get_companies")
    assert send.call_count == 1
    assert looked_up.call_count == 1
    assert second["valid"]
    assert (first["rate_limit"]["remaining"], second["rate_limit"]["remaining"]) == (4, 3)
    assert {**second, "rate_limit": None} == {**first, "rate_limit": None}


def test_each_verdict_is_counted_once_warm_or_cold(redis, ask, key, key_token):
    for _round in range(3):
        ask(key_token)
    batches = []
    counter.flush(send=lambda _id, batch: batches.append(batch))
    assert [(row[3], row[4], row[5], row[6], row[-1]) for row in batches[0]["counts"]] == [(key.pk, "VALID", "", "", 3)]
    assert [(row[0], row[1], row[2], row[-1]) for row in batches[0]["sightings"]] == [(key.pk, "", "", 3)]


def test_it_is_kept_for_two_seconds_from_the_beginning_of_the_look_up(redis, ask, key, key_token, monkeypatch):
    real = verification.fetch

    def slow(*ids):
        time.sleep(0.5)
        return real(*ids)

    monkeypatch.setattr(verification, "fetch", slow)
    ask(key_token)
    made = connection.connection()
    left = made.send(("PTTL", made.prefix + b"k:" + key.pk.encode()))[0]
    assert 0 < left <= 1500


def test_a_look_up_that_took_too_long_is_not_kept(redis, ask, key, key_token, monkeypatch):
    real = verification.fetch

    def slow(*ids):
        time.sleep(1.05)
        return real(*ids)

    monkeypatch.setattr(verification, "fetch", slow)
    assert ask(key_token)["valid"]
    made = connection.connection()
    assert made.send(("EXISTS", made.prefix + b"k:" + key.pk.encode())) == [0]


def test_a_revocation_that_is_repeated_can_be_relied_on_as_the_first(redis, ask, key, key_token):
    assert ask(key_token)["valid"]
    # As if the commit's answer was lost, and with it what follows the commit.
    Key.objects.filter(pk=key.pk).update(revoked_at=timezone.now())
    services.revoke_key(key=key, reason="leaked", actor=SYSTEM)
    assert ask(key_token)["code"] == "REVOKED"


def revoke(key, **_):
    services.revoke_key(key=key, reason="leaked", actor=SYSTEM)


def rotate(key, **_):
    services.rotate_key(key=key, overlap=timedelta(0), actor=SYSTEM)


def suspend(key, **_):
    companies.suspend_company(company=key.company, reason="unpaid", actor=SYSTEM)


def stop(key, **_):
    servers.stop_server(server=key.server, reason="incident", actor=SYSTEM)


def deactivate(key, **_):
    user = User.objects.get(pk=key.user_id)
    user.is_active = False
    user.save()


def remove(key, colleague, **_):
    Membership.objects.filter(user=colleague).update(role=Role.OWNER)
    companies.remove_member(membership=Membership.objects.get(user=key.user, company=key.company), actor=SYSTEM)


ENDS = {
    "REVOKED": [revoke, deactivate, remove],
    "EXPIRED": [rotate],
    "COMPANY_INACTIVE": [suspend, stop],
}


@pytest.mark.parametrize(
    ("act", "code"),
    [(act, code) for code, acts in ENDS.items() for act in acts],
)
def test_what_ends_a_key_is_known_when_it_returns(redis, ask, key, key_token, colleague, act, code):
    assert ask(key_token)["valid"]
    act(key=key, colleague=colleague)
    assert ask(key_token)["code"] == code


@pytest.mark.parametrize("act", [revoke, suspend, stop, rotate, deactivate])
def test_a_look_up_under_way_brings_nothing_back(redis, ask, key, key_token, monkeypatch, act):
    """The in-flight race: the row was read before the act, and would be kept after it."""
    real = verification.fetch

    def interrupted(*ids):
        found = real(*ids)
        monkeypatch.setattr(verification, "fetch", real)
        other = threading.Thread(target=in_thread, args=(act, key))
        other.start()
        other.join()
        return found

    monkeypatch.setattr(verification, "fetch", interrupted)
    assert ask(key_token)["valid"]  # it began before the act
    assert not ask(key_token)["valid"]


def in_thread(act, key):
    from django.db import connection as database

    try:
        act(key=Key.objects.get(pk=key.pk))
    finally:
        connection.forget_connections()
        database.close()


def test_a_role_that_was_lowered_counts_at_once(redis, ask, company, server, owner, colleague):
    servers.update_server(
        server=server, actor=SYSTEM, tools=[{"name": "read_it", "read_only": True}, {"name": "change_it"}]
    )
    _, token = factories.make_key(company, server, colleague)
    assert ask(token.text, tool="change_it")["valid"]
    companies.change_role(
        membership=Membership.objects.get(user=colleague, company=company), role=Role.VIEWER, actor=SYSTEM
    )
    assert ask(token.text, tool="change_it")["code"] == "INSUFFICIENT_SCOPE"


@pytest.mark.parametrize("end", ["revoke", "rotate"])
def test_a_credential_that_ended_is_refused_at_once(redis, key_token, server, end):
    credential, token = factories.make_credential(server)
    assert verify(token.text, Question(key_token))["valid"]
    if end == "revoke":
        servers.revoke_credential(credential=credential, reason="leaked", actor=SYSTEM)
    else:
        servers.rotate_credential(credential=credential, overlap=timedelta(0), actor=SYSTEM)
    with pytest.raises(NotAuthenticated):
        verify(token.text, Question(key_token))


def test_a_restarted_redis_is_not_believed_about_before(redis, ask, key, key_token, settings):
    """Its run differs, so do its names: even a copy of the old data says nothing."""
    assert ask(key_token)["valid"]
    made = connection.connection()
    kept = made.send(("DUMP", made.prefix + b"k:" + key.pk.encode()), ("GET", made.prefix + b"g"))
    old = made.prefix
    redis.kill()
    redis.start()
    Key.objects.filter(pk=key.pk).update(revoked_at=key.created_at)  # missed by everybody
    connection.forget_connections()
    made = connection.connection()
    assert made.prefix != old
    made.send(("RESTORE", old + b"k:" + key.pk.encode(), 0, kept[0]), ("SET", old + b"g", kept[1]))
    assert ask(key_token)["code"] == "REVOKED"


def test_without_redis_the_act_waits_until_nothing_old_is_left(redis, ask, key, key_token):
    """The revoker cannot reach Redis; another web process still can."""
    assert ask(key_token)["valid"]
    began = time.monotonic()
    with mock.patch.object(forgetting, "Connection", side_effect=connection.RedisAway("cut off")):
        revoke(key)
    assert time.monotonic() - began >= hotstore.TTL_SECONDS
    connection.forget_connections()
    assert ask(key_token)["code"] == "REVOKED"


def test_while_redis_is_frozen_verdicts_and_limits_go_on(redis, ask, company, server, owner, monkeypatch):
    monkeypatch.setattr(connection, "TIMEOUT_SECONDS", 0.1)
    connection.forget_connections()
    _, token = factories.make_key(company, server, owner, per_minute=3)
    assert ask(token.text)["valid"]
    redis.freeze()
    try:
        began = time.monotonic()
        codes = [ask(token.text)["code"] for _ in range(5)]
        took = time.monotonic() - began
    finally:
        redis.thaw()
    assert codes == ["VALID"] * 3 + ["RATE_LIMITED"] * 2  # counted in this process meanwhile
    assert took < 1  # one request waited, not each


def test_after_redis_came_back_it_is_used_again(redis, ask, key_token, looked_up, monkeypatch):
    assert ask(key_token)["valid"]
    redis.kill()
    assert ask(key_token)["valid"]
    redis.start()
    monkeypatch.setattr(connection, "_away_until", 0.0)
    ask(key_token)
    before = looked_up.call_count
    assert ask(key_token)["valid"]
    assert looked_up.call_count == before


def test_a_wrong_secret_takes_nothing_from_the_limit(redis, ask, company, server, owner):
    key, token = factories.make_key(company, server, owner, per_minute=2)
    assert ask(token.text)["rate_limit"]["remaining"] == 1
    body = f"lk_test_{key.pk}_" + "0" * 32
    for _ in range(5):
        assert ask(body + tokens.checksum(body))["code"] == "NOT_FOUND"
    assert ask(token.text)["rate_limit"]["remaining"] == 0


def test_a_wrong_credential_takes_nothing_from_the_limit(redis, ask, company, server, server_token, owner):
    _, token = factories.make_key(company, server, owner, per_minute=2)
    assert ask(token.text)["valid"]
    body = server_token[:20] + "0" * 32
    for _ in range(5):
        with pytest.raises(NotAuthenticated):
            verify(body + tokens.checksum(body), Question(token.text))
    assert ask(token.text)["valid"]


def test_what_is_refused_gives_its_permit_back(redis, ask, company, server, owner):
    _, token = factories.make_key(company, server, owner, per_minute=2, per_month=2, scopes=["tool:whoami"])
    assert ask(token.text, tool="whoami")["valid"]
    for _ in range(5):
        assert ask(token.text, tool="get_users")["code"] == "INSUFFICIENT_SCOPE"
    assert ask(token.text, tool="whoami")["valid"]
    assert ask(token.text, tool="whoami")["code"] == "RATE_LIMITED"


def test_a_wrong_secret_costs_what_an_unknown_id_costs(redis, ask, key, key_token, looked_up):
    """S17."""
    ask(key_token)
    body = f"lk_test_{key.pk}_" + "0" * 32
    costs = []
    for text in (body + tokens.checksum(body), tokens.generate(tokens.Kind.TEST).text):
        before = looked_up.call_count
        with sent() as send:
            assert ask(text)["code"] == "NOT_FOUND"
        costs.append((send.call_count, looked_up.call_count - before))
    assert costs[0] == costs[1] == (1, 1)


def test_a_pepper_that_is_being_changed_costs_no_second_round_trip(redis, ask, company, server, owner, settings):
    _, token = factories.make_key(company, server, owner, per_minute=5)
    ask(token.text)
    settings.PEPPERS = {"new": b"n" * 32, **settings.PEPPERS}
    with sent() as send:
        assert ask(token.text)["rate_limit"]["remaining"] == 3
    assert send.call_count == 1


def test_inside_a_transaction_nothing_is_read_or_kept(redis, ask, key_token):
    from django.db import transaction

    with transaction.atomic(), sent() as send:
        assert ask(key_token)["valid"]
    assert send.call_count == 0


def test_the_month_goes_on_from_what_was_counted_before(redis, ask, company, server, owner):
    from django.utils import timezone

    from keys.usage.models import UsageDay

    key, token = factories.make_key(company, server, owner, per_month=10)
    today = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    UsageDay.objects.create(
        period=today, server_id=server.pk, company_id=company.pk, key_id=key.pk, code="VALID", count=8
    )
    verdicts = [ask(token.text) for _ in range(3)]
    assert [verdict["code"] for verdict in verdicts] == ["VALID", "VALID", "RATE_LIMITED"]
    assert verdicts[-1]["rate_limit"]["limit"] == 10


def test_a_batch_takes_all_permits_in_one_round_trip_after_the_first(redis, server_token, company, server, owner):
    made = [factories.make_key(company, server, owner, per_minute=5)[1].text for _ in range(4)]
    record = verification.authenticate(server_token)
    questions = [Question(text) for text in made * 2]
    verify_many(record, server_token, questions)
    with sent() as send:
        verdicts = verify_many(record, server_token, questions)
    assert send.call_count == 1
    assert [verdict["rate_limit"]["remaining"] for verdict in verdicts] == [2] * 4 + [1] * 4


def test_the_same_permit_as_in_memory(redis):
    """Both limiters say the same of the same sequence."""
    here = limits.MemoryLimiter(lambda ids, now: {})
    for wanted in (limits.Limits(3, None), limits.Limits(None, 3), limits.Limits(5, 3), limits.Limits(None, None)):
        name = f"{wanted.per_minute}-{wanted.per_month}"
        for _ in range(5):
            ours = hotstore.take_all([(name, wanted, 1)])[0]
            theirs = here.take(name, wanted)
            assert (ours is None) == (theirs is None)
            if ours and theirs:
                assert (ours.allowed, ours.limit, ours.remaining) == (theirs.allowed, theirs.limit, theirs.remaining)
                assert abs(ours.reset_at - theirs.reset_at) < 1
                assert abs(ours.retry_after - theirs.retry_after) <= 1


def test_a_report_of_calls_counts_even_beyond_the_limit(redis):
    wanted = limits.Limits(3, None)
    assert hotstore.take_all([("k", wanted, 5)], force=True)[0].allowed
    refused = hotstore.take_all([("k", wanted, 1)])[0]
    assert not refused.allowed
    assert 55 <= refused.retry_after <= 60  # 3 tokens from -2 up to 1, one each 20 seconds


def test_no_permit_is_given_twice_under_concurrency(redis):
    wanted = limits.Limits(200, None)
    given = []

    def take():
        mine = sum(bool(hotstore.take_all([("k", wanted, 1)])[0].allowed) for _ in range(100))
        given.append(mine)
        connection.forget_connections()

    began = time.monotonic()
    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    refilled = (time.monotonic() - began) * 200 / 60
    assert 200 <= sum(given) <= 200 + refilled + 1


@pytest.mark.skipif(database.vendor != "sqlite", reason="on PostgreSQL records are kept")
def test_on_sqlite_redis_has_the_limits_alone(redis, ask, key, key_token, monkeypatch):
    monkeypatch.setattr(store, "KEPT_FOR", {"postgresql"})
    assert [ask(key_token)["rate_limit"]["remaining"] for _ in range(2)] == [599, 598]
    with sent() as send:
        assert ask(key_token)["valid"]
    assert send.call_count == 1
    redis.kill()
    began = time.monotonic()
    services.revoke_key(key=key, reason="leaked", actor=SYSTEM)
    assert time.monotonic() - began < hotstore.TTL_SECONDS  # there is nothing to wait for
    assert ask(key_token)["code"] == "REVOKED"


def test_a_management_token_is_limited_over_all_processes(redis, client, company, owner, monkeypatch):
    _made, token = create_token(
        company=company, user=owner, name="CI", scopes=["keys:read"], expires_at=None, actor=SYSTEM
    )
    monkeypatch.setattr(base, "REQUESTS_PER_MINUTE", 2)
    statuses = []
    for _ in range(3):
        limits.limiter().clear()  # as another process would begin
        statuses.append(client.get("/api/v1/keys", headers={"Authorization": f"Bearer {token.text}"}).status_code)
    assert statuses == [200, 200, 429]


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "redis://nobody:wrong@127.0.0.1:{port}/0"])
def test_a_redis_that_cannot_be_used_is_away(redis, ask, key_token, settings, url):
    settings.REDIS_URL = url.format(port=redis.port)
    connection.forget_connections()
    assert ask(key_token)["valid"]


def test_another_database_of_redis_is_selected(redis, ask, key_token, settings):
    settings.REDIS_URL = f"redis://127.0.0.1:{redis.port}/3"
    connection.forget_connections()
    ask(key_token)
    made = connection.connection()
    assert made.send(("DBSIZE",))[0] > 0
    made.send(("SELECT", 0))
    assert made.send(("DBSIZE",))[0] == 0


def test_forgetting_a_batch_of_a_run_leaves_the_others_known(redis, ask, key_token):
    """A revocation by rule forgets 250 keys at a time: verification of all others must not go to the database each."""

    def generation():
        made = connection.connection()
        return made.send(("GET", made.prefix + b"g"))[0]

    ask(key_token)
    before = generation()
    assert before
    hotstore.forget(key_ids=[f"{number:012d}" for number in range(runs.BATCH)])
    assert generation() == before
    hotstore.forget(key_ids=[f"{number:012d}" for number in range(forgetting.MOST_IDS + 1)])
    assert generation() != before
