"""Reports of whoever holds a token: done without an account, and nothing is given away."""

from __future__ import annotations

import json
import logging
import time

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.utils import timezone

from keys import tokens
from keys.leaks import limits
from keys.leaks.finding import tokens_in
from keys.leaks.models import Leak
from keys.management_tokens import services as management
from keys.models import ManagementScope
from portal.audit.actors import SYSTEM
from portal.audit.models import AuditEvent
from tests import factories
from tests.keys.leaks.driving import SAID, committed, hold

pytestmark = pytest.mark.django_db


def every_kind(company, server, owner):
    access = {"company": company, "user": owner}
    key, key_token = factories.make_key(company, server, owner)
    credential, credential_token = factories.make_credential(factories.make_server("own", company=company))
    token, token_text = management.create_token(
        **access, name="ci", scopes=[ManagementScope.KEYS_READ], expires_at=None, actor=SYSTEM
    )
    return [(key, key_token), (credential, credential_token), (token, token_text)]


def test_whoever_holds_a_whole_token_has_it_revoked_without_an_account(company, server, owner):
    for thing, token in every_kind(company, server, owner):
        response = hold(f"found this in a paste: TOKEN={token.text};")
        assert response.status_code == 200
        thing.refresh_from_db()
        assert thing.state == "revoked"
    assert Leak.objects.count() == 3


def test_the_answer_is_the_same_for_every_token(key, key_token):
    unknown, revoked = tokens.generate(tokens.Kind.TEST).text, key_token
    first, again, never = hold(revoked), hold(revoked), hold(unknown)
    bodies = {strip(response.content.decode()) for response in (first, again, never)}
    assert len(bodies) == 1
    assert SAID in bodies.pop()
    api = [
        Client().post("/api/v1/leaks/report", {"token": text}, content_type="application/json")
        for text in (revoked, unknown)
    ]
    assert {(answer.status_code, answer.content) for answer in api} == {(202, api[0].content)}


def strip(page):
    import re

    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", page)


def test_the_answer_takes_the_same_time_for_every_token(settings, key_token):
    settings.LEAK_REPORT_SECONDS = 0.3
    unknown = tokens.generate(tokens.Kind.TEST).text
    taken = []
    for text in (unknown, key_token, unknown, key_token):
        began = time.perf_counter()
        hold(text)
        taken.append(time.perf_counter() - began)
    assert min(taken) >= 0.3
    assert max(taken) - min(taken) < 0.15


def test_half_a_token_does_nothing_and_is_told(key, key_token):
    for text in (key_token[:-1], key_token[:20], "hello", key_token[:-1] + "0" * (key_token[-1] != "0") + "x"):
        response = hold(text)
        assert response.status_code == 400
        assert text not in response.content.decode() or text == "hello"
    api = Client().post("/api/v1/leaks/report", {"token": key_token[:-1]}, content_type="application/json")
    assert api.status_code == 400
    key.refresh_from_db()
    assert key.state == "active"


def test_what_was_pasted_is_nowhere_afterwards(key_token, caplog, db):
    client = Client()
    with caplog.at_level(logging.DEBUG):
        response = hold(key_token, client)
    secret = key_token[20:]
    assert secret not in response.content.decode()
    assert secret not in caplog.text
    assert "no-store" in response["Cache-Control"]
    assert secret not in str(dict(client.session))
    assert secret not in json.dumps([list(Leak.objects.values()), list(AuditEvent.objects.values())], default=str)


def test_a_token_in_the_address_does_nothing(key, key_token):
    Client().get("/leaked/", {"token": key_token})
    key.refresh_from_db()
    assert key.state == "active"


def test_reports_are_limited_by_address(db):
    text = tokens.generate(tokens.Kind.TEST).text
    with time_machine.travel(timezone.now(), tick=False):
        for _ in range(limits.MOST):
            assert hold(text).status_code == 200
        refused = hold(text)
        api = Client().post("/api/v1/leaks/report", {"token": text}, content_type="application/json")
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 0
    assert api.status_code == 429
    elsewhere = Client(REMOTE_ADDR="203.0.113.77")
    assert hold(text, elsewhere).status_code == 200


def test_the_mail_of_a_holders_report_carries_no_address_of_theirs(key_token, django_capture_on_commit_callbacks):
    committed(
        django_capture_on_commit_callbacks,
        lambda: Client().post(
            "/leaked/", {"token": f"{key_token} https://evil.example/", "url": "https://evil.example"}
        ),
    )
    assert "evil" not in mail.outbox[0].body
    assert "Somebody who has its whole value" in mail.outbox[0].body


def test_the_form_is_checked_for_forgery(key, key_token):
    assert Client(enforce_csrf_checks=True).post("/leaked/", {"token": key_token}).status_code == 403
    key.refresh_from_db()
    assert key.state == "active"


def test_tokens_are_found_in_text_at_their_borders():
    text = tokens.generate(tokens.Kind.LIVE).text
    for around in ("{}", "key={}", '"{}",', "{}\n", "({})", "https://x/?k={}&y"):
        assert [token.text for token in tokens_in(around.format(text), 5)] == [text]
    for around in ("x{}", "{}x", "_{}", "{}_"):
        assert tokens_in(around.format(text), 5) == []
    many = " ".join(tokens.generate(tokens.Kind.LIVE).text for _ in range(9))
    assert len(tokens_in(many, 5)) == 5
