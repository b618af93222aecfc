"""The hot path reads rows by the driver itself: what it says is what Django's own cursor says."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from datetime import timedelta
from unittest import mock

import pytest
from django.conf import settings
from django.db import connection, connections, transaction
from django.utils import timezone

from keys import records, tokens, unchanged, verification
from keys.models import Key, McpServer, ServerCredential
from keys.oauth import connections as oauth_connections
from keys.oauth.records import ACCESS, fetch_access, fetch_connections
from keys.records import DatabaseAway, fetch, fetch_keys
from portal.audit.actors import Actor
from tests import factories

pytestmark = pytest.mark.django_db


def test_every_column_is_read_alike(company, owner):
    now = timezone.now()
    ends = [now + timedelta(days=1, microseconds=-number) for number in range(8)]
    server = factories.make_server(tools=[{"name": "whoami", "read_only": True}])
    credential, _token = factories.make_credential(server)
    key, _token = factories.make_key(company, server, owner, scopes=["tool:whoami"])
    McpServer.objects.filter(pk=server.pk).update(company=company, stopped_at=ends[0], archived_at=ends[1])
    ServerCredential.objects.filter(pk=credential.pk).update(
        expires_at=ends[2], overlap_ends_at=ends[3], revoked_at=ends[4]
    )
    Key.objects.filter(pk=key.pk).update(
        name='Zoë\'s "key"', allowed_ips=["10.0.0.0/8", "2001:db8::/32"], expires_at=ends[5], overlap_ends_at=ends[6],
        revoked_at=ends[7], revoked_reason="Lost", per_minute=7, per_month=900_000,
    )  # fmt: skip
    for model in (server, credential, key):
        model.refresh_from_db()
    found_credential, record = fetch(credential.pk, key.pk)
    assert found_credential is not None and record is not None
    assert found_credential._replace(tools=json.loads(found_credential.tools)) == (
        bytes(credential.digest), credential.pepper, *epochs(ends[2:5]), server.pk, server.name, company.pk,
        *epochs(ends[:2]), server.tools,
    )  # fmt: skip
    assert record._replace(scopes=json.loads(record.scopes), allowed_ips=json.loads(record.allowed_ips)) == (
        key.pk, bytes(key.digest), key.pepper, 'Zoë\'s "key"', server.pk, ["tool:whoami"],
        ["10.0.0.0/8", "2001:db8::/32"], *epochs(ends[5:]), 7, 900_000, company.pk, company.name, company.slug,
        "active", company.plan, owner.pk, owner.name, owner.email, True, "owner",
    )  # fmt: skip
    assert fetch_keys([key.pk]) == {key.pk: record}


def epochs(moments):
    return [pytest.approx(moment.timestamp(), abs=2e-7) for moment in moments]


def test_many_keys_are_read_as_one_is(company, server, owner, server_token):
    ids = [factories.make_key(company, server, owner)[0].pk for _ in range(3)]
    found = fetch_keys([*ids, "nothing00000", "}{,\"'\\é"])
    assert found == {key_id: fetch(tokens.parse(server_token).id, key_id)[1] for key_id in ids}


def test_an_access_token_is_read_as_a_key_is(company, server, owner, server_token):
    ends = timezone.now() + timedelta(days=3)
    connection_, token = factories.make_access_token(
        company, server, owner, client_name="Zoë's client", scopes=["tool:whoami"], expires_at=ends
    )
    credential, record = fetch(tokens.parse(server_token).id, token.id, ACCESS)
    assert fetch_access([token.id, "nothing00000"]) == {token.id: record}
    key, _token = factories.make_key(company, server, owner, name="Zoë's client", scopes=["tool:whoami"])
    assert credential is not None and record is not None
    assert record._replace(digest=b"", expires_at=None) == fetch_keys([key.pk])[key.pk]._replace(
        id=connection_.pk, digest=b"", expires_at=None, overlap_ends_at=pytest.approx(ends.timestamp(), abs=1e-6)
    )
    assert tokens.matches(token.text, record.digest, record.pepper, settings.PEPPERS)
    assert record.expires_at == pytest.approx(time.time() + 3600, abs=60)


def test_a_connection_is_read_without_a_digest(company, server, owner):
    connection_, token = factories.make_access_token(company, server, owner)
    found = fetch_connections([connection_.pk, token.id])
    assert found == {
        connection_.pk: fetch_access([token.id])[token.id]._replace(digest=b"", pepper="", expires_at=None)
    }


@pytest.mark.django_db(transaction=True)
def test_the_id_of_a_key_is_no_access_token_and_the_other_way_round(company, server, owner, server_token):
    key, _token = factories.make_key(company, server, owner)
    _connection, access = factories.make_access_token(company, server, owner)
    credential = tokens.parse(server_token).id
    for _again in range(2):  # looked up, then kept
        assert fetch(credential, key.pk)[1] and fetch(credential, access.id, ACCESS)[1]
        assert fetch(credential, key.pk, ACCESS)[1] is fetch(credential, access.id)[1] is None
        assert list(fetch_keys([key.pk, access.id])) == [key.pk]
        assert list(fetch_access([key.pk, access.id])) == [access.id]


@pytest.mark.django_db(transaction=True)
def test_a_transaction_reads_what_it_wrote_and_nobody_believes_it_after_its_rollback(
    company, server, owner, server_token
):
    key, _token = factories.make_key(company, server, owner)
    credential = tokens.parse(server_token).id

    def names():
        return {fetch(credential, key.pk)[1].name, fetch_keys([key.pk])[key.pk].name}

    assert names() == {key.name}
    with suppress(ZeroDivisionError), transaction.atomic():
        for name in ("one", "two"):
            Key.objects.filter(pk=key.pk).update(name=name)
            assert names() == {name}
        raise ZeroDivisionError
    assert names() == {key.name}


@pytest.mark.django_db(transaction=True)
def test_what_was_read_is_read_again_after_a_change(company, server, owner, server_token):
    key, _token = factories.make_key(company, server, owner)
    connection_, access = factories.make_access_token(company, server, owner)
    assert fetch_keys([key.pk])[key.pk].revoked_at is None
    assert verification.verify(server_token, verification.Question(access.text))["code"] == "VALID"
    Key.objects.filter(pk=key.pk).update(revoked_at=timezone.now(), revoked_reason="Lost")
    assert fetch_keys([key.pk])[key.pk].revoked_at is not None
    oauth_connections.revoke(connection=connection_, reason="Lost", actor=Actor.user(owner))
    assert not verification.verify(server_token, verification.Question(access.text))["valid"]


@pytest.fixture
def elsewhere():
    """Another connection to the same database, as another process has one."""
    other = connections.create_connection("default")
    yield other
    other.close()


@pytest.mark.django_db(transaction=True)
def test_while_nobody_writes_nothing_is_looked_up_again(company, server, owner, server_token):
    key, _token = factories.make_key(company, server, owner)
    credential = tokens.parse(server_token).id
    first, many = fetch(credential, key.pk), fetch_keys([key.pk, "nothing00000"])
    looked_up = mock.Mock(side_effect=AssertionError("looked up again"))
    with mock.patch.object(records, "_one_row", looked_up), mock.patch.object(records, "_found", looked_up):
        assert fetch(credential, key.pk) is first
    assert fetch_keys([key.pk, "nothing00000"])[key.pk] is many[key.pk]


@pytest.mark.django_db(transaction=True)
def test_what_another_connection_commits_is_read_from_then_on(company, server, owner, server_token, elsewhere):
    key, _token = factories.make_key(company, server, owner)
    credential = tokens.parse(server_token).id

    def names():
        return {fetch(credential, key.pk)[1].name, fetch_keys([key.pk])[key.pk].name}

    assert names() == {key.name}
    elsewhere.set_autocommit(False)
    with elsewhere.cursor() as cursor:
        cursor.execute("UPDATE keys_key SET name = 'another' WHERE id = %s", [key.pk])
    assert names() == {key.name}  # read while the other has written, but not committed
    assert names() == {key.name}
    elsewhere.commit()
    assert names() == {"another"}


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
@pytest.mark.django_db(transaction=True)
def test_of_two_transactions_that_run_the_later_may_end_first(company, server, owner, server_token, elsewhere):
    """The oldest transaction still runs, so it alone does not tell that another one has ended."""
    key, _token = factories.make_key(company, server, owner)
    credential = tokens.parse(server_token).id
    oldest = connections.create_connection("default")
    try:
        for other in (oldest, elsewhere):
            other.set_autocommit(False)
            with other.cursor() as cursor:
                cursor.execute("SELECT pg_current_xact_id()")
        with elsewhere.cursor() as cursor:
            cursor.execute("UPDATE keys_key SET name = 'another' WHERE id = %s", [key.pk])
        assert fetch(credential, key.pk)[1].name == key.name
        elsewhere.commit()
        assert fetch(credential, key.pk)[1].name == "another"
    finally:
        oldest.close()


@pytest.mark.django_db(transaction=True)
def test_no_more_rows_are_kept_than_a_thread_may(company, server, owner, server_token, monkeypatch):
    monkeypatch.setattr(unchanged, "MOST", 3)
    credential = tokens.parse(server_token).id
    fetch("nothing00000", "")
    for _ in range(8):
        key, _token = factories.make_key(company, server, owner)
        fetch(credential, key.pk)
    for number in range(8):
        fetch(credential, f"nothing0000{number}")
        fetch_keys([f"nothing0001{number}"])
        assert len(records._unchanged.one) + len(records._unchanged.many_of("key")) <= 3


def test_what_is_not_there_is_none(server_token):
    credential, record = fetch(tokens.parse(server_token).id, "nothing00000")
    assert credential is not None and record is None
    assert fetch("nothing00000", "nothing00000") == (None, None)


@pytest.mark.django_db(transaction=True)
def test_a_new_connection_is_asked_as_the_old_one_was(server_token):
    identifier = tokens.parse(server_token).id
    before = fetch(identifier, "")
    connection.close()
    assert fetch(identifier, "") == before


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL ends a connection from elsewhere")
def test_a_connection_that_was_ended_is_made_anew(server_token):
    identifier = tokens.parse(server_token).id
    before = fetch(identifier, "")
    connection.connection.pgconn.finish()
    with pytest.raises(DatabaseAway):
        fetch(identifier, "")
    assert fetch(identifier, "") == before
