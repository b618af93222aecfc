"""Reports of GitHub: only true ones do something, once."""

from __future__ import annotations

import base64
import hashlib
import json
from unittest.mock import patch

import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from keys import tokens
from keys.leaks import github
from keys.leaks.models import Leak
from keys.webhooks import outgoing
from keys.webhooks.endpoints import create_endpoint
from keys.webhooks.models import Event
from portal.audit.actors import Actor
from portal.audit.models import AuditEvent
from portal.audit.services import verify_chain
from tests.keys.leaks.driving import PLACE, committed, hit, listed, public_pem, report

pytestmark = pytest.mark.django_db


def test_a_true_hit_is_revoked_recorded_told_and_answered(
    github_key, key, key_token, owner, company, server_token, django_capture_on_commit_callbacks
):
    create_endpoint(url="https://hooks.example.com/x", actor=Actor.user(owner), company=company)
    with patch("keys.webhooks.delivery.attempt"):
        response = committed(django_capture_on_commit_callbacks, lambda: report(github_key, [hit(key_token)]))
    assert response.status_code == 200
    digest = hashlib.sha256(key_token.encode()).hexdigest()
    assert response.json() == [{"token_hash": digest, "token_type": "latchkey_key", "label": "true_positive"}]
    key.refresh_from_db()
    assert key.state == "revoked"
    assert PLACE in key.revoked_reason
    leak = Leak.objects.get()
    assert (leak.kind, leak.subject_id, leak.source, leak.outcome, leak.url) == (
        "key", key.pk, "github", "revoked", PLACE
    )  # fmt: skip
    events = AuditEvent.objects.filter(chain=company.pk, incident_id=leak.incident_id)
    assert set(events.values_list("action", flat=True)) == {"key:revoked", "leak:reported"}
    assert verify_chain(company.pk).intact
    told = Event.objects.get(type="key.leaked")
    assert (told.data["url"], told.data["revoked"], told.data["key"]["id"]) == (PLACE, True, key.pk)
    (message,) = [one for one in mail.outbox if one.to == [owner.email]]
    assert PLACE in message.body
    assert f"/keys/{key.pk}/" in message.body
    assert "What to do now" in message.body
    everything = json.dumps([message.body, message.subject, told.data, list(events.values())], default=str)
    assert key_token not in everything
    verdict = Client().post(
        "/api/v1/keys/verify", {"key": key_token}, content_type="application/json",
        headers={"Authorization": f"Bearer {server_token}"},
    )  # fmt: skip
    assert verdict.json()["code"] == "REVOKED"


def test_the_same_report_again_changes_nothing(github_key, key_token, company, django_capture_on_commit_callbacks):
    for _ in range(3):
        response = committed(django_capture_on_commit_callbacks, lambda: report(github_key, [hit(key_token)] * 2))
        assert [row["label"] for row in response.json()] == ["true_positive", "true_positive"]
    assert Leak.objects.get().count == 6
    assert AuditEvent.objects.filter(action="leak:reported").count() == 1
    assert len(mail.outbox) == 1


def test_another_place_of_a_key_that_is_revoked_already_is_noted_and_wakes_nobody(
    github_key, key_token, django_capture_on_commit_callbacks
):
    for place in (PLACE, "https://github.com/octocat/other/blob/1/x"):
        committed(django_capture_on_commit_callbacks, lambda at=place: report(github_key, [hit(key_token, at)]))
    assert sorted(Leak.objects.values_list("outcome", flat=True)) == ["ended", "revoked"]
    assert len(mail.outbox) == 1


def test_tokens_that_are_not_ours_do_nothing(github_key, key, key_token):
    made_up = tokens.generate(tokens.Kind.TEST).text
    other_secret = "lk_test_" + key.pk + tokens.generate(tokens.Kind.TEST).text[20:-6]
    wrong = other_secret + tokens.checksum(other_secret)
    response = report(github_key, [hit(made_up), hit("ghp_something"), hit(key_token[:-1] + "!"), hit(wrong)])
    assert {row["label"] for row in response.json()} == {"false_positive"}
    key.refresh_from_db()
    assert key.state == "active"
    assert not Leak.objects.exists()
    assert not AuditEvent.objects.filter(action="leak:reported").exists()


