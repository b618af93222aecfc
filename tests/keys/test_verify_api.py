"""POST /api/v1/keys/verify: every code, and every way to ask wrongly."""

import json
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from keys import records, services, tokens
from keys.api import throttling
from keys.models import Key
from keys.servers import services as servers
from keys.usage.counter import counter
from portal.audit.actors import SYSTEM
from portal.companies.models import Company, CompanyState, Membership
from portal.companies.roles import Role
from tests import factories

pytestmark = pytest.mark.django_db
URL = "/api/v1/keys/verify"


@pytest.fixture
def ask(client: Client, server_token: str):
    def ask(key, *, token=None, status=200, **fields):
        response = client.post(
            URL,
            json.dumps({"key": key, **fields}),
            content_type="application/json",
            headers={"Authorization": f"Bearer {token or server_token}"},
        )
        assert response.status_code == status, response.content
        return response.json()

    return ask


def test_the_limit_stands_in_the_headers_too(client, key_token, server_token):
    headers = {"Authorization": f"Bearer {server_token}"}
    response = client.post(URL, json.dumps({"key": key_token}), content_type="application/json", headers=headers)
    assert response["RateLimit-Policy"] == '"key";q=600'
    assert response["RateLimit"] == '"key";r=599;t=1'
    refused = client.post(URL, json.dumps({"key": "no key"}), content_type="application/json", headers=headers)
    assert "RateLimit" not in refused


def test_a_good_key_is_valid_and_says_who_it_is(ask, key, key_token, owner, company, server):
    verdict = ask(key_token, tool="get_companies", client_ip="203.0.113.9", client="gemini-cli")
    assert verdict == {
        "valid": True,
        "code": "VALID",
        "kind": "key",
        "key_id": key.pk,
        "key_name": "Owner's key",
        "company": {"id": company.pk, "name": "Acme", "slug": company.slug},
        "user": {"id": owner.pk, "name": "Olivia Owner", "email": "owner@example.com"},
        "server": {"id": server.pk, "name": "growerp-system"},
        "scopes": ["tools:*"],
        "expires_at": key.expires_at.astimezone(UTC).isoformat(timespec="seconds"),
        "rate_limit": verdict["rate_limit"],
        "cache_seconds": 30,
        "request_id": verdict["request_id"],
    }
    assert verdict["rate_limit"]["limit"] == 600
    assert verdict["rate_limit"]["remaining"] == 599


@pytest.mark.parametrize("text", ["x", "lk_live_short", "null", "lk_test_000000000000_" + "A" * 38])
def test_malformed(ask, text):
    with records_counted() as count:
        assert ask(text)["code"] == "MALFORMED"
    assert [call.args[1] for call in count.mock.call_args_list] == [""]  # no look-up of a key (S33)


def test_a_management_or_server_token_is_no_key(ask, server_token):
    assert ask(server_token)["code"] == "MALFORMED"


def test_an_unknown_key_is_not_found(ask, key_token, key):
    Key.objects.filter(pk=key.pk).delete()
    assert ask(key_token)["code"] == "NOT_FOUND"


def test_a_wrong_secret_is_not_found(ask, key):
    body = f"lk_test_{key.pk}_" + "0" * 32
    assert ask(body + tokens.checksum(body))["code"] == "NOT_FOUND"


def test_a_revoked_key_is_refused_from_the_moment_the_revocation_returns(ask, key, key_token, owner):
    assert ask(key_token)["valid"]
    services.revoke_key(key=key, reason="leaked", actor=SYSTEM)
    verdict = ask(key_token)
    assert (verdict["valid"], verdict["code"]) == (False, "REVOKED")
    assert verdict["message"]


def test_an_expired_key_is_refused(ask, key, key_token):
    with time_machine.travel(key.expires_at - timedelta(seconds=5), tick=False):
        verdict = ask(key_token)
        assert verdict["code"] == "VALID"
        assert verdict["cache_seconds"] == 5
    with time_machine.travel(key.expires_at, tick=False):
        assert ask(key_token)["code"] == "EXPIRED"


@pytest.mark.parametrize("state", [CompanyState.SUSPENDED, CompanyState.CLOSED, CompanyState.PENDING])
def test_an_inactive_company_is_refused(ask, key_token, company, state):
    Company.objects.filter(pk=company.pk).update(state=state)
    assert ask(key_token)["code"] == "COMPANY_INACTIVE"


def test_the_operators_other_server_learns_that_the_key_is_another_servers(ask, key_token):
    _, other = factories.make_credential(factories.make_server())
    assert ask(key_token, token=other.text)["code"] == "WRONG_SERVER"


def test_a_strangers_server_learns_nothing(client, key_token, other_company):
    """S40: an unknown key and somebody else's answer alike, to the byte."""
    _, theirs = factories.make_credential(factories.make_server(company=other_company))
    answers = {
        client.post(
            URL,
            json.dumps({"key": text}),
            content_type="application/json",
            headers={"Authorization": f"Bearer {theirs.text}", "X-Request-Id": "the-same-request"},
        ).content
        for text in (key_token, tokens.generate(tokens.Kind.TEST).text)
    }
    assert len(answers) == 1
    assert json.loads(answers.pop())["code"] == "NOT_FOUND"


