"""The hot path reads rows by the driver itself: what it says is what Django's own cursor says."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from keys import tokens
from keys.models import Key
from keys.records import DatabaseAway, fetch, fetch_keys
from tests import factories

pytestmark = pytest.mark.django_db


def test_every_column_is_read_alike(company, server, owner, server_token):
    key, _token = factories.make_key(company, server, owner, scopes=["tool:whoami"])
    now = timezone.now()
    Key.objects.filter(pk=key.pk).update(
        name='Zoë\'s "key"', allowed_ips=["10.0.0.0/8", "2001:db8::/32"], expires_at=now + timedelta(days=1),
        overlap_ends_at=now + timedelta(hours=1), revoked_at=now, revoked_reason="Lost", per_minute=7,
        per_month=900_000,
    )  # fmt: skip
    credential, record = fetch(tokens.parse(server_token).id, key.pk)
    assert record == fetch_keys([key.pk])[key.pk]
    assert record is not None and record.user_active is True and record.per_month == 900_000
    assert record.revoked_at == pytest.approx(now.timestamp(), abs=1e-6)
    assert credential is not None and credential.server_id == server.pk and credential.stopped_at is None


def test_many_keys_are_read_as_one_is(company, server, owner, server_token):
    ids = [factories.make_key(company, server, owner)[0].pk for _ in range(3)]
    found = fetch_keys([*ids, "nothing00000", "}{,\"'\\é"])
    assert found == {key_id: fetch(tokens.parse(server_token).id, key_id)[1] for key_id in ids}


@pytest.mark.django_db(transaction=True)
def test_what_a_transaction_read_is_not_believed_after_its_rollback(company, server, owner, server_token):
    key, _token = factories.make_key(company, server, owner)
    credential = tokens.parse(server_token).id
    with suppress(ZeroDivisionError), transaction.atomic():
        Key.objects.filter(pk=key.pk).update(name="never")
        assert fetch(credential, key.pk)[1].name == fetch_keys([key.pk])[key.pk].name == "never"
        raise ZeroDivisionError
    assert fetch(credential, key.pk)[1].name == fetch_keys([key.pk])[key.pk].name == key.name


@pytest.mark.django_db(transaction=True)
def test_keys_that_were_read_are_read_again_after_a_change(company, server, owner):
    key, _token = factories.make_key(company, server, owner)
    assert fetch_keys([key.pk])[key.pk].revoked_at is None
    Key.objects.filter(pk=key.pk).update(revoked_at=timezone.now(), revoked_reason="Lost")
    assert fetch_keys([key.pk])[key.pk].revoked_at is not None


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
