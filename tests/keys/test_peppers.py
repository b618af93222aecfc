"""A pepper is replaced without one refused call, and the secret key without a broken webhook."""

from __future__ import annotations

import base64
import secrets
from datetime import timedelta
from io import StringIO
from itertools import pairwise
from threading import Thread

import pytest
from django.core.management import call_command
from django.db import connections
from django.test import Client

from keys import peppers, services, tokens
from keys.management_tokens import services as management
from keys.models import Key, ManagementScope, ManagementToken, ServerCredential
from keys.peppers import redigests
from keys.webhooks.endpoints import create_endpoint
from keys.webhooks.models import Endpoint
from keys.webhooks.signing import decrypt
from portal.audit.actors import SYSTEM, Actor
from tests import factories

pytestmark = pytest.mark.django_db
A, B = secrets.token_bytes(32), secrets.token_bytes(32)


@pytest.fixture(autouse=True)
def _under_a(settings):
    redigests.flush()
    settings.PEPPERS = {"a": A}


def ask(key_token, server_token):
    return Client().post(
        "/api/v1/keys/verify", {"key": key_token}, content_type="application/json",
        headers={"Authorization": f"Bearer {server_token}"},
    ).json().get("code")  # fmt: skip


def told(*options):
    out, err = StringIO(), StringIO()
    code = 0
    try:
        call_command("peppers", *options, stdout=out, stderr=err)
    except SystemExit as error:
        code = error.code
    return code, out.getvalue(), err.getvalue()


@pytest.fixture
def made(company, server, owner):
    """A key, a server credential and a management token under the pepper a, as (row, text)."""
    key, key_token = factories.make_key(company, server, owner)
    credential, credential_token = factories.make_credential(server)
    token, token_text = management.create_token(
        company=company, user=owner, name="ci", scopes=[ManagementScope.KEYS_READ], expires_at=None, actor=SYSTEM
    )
    return (key, key_token.text), (credential, credential_token.text), (token, token_text.text)


@pytest.mark.slow
def test_a_pepper_is_replaced_without_one_refused_call(settings, made, company, server, owner):
    (key, key_token), (credential, server_token), (token, token_text) = made
    # Every pair of neighbouring steps runs at the same moment while processes are updated one after the other.
    everyone = [key_token]
    steps = [{"a": A}, {"a": A, "b": B}, {"b": B, "a": A}, {"b": B}]
    for older, newer in pairwise(steps):
        if newer == {"b": B}:
            assert peppers.ids_in_use() == ["b"]
        for process in (older, newer, older, newer):
            settings.PEPPERS = process
            everyone.append(factories.make_key(company, server, owner)[1].text)
            for reader in (older, newer):
                settings.PEPPERS = reader
                assert {ask(text, server_token) for text in everyone} == {"VALID"}
                assert management.check_token(token_text).token.pk == token.pk
                redigests.flush()
    for model, row in ((Key, key), (ServerCredential, credential), (ManagementToken, token)):
        assert model.objects.get(pk=row.pk).pepper == "b"


def test_what_is_good_moves_and_what_is_refused_does_not(settings, made, key):
    (one, key_token), (_credential, server_token), _token = made
    settings.PEPPERS = {"b": B, "a": A}
    services.revoke_key(key=one, reason="gone", actor=SYSTEM)
    assert ask(key_token, server_token) == "REVOKED"
    wrong = f"lk_test_{key.pk}_" + "0" * 32
    assert ask(wrong + tokens.checksum(wrong), server_token) == "NOT_FOUND"
    redigests.flush()
    assert {row.pepper for row in Key.objects.filter(pk__in=[one.pk, key.pk])} == {"a"}
    assert ServerCredential.objects.get().pepper == "b"


def test_the_hot_path_writes_nothing_itself(settings, made, django_assert_num_queries):
    (_key, key_token), (_credential, server_token), _token = made
    settings.PEPPERS = {"b": B, "a": A}
    ask(key_token, server_token)
    assert Key.objects.get(pk=made[0][0].pk).pepper == "a"
    assert redigests.flush() == 2
    with django_assert_num_queries(0):
        assert redigests.flush() == 0


