"""Verdicts in detail: what decides each, who is told what, and what is counted. Breaking the code must fail here."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from keys import services, tokens
from keys.batch import verify_many
from keys.models import Key, McpServer, ServerCredential
from keys.peppers import redigests
from keys.servers import services as servers
from keys.unknown_ids import PER_MINUTE, unknown_ids
from keys.usage.counter import counter
from keys.verdicts import MEANINGS, Code
from keys.verification import NotAuthenticated, Question, authenticate, kind_of, verify
from portal.audit.actors import SYSTEM
from portal.companies.models import Company, CompanyState, Membership
from portal.companies.roles import Role
from tests import factories

pytestmark = pytest.mark.django_db
TOOLS = [{"name": "look", "read_only": True}, {"name": "change"}]


@pytest.fixture(autouse=True)
def _counted_by_nobody():
    unknown_ids.clear()
    counter.flush(send=lambda *_: None)
    yield
    unknown_ids.clear()


@pytest.fixture
def ask(server_token):
    def ask(key: str, *, credential: str = server_token, **fields: Any) -> dict[str, Any]:
        """The verdict, the same alone and in a batch, but for the permit that each takes."""
        alone = verify(credential, Question(key, **fields), request_id="r1")
        (batched,) = verify_many(authenticate(credential), credential, [Question(key, **fields)], request_id="r1")
        assert batched | {"rate_limit": None} == alone | {"rate_limit": None}
        return alone

    return ask


def wrong(token: str) -> str:
    """The same id with another secret."""
    body = token.rpartition("_")[0] + "_" + "0" * 32
    return body + tokens.checksum(body)


def counts() -> list[list[Any]]:
    """What was counted since the last time: server, company, key, code, tool, client, count."""
    batches: list[Any] = []
    counter.flush(send=lambda _identifier, batch: batches.append(batch))
    return sorted(row[1:] for batch in batches for row in batch["counts"])


def test_a_refusal_is_whole(ask, key, key_token):
    services.revoke_key(key=key, reason="x", actor=SYSTEM)
    message = MEANINGS[Code.REVOKED].message
    assert ask(key_token) == {"valid": False, "code": "REVOKED", "message": message, "request_id": "r1"}


def test_a_company_learns_of_its_own_key_that_it_is_another_servers(ask, company, other_company, key_token):
    own, theirs = (
        factories.make_credential(factories.make_server(company=which))[1].text for which in (company, other_company)
    )
    assert ask(key_token, credential=own)["code"] == "WRONG_SERVER"
    assert ask(key_token, credential=theirs)["code"] == "NOT_FOUND"


def test_a_person_who_is_deactivated_takes_the_key_along(ask, key_token, owner):
    owner.is_active = False
    owner.save(update_fields=["is_active"])
    assert ask(key_token)["code"] == "REVOKED"


def test_revoked_comes_before_expired_and_expired_before_the_company(ask, key, key_token, company):
    Company.objects.filter(pk=company.pk).update(state=CompanyState.SUSPENDED)
    assert ask(key_token)["code"] == "COMPANY_INACTIVE"
    Key.objects.filter(pk=key.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert ask(key_token)["code"] == "EXPIRED"
    Key.objects.filter(pk=key.pk).update(revoked_at=timezone.now())
    assert ask(key_token)["code"] == "REVOKED"
    assert ask(wrong(key_token))["code"] == "NOT_FOUND"


def test_a_key_without_expiry_says_so_and_ends_with_its_overlap(ask, company, server, owner):
    key, token = factories.make_key(company, server, owner, expires_at=None)
    verdict = ask(token.text)
    assert (verdict["expires_at"], verdict["cache_seconds"]) == (None, 30)
    with time_machine.travel(datetime.fromisoformat("2026-11-25T10:00:00+00:00"), tick=False) as clock:
        services.rotate_key(key=key, overlap=timedelta(seconds=20), actor=SYSTEM)
        verdict = ask(token.text)
        assert (verdict["expires_at"], verdict["cache_seconds"]) == ("2026-11-25T10:00:20+00:00", 20)
        clock.shift(19.5)
        assert ask(token.text)["cache_seconds"] == 0
        clock.shift(0.5)
        assert ask(token.text)["code"] == "EXPIRED"


def test_an_overlap_ends_a_key_before_its_expiry(ask, key, key_token):
    soon, later = (timezone.now() + timedelta(seconds=wait) for wait in (10, 20))
    Key.objects.filter(pk=key.pk).update(overlap_ends_at=soon, expires_at=later)
    assert datetime.fromisoformat(ask(key_token)["expires_at"]) == soon.replace(microsecond=0)


def test_a_viewers_key_reaches_read_only_tools_whatever_it_was_given(ask, company, owner):
    server = factories.make_server(tools=TOOLS)
    _, credential = factories.make_credential(server)
    given = {
        name: factories.make_key(company, server, owner, scopes=scopes)[1].text
        for name, scopes in {"all": ["tools:*"], "read": ["tools:read"], "one": ["tool:change"]}.items()
    }

    def codes(name: str) -> list[str]:
        return [ask(given[name], credential=credential.text, tool=tool)["code"] for tool in (None, "look", "change")]

    assert codes("all") == ["VALID", "VALID", "VALID"]
    assert codes("read") == ["VALID", "VALID", "INSUFFICIENT_SCOPE"]
    assert codes("one") == ["VALID", "INSUFFICIENT_SCOPE", "VALID"]
    Membership.objects.filter(user=owner).update(role=Role.VIEWER)
    assert codes("all") == ["VALID", "VALID", "INSUFFICIENT_SCOPE"]
    assert codes("one") == ["VALID", "INSUFFICIENT_SCOPE", "INSUFFICIENT_SCOPE"]
    assert ask(given["all"], credential=credential.text)["scopes"] == ["tools:read"]
    assert ask(given["one"], credential=credential.text)["scopes"] == ["tool:change"]
    refused = ask(given["all"], credential=credential.text, tool="change")
    assert refused["required_scope"] == "tool:change"


def test_a_stopped_server_says_why_and_a_suspended_company_says_something_else(ask, company, server, key_token):
    servers.stop_server(server=server, reason="incident", actor=SYSTEM)
    stopped = ask(key_token)
    assert stopped["message"] == "The MCP server is stopped by its operator for now."
    servers.resume_server(server=server, actor=SYSTEM)
    Company.objects.filter(pk=company.pk).update(state=CompanyState.SUSPENDED)
    assert ask(key_token)["code"] == stopped["code"]
    assert ask(key_token)["message"] not in {"", stopped["message"]}


def test_a_limited_key_is_counted_as_such_and_says_when(company, server, server_token, owner):
    key, token = factories.make_key(company, server, owner, per_minute=1)
    with time_machine.travel(timezone.now(), tick=False):
        first, second = (verify(server_token, Question(token.text)) for _ in range(2))
    assert first["rate_limit"]["remaining"] == 0
    assert (second["valid"], second["code"], second["retry_after"]) == (False, "RATE_LIMITED", 60)
    assert second["rate_limit"]["limit"] == 1
    assert second["message"]
    assert [row[2:4] for row in counts()] == [[key.pk, "RATE_LIMITED"], [key.pk, "VALID"]]


def test_permits_of_a_batch_go_to_the_good_questions_in_their_order(company, server, server_token, owner):
    (one, first), (two, second) = (factories.make_key(company, server, owner, per_minute=n) for n in (1, 2))
    texts = [first.text, "nonsense", second.text, wrong(second.text), first.text, second.text]
    verdicts = verify_many(authenticate(server_token), server_token, [Question(text) for text in texts])
    assert [v["code"] for v in verdicts] == ["VALID", "MALFORMED", "VALID", "NOT_FOUND", "RATE_LIMITED", "VALID"]
    assert [v.get("key_id") for v in verdicts] == [one.pk, None, two.pk, None, None, two.pk]
    assert [v["rate_limit"]["remaining"] for v in verdicts if v["valid"]] == [0, 1, 0]


def test_what_is_counted_names_the_key_only_where_it_was_known(company, server, server_token, key, key_token):
    verify(server_token, Question(key_token, "whoami", "203.0.113.9", "gemini-cli"))
    verify(server_token, Question(key_token))
    verify(server_token, Question(wrong(key_token), client="x"))
    verify(server_token, Question("nonsense"))
    services.revoke_key(key=key, reason="x", actor=SYSTEM)
    verify(server_token, Question(key_token))
    assert counts() == sorted(
        [
            [server.pk, "", "", "MALFORMED", "", "", 1],
            [server.pk, "", "", "NOT_FOUND", "", "", 1],
            [server.pk, company.pk, key.pk, "VALID", "whoami", "gemini-cli", 1],
            [server.pk, company.pk, key.pk, "VALID", "", "", 1],
            [server.pk, company.pk, key.pk, "REVOKED", "", "", 1],
        ]
    )


def test_a_good_key_and_its_servers_credential_move_to_the_newest_pepper(settings, server_token, key, key_token):
    redigests.flush()
    settings.PEPPERS = {"newest": b"n" * 32} | settings.PEPPERS
    verify(server_token, Question(wrong(key_token)))
    redigests.flush()
    key.refresh_from_db()
    assert key.pepper != "newest"
    assert verify(server_token, Question(key_token))["valid"]
    redigests.flush()
    key.refresh_from_db()
    assert key.pepper == "newest"
    assert ServerCredential.objects.get().pepper == "newest"
    assert verify(server_token, Question(key_token))["valid"]


def test_where_a_key_was_seen_is_kept(server_token, key_token, key):
    verify(server_token, Question(key_token, "whoami", "203.0.113.9", "gemini-cli"))
    seen: list[Any] = []
    counter.flush(send=lambda _identifier, batch: seen.extend(batch["sightings"]))
    assert [row[:3] for row in seen] == [[key.pk, "203.0.113.9", "gemini-cli"]]


@pytest.mark.parametrize("in_batches", [False, True])
def test_a_flood_of_made_up_keys_is_refused_unseen_and_known_keys_go_on(server_token, key_token, in_batches):
    def ask_about(text: str) -> dict[str, Any]:
        question = Question(text, client_ip="203.0.113.9")
        if in_batches:
            return verify_many(authenticate(server_token), server_token, [question], request_id="r1")[0]
        return verify(server_token, question, request_id="r1")

    with time_machine.travel(timezone.now(), tick=False):
        assert ask_about(key_token)["valid"]
        made_up = [tokens.generate(tokens.Kind.TEST).text for _ in range(PER_MINUTE + 1)]
        assert {ask_about(text)["code"] for text in made_up[:-1]} == {"NOT_FOUND"}
        refused = ask_about(made_up[-1])
        assert refused == {
            "valid": False,
            "code": "RATE_LIMITED",
            "message": "Too many unknown keys were tried; wait a moment.",
            "request_id": "r1",
            "retry_after": 1,
        }
        assert ask_about(made_up[-1])["retry_after"] == 1  # what was not looked up is not counted against anybody
        assert ask_about(key_token)["valid"]
        assert ask_about("nonsense")["code"] == "MALFORMED"


def test_a_credential_ends_with_its_overlap_its_revocation_and_its_server(server, server_token, key_token):
    credential, token = factories.make_credential(server)
    with time_machine.travel(timezone.now(), tick=False) as clock:
        servers.rotate_credential(credential=credential, overlap=timedelta(seconds=60), actor=SYSTEM)
        assert authenticate(token.text).server_id == server.pk
        assert verify(token.text, Question(key_token))["valid"]
        clock.shift(60)
        for refused in (lambda: authenticate(token.text), lambda: verify(token.text, Question(key_token))):
            with pytest.raises(NotAuthenticated):
                refused()
    McpServer.objects.filter(pk=server.pk).update(archived_at=timezone.now())
    with pytest.raises(NotAuthenticated):
        authenticate(server_token)


@pytest.mark.parametrize("kind", [tokens.Kind.TEST, tokens.Kind.MANAGEMENT, tokens.Kind.SERVER])
def test_an_unknown_credential_or_one_of_another_kind_is_none(kind, key_token, server_token):
    for text in (tokens.generate(kind).text, wrong(server_token) if kind is tokens.Kind.SERVER else "", "x"):
        with pytest.raises(NotAuthenticated):
            authenticate(text)
        with pytest.raises(NotAuthenticated):
            verify(text, Question(key_token))


def test_a_credential_is_judged_at_the_moment_that_is_named(server):
    credential, token = factories.make_credential(server)
    servers.rotate_credential(credential=credential, overlap=timedelta(hours=1), actor=SYSTEM)
    now = timezone.now().timestamp()
    assert authenticate(token.text, now=now + 3_500)
    with pytest.raises(NotAuthenticated):
        authenticate(token.text, now=now + 3_700)


def test_tokens_of_keys_and_of_connections_are_told_apart(key_token):
    assert kind_of(key_token) == "key"
    assert kind_of(tokens.generate(tokens.Kind.ACCESS).text) == "connection"


def test_an_access_token_that_nobody_gave_is_not_found(ask):
    assert ask(tokens.generate(tokens.Kind.ACCESS).text)["code"] == "NOT_FOUND"


def test_a_verdict_can_be_written_as_json(ask, key_token):
    assert json.loads(json.dumps(ask(key_token)))["valid"]