def test_a_signature_that_is_not_githubs_over_these_very_bytes_is_refused(github_key, key, key_token):
    good = json.dumps([hit(key_token)]).encode()
    sign = base64.b64encode(github_key.sign(good, ec.ECDSA(SHA256()))).decode()
    other = ec.generate_private_key(ec.SECP256R1())
    answers = [
        report(other, [hit(key_token)]),
        report(github_key, [hit(key_token)], key_id="key-2"),
        report(github_key, [hit(key_token)], key_id=""),
        report(github_key, [], body=good + b" ", signature=sign),
        report(github_key, [hit(key_token)], signature="not base64"),
        report(github_key, [hit(key_token)], signature=base64.b64encode(b"0" * 70).decode()),
    ]
    assert [answer.status_code for answer in answers] == [401] * 6
    assert {answer["Content-Type"] for answer in answers} == {"application/problem+json"}
    key.refresh_from_db()
    assert key.state == "active"
    assert report(github_key, [], body=good, signature=sign).status_code == 200


def test_only_p256_keys_count(settings, key_token):
    private = ec.generate_private_key(ec.SECP384R1())
    settings.GITHUB_KEYS = listed({"key-1": private})
    assert report(private, [hit(key_token)]).status_code == 401


def test_what_is_signed_is_bounded_and_checked(github_key):
    assert report(github_key, [hit("x")] * 501).status_code == 413
    assert report(github_key, [], body=b"[" + b" " * (512 * 1024) + b"]").status_code == 413
    for body in (b"{}", b"[1]", b"nonsense", b'[{"type": "x"}]', b"[[[[[[", b"\xff\xfe"):
        assert report(github_key, [], body=body).status_code == 400
    assert report(github_key, []).json() == []


def test_without_keys_there_is_no_such_endpoint(settings, key_token):
    settings.GITHUB_KEYS = settings.GITHUB_KEYS_URL = ""
    response = report(ec.generate_private_key(ec.SECP256R1()), [hit(key_token)])
    assert response.status_code == 404
    assert "no public keys are set up" in response.json()["detail"]


def test_keys_can_be_given_as_a_pem_file(settings, key_token, key):
    private = ec.generate_private_key(ec.SECP256R1())
    settings.GITHUB_KEYS = public_pem(ec.generate_private_key(ec.SECP256R1())) + "\n" + public_pem(private)
    assert report(private, [hit(key_token)], key_id="whatever").status_code == 200
    key.refresh_from_db()
    assert key.state == "revoked"


def test_keys_are_fetched_once_kept_and_fetched_again_for_a_new_id(settings, key_token):
    settings.GITHUB_KEYS, settings.GITHUB_KEYS_URL = "", "https://api.example.com/keys"
    one, two = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    published, asked = {"key-1": one}, []

    def send(method, url, **options):
        asked.append((method, url, options["largest"], options["timeout"], options["private_allowed"]))
        return outgoing.Answer(200, listed(published).encode())

    with patch.object(outgoing, "send", send):
        assert report(one, [hit(key_token)]).status_code == 200
        assert report(one, [hit(key_token)]).status_code == 200
        assert asked == [("GET", "https://api.example.com/keys", 64 * 1024, 5.0, True)]
        published["key-2"] = two
        assert report(two, [hit(key_token)], key_id="key-2").status_code == 401  # asked a moment ago
        cache.delete(github._ASKED)
        assert report(two, [hit(key_token)], key_id="key-2").status_code == 200
        for number in range(5):
            report(two, [], key_id=f"made-up-{number}")
    assert len(asked) == 2


@pytest.mark.parametrize(
    "failure", [outgoing.UnknownHost(), outgoing.AddressRefused(), OSError(), outgoing.Answer(500, b""),
                outgoing.Answer(200, b"<html>"), outgoing.Answer(200, b'{"public_keys": 3}')],
    ids=lambda failure: f"{type(failure).__name__}-{getattr(failure, 'body', b'')[:6]!r}",
)  # fmt: skip
def test_keys_that_cannot_be_had_refuse_the_report(settings, key_token, failure):
    settings.GITHUB_KEYS, settings.GITHUB_KEYS_URL = "", "https://api.example.com/keys"
    effect = {"side_effect": failure} if isinstance(failure, Exception) else {"return_value": failure}
    with patch.object(outgoing, "send", **effect):
        assert report(ec.generate_private_key(ec.SECP256R1()), [hit(key_token)]).status_code == 401


def test_bad_signatures_are_limited_by_address(github_key):
    other = ec.generate_private_key(ec.SECP256R1())
    with time_machine.travel(timezone.now(), tick=False):  # within one minute
        codes = [report(other, []).status_code for _ in range(62)]
    assert codes[0] == 401
    assert codes[-1] == 429


def test_a_place_that_could_deceive_is_left_out(github_key, key_token, django_capture_on_commit_callbacks):
    place = "https://github.com@evil.example/ run this"
    committed(django_capture_on_commit_callbacks, lambda: report(github_key, [hit(key_token, place)]))
    assert Leak.objects.get().url == ""
    assert "evil" not in mail.outbox[0].body