def test_a_key_without_the_scope_is_told_which_would_do(ask, company, server, owner):
    _, token = factories.make_key(company, server, owner, scopes=["tool:whoami"])
    assert ask(token.text, tool="whoami")["valid"]
    verdict = ask(token.text, tool="get_companies")
    assert (verdict["code"], verdict["required_scope"]) == ("INSUFFICIENT_SCOPE", "tools:read")
    verdict = ask(token.text, tool="something_else")
    assert (verdict["code"], verdict["required_scope"]) == ("INSUFFICIENT_SCOPE", "tool:something_else")


def test_scopes_stay_within_the_role_of_the_member(ask, company, server, owner):
    """S35: at use too."""
    server = servers.update_server(
        server=server, actor=SYSTEM, tools=[{"name": "read_it", "read_only": True}, {"name": "change_it"}]
    )
    _, token = factories.make_key(company, server, owner, scopes=["tools:*"])
    assert ask(token.text, tool="change_it")["valid"]
    Membership.objects.filter(user=owner).update(role=Role.VIEWER)
    assert ask(token.text, tool="read_it")["valid"]
    assert ask(token.text, tool="change_it")["code"] == "INSUFFICIENT_SCOPE"


def test_a_member_who_is_gone_takes_the_key_along(ask, key_token, owner):
    Membership.objects.filter(user=owner).delete()
    assert ask(key_token)["code"] == "REVOKED"


@pytest.mark.parametrize(
    ("ranges", "address", "code"),
    [
        (["203.0.113.0/24"], "203.0.113.77", "VALID"),
        (["203.0.113.0/24"], "::ffff:203.0.113.77", "VALID"),
        (["203.0.113.0/24"], "203.0.114.1", "IP_DENIED"),
        (["203.0.113.0/24"], "2001:db8::1", "IP_DENIED"),
        (["2001:db8::/32"], "2001:db8::1", "VALID"),
        (["203.0.113.0/24"], None, "IP_DENIED"),
    ],
)
def test_an_allow_list_holds(ask, company, server, owner, ranges, address, code):
    _, token = factories.make_key(company, server, owner, allowed_ips=ranges)
    assert ask(token.text, client_ip=address)["code"] == code


def test_a_limited_key_is_told_when_to_come_back(ask, company, server, owner):
    _, token = factories.make_key(company, server, owner, per_minute=2)
    with time_machine.travel(datetime(2026, 11, 22, 12, tzinfo=UTC), tick=False) as clock:
        assert [ask(token.text)["code"] for _ in range(3)] == ["VALID", "VALID", "RATE_LIMITED"]
        verdict = ask(token.text)
        assert verdict["retry_after"] == 30
        assert verdict["rate_limit"] == {"limit": 2, "remaining": 0, "reset_at": "2026-11-22T12:00:30+00:00"}
        clock.shift(30)
        assert ask(token.text)["code"] == "VALID"


def test_a_month_has_its_quota(ask, company, server, owner):
    _, token = factories.make_key(company, server, owner, per_month=1)
    with time_machine.travel(datetime(2026, 11, 30, 23, 59, 50, tzinfo=UTC), tick=False) as clock:
        assert [ask(token.text)["code"] for _ in range(2)] == ["VALID", "RATE_LIMITED"]
        assert ask(token.text)["rate_limit"]["reset_at"] == "2026-12-01T00:00:00+00:00"
        clock.shift(10)
        assert ask(token.text)["code"] == "VALID"


def test_a_refused_call_takes_nothing_from_the_limit(ask, company, server, owner):
    _, token = factories.make_key(company, server, owner, per_minute=1, scopes=["tool:whoami"])
    for _ in range(5):
        assert ask(token.text, tool="get_users")["code"] == "INSUFFICIENT_SCOPE"
    assert ask(token.text, tool="whoami")["code"] == "VALID"


def test_a_stopped_server_refuses_everything(ask, key_token, server):
    servers.stop_server(server=server, reason="incident", actor=SYSTEM)
    verdict = ask(key_token)
    assert (verdict["code"], "stopped" in verdict["message"]) == ("COMPANY_INACTIVE", True)
    servers.resume_server(server=server, actor=SYSTEM)
    assert ask(key_token)["valid"]


def test_a_rotated_key_lives_through_its_overlap_and_no_longer(ask, key, key_token, owner):
    with time_machine.travel(timezone.now(), tick=False) as clock:
        _, new = services.rotate_key(key=key, overlap=timedelta(hours=1), actor=SYSTEM)
        assert ask(key_token)["valid"]
        assert ask(new.text)["valid"]
        clock.shift(3600)
        assert ask(key_token)["code"] == "EXPIRED"
        assert ask(new.text)["valid"]


