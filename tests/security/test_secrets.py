"""Peppers, logs, equal work for every kind of wrong key, revocation without a queue, and dead keys that stay dead."""

from __future__ import annotations

import hmac
import json
import logging
import re
import statistics
import time
import tomllib
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from kombu.exceptions import OperationalError

from keys import services, tokens
from keys.models import Key
from keys.verification import Question, verify
from keys.webhooks.endpoints import create_endpoint
from keys.webhooks.tasks import deliver
from portal.audit.actors import SYSTEM, Actor
from portal.audit.models import AuditEvent
from portal.companies.services import close_company, reactivate_company, suspend_company
from portal.logs import JsonFormatter, LineFormatter, RedactTokens
from tests import factories

ROOT = Path(__file__).resolve().parent.parent.parent
OLD, NEW = bytes(range(32)), bytes(range(32, 64))


@pytest.fixture
def ask(client: Client, server_token: str):
    def ask(text: str) -> dict:
        response = client.post(
            "/api/v1/keys/verify", json.dumps({"key": text}), content_type="application/json",
            headers={"Authorization": f"Bearer {server_token}"},
        )  # fmt: skip
        assert response.status_code == 200, response.content
        return response.json()

    return ask


@pytest.mark.django_db
def test_a_pepper_is_changed_while_old_keys_go_on(settings, client, company, server, owner):
    settings.PEPPERS = {"a": OLD}
    _, old = factories.make_key(company, server, owner)

    def code(text):
        return client.post(
            "/api/v1/keys/verify", json.dumps({"key": text}), content_type="application/json",
            headers={"Authorization": f"Bearer {fresh.text}"},
        ).json()["code"]  # fmt: skip

    settings.PEPPERS = {"b": NEW, "a": OLD}
    _, fresh = factories.make_credential(server)
    made, new = factories.make_key(company, server, owner)
    assert made.pepper == "b"
    assert [code(old.text), code(new.text)] == ["VALID", "VALID"]
    settings.PEPPERS = {"b": NEW}
    assert [code(old.text), code(new.text)] == ["NOT_FOUND", "VALID"]


@pytest.mark.django_db
def test_an_unknown_id_a_wrong_secret_and_a_revoked_key_take_the_same_work(ask, made_key, owner, monkeypatch):
    """S17: what time could tell apart is the number of digests and of queries."""
    key, good = made_key
    body = f"lk_test_{key.pk}_" + "0" * 32
    wrong = body + tokens.checksum(body)
    unknown = tokens.generate(tokens.Kind.TEST).text
    services.revoke_key(key=key, reason="leaked", actor=Actor.user(owner))
    ask(tokens.generate(tokens.Kind.TEST).text)  # the first of a process finds no bucket of unknown ids to look into
    digests = []
    real = hmac.digest
    monkeypatch.setattr(tokens.hmac, "digest", lambda *given: digests.append(1) or real(*given))
    work = {}
    for name, text in {"unknown": unknown, "wrong": wrong, "revoked": good}.items():
        digests.clear()
        with CaptureQueriesContext(connection) as queries:
            ask(text)
        work[name] = (len(digests), len(queries))
    assert work["unknown"] == work["wrong"]
    # A revoked key costs no note against floods of unknown ones, which is one digest: three millionths of a second.
    assert work["revoked"][1] == work["unknown"][1]
    assert 0 <= work["unknown"][0] - work["revoked"][0] <= 1


@pytest.mark.django_db
def test_an_unknown_id_a_wrong_secret_and_a_revoked_key_take_the_same_time(made_key, server_token, owner, capsys):
    """S17, by the clock: medians of questions that take turns, in processor time, which other work does not prolong.

    A tenth of a verdict is some 15 µs. Over a network, answers to the same question differ by hundreds.
    """
    key, good = made_key
    body = f"lk_test_{key.pk}_" + "0" * 32
    texts = {
        "unknown": tokens.generate(tokens.Kind.TEST).text, "wrong": body + tokens.checksum(body), "revoked": good,
    }  # fmt: skip
    services.revoke_key(key=key, reason="leaked", actor=Actor.user(owner))
    took: dict[str, list[float]] = {name: [] for name in texts}
    names = list(texts)
    for number in range(450):
        for name in names[number % 3 :] + names[: number % 3]:
            began = time.thread_time()
            verdict = verify(server_token, Question(texts[name]))
            took[name].append(time.thread_time() - began)
            assert not verdict["valid"]
    medians = {name: statistics.median(times[50:]) for name, times in took.items()}
    with capsys.disabled():
        print("\n" + ", ".join(f"{name} {found * 1e6:.1f} µs" for name, found in medians.items()))
    assert medians["unknown"] == pytest.approx(medians["wrong"], rel=0.15)
    assert medians["revoked"] == pytest.approx(medians["wrong"], rel=0.25)