def test_memory_holds_no_token_and_is_bounded(settings, made, monkeypatch):
    (_key, key_token), (_credential, server_token), _token = made
    settings.PEPPERS = {"b": B, "a": A}
    ask(key_token, server_token)
    assert key_token[21:] not in repr(redigests._waiting)
    monkeypatch.setattr(peppers, "MOST_WAITING", 2)
    redigests.note("key", "another00000", tokens.generate(tokens.Kind.TEST).text, "a", b"")
    assert len(redigests._waiting) == 2


def test_a_digest_that_changed_meanwhile_is_left_alone(settings, made):
    (key, key_token), (_credential, server_token), _token = made
    settings.PEPPERS = {"b": B, "a": A}
    ask(key_token, server_token)
    Key.objects.filter(pk=key.pk).update(digest=b"x" * 32)
    redigests.flush()
    assert Key.objects.get(pk=key.pk).pepper == "a"


@pytest.mark.django_db(transaction=True)
def test_two_processes_that_move_the_same_key_leave_it_good(settings, transactional_db):
    owner = factories.make_user()
    company, server = factories.make_company(owner=owner), factories.make_server()
    key, token = factories.make_key(company, server, owner)
    credential = factories.make_credential(server)[1].text
    settings.PEPPERS = {"b": B, "a": A}
    each = [peppers.Redigests() for _ in range(4)]
    digest = bytes(Key.objects.get(pk=key.pk).digest)
    for one in each:
        one.note("key", key.pk, token.text, "a", digest)
    written = []

    def work(one):
        try:
            written.append(one.flush())
        finally:
            connections.close_all()

    threads = [Thread(target=work, args=(one,)) for one in each]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(written) == [0, 0, 0, 1]
    assert ask(token.text, credential) == "VALID"


def test_the_command_says_which_pepper_can_go(settings, made, company):
    (_key, key_token), (_credential, server_token), (_token, token_text) = made
    settings.PEPPERS = {"b": B, "a": A}
    code, out, _err = told()
    assert code == 0
    assert "a (old)\n  keys: 1 in force, 0 over\n  server credentials: 1 in force" in out
    assert "Still needed: see --list a." in out
    assert out.index("b (newest)") < out.index("a (old)")
    assert _named(told("--list", "a")[1]) == {"key", "credential", "token"}
    ask(key_token, server_token)
    management.check_token(token_text)
    redigests.flush()
    assert "Nothing in force needs it" in told()[1]
    assert told("--list", "a")[1] == ""


def _named(text):
    return {line.split()[0] for line in text.splitlines()}


def test_a_pepper_that_is_missing_is_an_error(settings, made):
    settings.PEPPERS = {"b": B}
    code, out, err = told()
    assert code == 1
    assert "a (not configured)" in out
    assert "LATCHKEY_PEPPERS lacks a" in err


def test_what_is_over_needs_no_pepper(settings, made):
    (key, _), (credential, _), (token, _) = made
    services.revoke_key(key=key, reason="over", actor=SYSTEM)
    ManagementToken.objects.update(expires_at=token.created_at + timedelta(seconds=0))
    ServerCredential.objects.update(revoked_at=credential.created_at)
    settings.PEPPERS = {"b": B, "a": A}
    assert peppers.ids_in_use() == []
    assert "keys: 0 in force, 1 over" in told()[1]


def test_webhook_secrets_survive_a_new_secret_key_without_its_fallback(settings, company, owner):
    endpoint, secret = create_endpoint(url="https://hooks.example.com/x", actor=Actor.user(owner), company=company)
    old = settings.SECRET_KEY
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = base64.b64encode(secrets.token_bytes(50)).decode(), [old]
    code, out, _err = told("--reencrypt")
    assert (code, out) == (0, "1 webhook secrets are encrypted under the present secret key.\n")
    settings.SECRET_KEY_FALLBACKS = []
    assert decrypt(Endpoint.objects.get(pk=endpoint.pk).secret) == secret


def test_a_secret_that_cannot_be_read_is_named(settings, company, owner):
    endpoint, _secret = create_endpoint(url="https://hooks.example.com/x", actor=Actor.user(owner), company=company)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another key" * 6, []
    code, _out, err = told("--reencrypt")
    assert code == 1
    assert endpoint.pk in err