@pytest.mark.parametrize(
    ("headers", "challenge"),
    [
        ({}, 'Bearer realm="latchkey"'),
        ({"Authorization": "Basic eDp5"}, 'Bearer realm="latchkey"'),
        ({"Authorization": "Bearer nonsense"}, 'Bearer realm="latchkey", error="invalid_token"'),
    ],
)
def test_a_caller_without_a_credential_learns_nothing(client, key_token, headers, challenge):
    """S16."""
    response = client.post(URL, json.dumps({"key": key_token}), content_type="application/json", headers=headers)
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == challenge
    assert response["Content-Type"] == "application/problem+json"
    assert key_token not in response.content.decode()
    assert "REVOKED" not in response.content.decode()


def test_a_key_is_no_credential(ask, key_token):
    """S34: an MCP key cannot even ask about itself."""
    assert ask(key_token, token=key_token, status=401)["status"] == 401


def test_a_revoked_credential_is_refused_at_once(ask, key_token, server):
    credential, token = factories.make_credential(server)
    assert ask(key_token, token=token.text)["valid"]
    servers.revoke_credential(credential=credential, reason="leaked", actor=SYSTEM)
    assert ask(key_token, token=token.text, status=401)


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b" ", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"{", "application/json", 400),
        (b'{"key": 1}', "application/json", 400),
        (b'{"key": ""}', "application/json", 400),
        (b'{"tool": "x"}', "application/json", 400),
        (b'{"key": "x", "tool": 3}', "application/json", 400),
        (b'{"key": "x", "tool": "a\\nb"}', "application/json", 400),
        (b'{"key": "x", "client_ip": "somewhere"}', "application/json", 400),
        (b'{"key": "' + b"x" * 600 + b'"}', "application/json", 400),
        (b'{"key": "\xff"}', "application/json", 400),
        (b"[" * 100_000, "application/json", 413),
        (b"[" * 5_000, "application/json", 400),
        (b'{"key": "x"}', "text/plain", 415),
        (b"key=x", "application/x-www-form-urlencoded", 415),
    ],
)
def test_a_wrong_request_gets_a_problem_that_says_what_is_wrong(client, server_token, body, content_type, status):
    response = client.generic(
        "POST", URL, body, content_type=content_type, headers={"Authorization": f"Bearer {server_token}"}
    )
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert problem["detail"]
    assert problem["request_id"] == response["X-Request-Id"]


def test_only_post_is_answered(client, server_token):
    response = client.get(URL, headers={"Authorization": f"Bearer {server_token}"})
    assert response.status_code == 405
    assert "POST" in response["Allow"]


def test_a_verdict_is_never_cached_by_anyone(client, server_token, key_token):
    response = client.post(
        URL, json.dumps({"key": key_token}), content_type="application/json",
        headers={"Authorization": f"Bearer {server_token}"},
    )  # fmt: skip
    assert response["Cache-Control"] == "no-store"
    assert not response.cookies


def test_guessing_credentials_is_refused_before_the_database_is_asked(client, key_token):
    """S18, S37."""
    for number in range(throttling.MOST_FAILURES):
        response = client.post(
            URL, json.dumps({"key": key_token}), content_type="application/json",
            headers={"Authorization": f"Bearer wrong{number}"},
        )  # fmt: skip
        assert response.status_code == 401
    with records_counted() as count:
        response = client.post(URL, b"{}", content_type="application/json", headers={"Authorization": "Bearer wrong"})
    assert response.status_code == 429
    assert 0 < int(response["Retry-After"]) <= 61
    assert count() == 0


def test_another_address_is_not_slowed_by_the_flood(client, ask, key_token):
    for _ in range(throttling.MOST_FAILURES):
        client.post(
            URL,
            b"{}",
            content_type="application/json",
            headers={"Authorization": "Bearer wrong"},
            REMOTE_ADDR="192.0.2.1",
        )
    assert ask(key_token)["valid"]


def test_a_verdict_costs_at_most_one_query(ask, key_token, django_assert_num_queries):
    ask(key_token)  # the month's quota is read once
    with records_counted() as count, django_assert_num_queries(0):
        ask(key_token, tool="get_companies")
    assert count() <= 1


def test_the_database_away_fails_closed(ask, key_token, monkeypatch):
    """S20."""

    def away(*_args, **_options):
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(records, "_one_row", away)
    problem = ask(key_token, status=503)
    assert problem["type"].endswith("/database-unavailable")


def test_what_was_verified_is_counted(ask, key_token, key, server, company):
    ask(key_token, tool="get_companies", client="gemini-cli", client_ip="203.0.113.9")
    ask("nonsense")
    batches = []
    counter.flush(send=lambda identifier, batch: batches.append(batch))
    counts = {tuple(row[1:]) for batch in batches for row in batch["counts"]}
    assert (server.pk, company.pk, key.pk, "VALID", "get_companies", "gemini-cli", 1) in counts
    assert (server.pk, "", "", "MALFORMED", "", "", 1) in counts
    assert key_token not in json.dumps(batches)


class records_counted:  # noqa: N801
    """Counts the queries of the hot path, which go round Django's own counting."""

    def __enter__(self):
        from unittest import mock

        self.real = records._one_row
        self.mock = mock.patch.object(records, "_one_row", side_effect=self.real)
        self.calls = self.mock.start()

        def count():
            return self.calls.call_count

        count.mock = self.calls
        return count

    def __exit__(self, *_):
        self.mock.stop()