@pytest.mark.parametrize("formatter", [LineFormatter(), JsonFormatter()])
def test_a_log_line_is_one_line_without_secrets(formatter):
    token = tokens.generate(tokens.Kind.LIVE)
    try:
        raise ValueError(f"refused {token.text} with 4242 4242 4242 4242")
    except ValueError as error:
        record = logging.LogRecord(
            "keys", logging.ERROR, "", 0, "asked by %s\n12:00:00 INFO forged %s whsec_abcdefghijkl",
            ("someone\r\nelse", token.text), (ValueError, error, error.__traceback__),
        )  # fmt: skip
    RedactTokens().filter(record)
    line = formatter.format(record)
    assert token.text[-38:] not in line
    assert "4242 4242" not in line
    assert "abcdefghijkl" not in line
    assert f"lk_live_{token.id}_[secret]" in line
    assert not re.search(r"^12:00:00 INFO forged", line, re.MULTILINE)
    assert not re.search(r"^else", line, re.MULTILINE)


@pytest.mark.django_db
def test_staff_revoke_while_the_queue_is_away(
    staff_client, ask, made_key, company, owner, monkeypatch, django_capture_on_commit_callbacks
):
    key, text = made_key
    create_endpoint(url="https://hooks.example.com/x", actor=Actor.user(owner), company=company)

    def refuse(*_given, **_more):
        raise OperationalError("connection refused")

    monkeypatch.setattr(deliver, "apply_async", refuse)
    with django_capture_on_commit_callbacks(execute=True):
        response = staff_client.post(
            reverse("staff:key_revoke", args=[key.pk]), {"why": "Other", "note": "found in a public repository"}
        )
    assert response.status_code == 302, response.context["form"].errors
    assert ask(text)["code"] == "REVOKED"
    assert AuditEvent.objects.filter(action="key:revoked", target_id=key.pk).count() == 1


@pytest.mark.django_db
def test_reactivation_brings_no_revoked_key_back(ask, made_key, company, server, owner):
    key, leaked = made_key
    _, other = factories.make_key(company, server, owner)
    services.revoke_key(key=key, reason="leaked", actor=SYSTEM)
    suspend_company(company=company, reason="checked", actor=SYSTEM)
    assert ask(other.text)["code"] == "COMPANY_INACTIVE"
    company.refresh_from_db()
    reactivate_company(company=company, actor=SYSTEM)
    assert ask(leaked)["code"] == "REVOKED"
    assert ask(other.text)["code"] == "VALID"


@pytest.mark.django_db
def test_closing_a_company_revokes_its_keys_for_good(ask, made_key, company):
    close_company(company=company, actor=SYSTEM)
    assert ask(made_key[1])["code"] == "REVOKED"
    assert not Key.objects.filter(company=company, revoked_at=None).exists()


def test_every_dependency_is_explained():
    named = (ROOT / "docs" / "decisions" / "dependencies.md").read_text().lower()
    wanted = [re.split(r"[\[<>=~! ]", line)[0] for line in (ROOT / "requirements.in").read_text().split("\n") if line]
    wanted = [name for name in wanted if name and not name.startswith(("#", "-"))]
    assert [name for name in wanted if f"`{name.lower()}`" not in named] == []
    wheel = tomllib.loads((ROOT / "keys" / "verifier" / "pyproject.toml").read_text())["project"]["dependencies"]
    assert [re.split(r"[<>=~! ]", name)[0] for name in wheel] == ["httpx"]
