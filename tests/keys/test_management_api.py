"""The management API: what a company's scripts may do, and what they may not."""

import json
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from keys import errors, limits, selectors, services
from keys.api.management import base
from keys.management_tokens import services as management
from keys.models import CredentialState, Key, ManagementScope
from keys.usage.services import write_batch
from portal.audit.actors import SYSTEM
from portal.audit.models import AuditEvent
from portal.companies.models import Company, CompanyState, Membership
from portal.companies.roles import Role
from tests import factories
from tests.races import at_once

pytestmark = pytest.mark.django_db
ALL = ManagementScope.values


def make_token(company, user, scopes=ALL, **fields):
    return management.create_token(
        **{"company": company, "user": user, "name": "CI", "scopes": scopes, "expires_at": None, "actor": SYSTEM}
        | fields
    )


@pytest.fixture
def token(company, owner):
    return make_token(company, owner)[1].text


@pytest.fixture
def call(client, token):
    def call(method, path, body=None, *, status=200, token=token, **headers):
        response = client.generic(
            method,
            f"/api/v1/{path}",
            b"" if body is None else json.dumps(body).encode(),
            content_type="application/json",
            headers={"Authorization": f"Bearer {token}"} | {k.replace("_", "-"): v for k, v in headers.items()},
        )
        assert response.status_code == status, response.content
        call.response = response
        return response.json() if response.content else None

    return call


NEW = {"name": "Nightly", "server": "growerp-system", "scopes": ["tools:read"], "expires_in_days": 30}


def test_a_script_makes_lists_shows_changes_rotates_and_revokes_a_key(call, server, company, owner):
    made = call("POST", "keys", NEW, status=201)
    assert selectors.find_by_token(made["value"]).pk == made["id"]
    assert [key["id"] for key in call("GET", "keys")["results"]] == [made["id"]]
    shown = call("GET", f"keys/{made['id']}")
    assert shown["name"] == "Nightly"
    assert "value" not in shown
    assert made["value"] not in json.dumps(shown)
    assert call("PATCH", f"keys/{made['id']}", {"name": "Daily"})["name"] == "Daily"
    new = call("POST", f"keys/{made['id']}/rotate", {"overlap_seconds": 3600}, status=201)
    assert (new["replaces"], new["state"]) == (made["id"], "active")
    assert call("GET", f"keys/{made['id']}")["state"] == "rotating"
    assert call("POST", f"keys/{new['id']}/revoke", {"reason": "done"})["state"] == "revoked"
    assert call("GET", f"keys/{made['id']}")["state"] == "revoked"
    events = AuditEvent.objects.filter(chain=company.pk, actor_kind="token").values_list("action", flat=True)
    assert set(events) == {"key:created", "key:updated", "key:rotated", "key:revoked"}


def test_an_mcp_key_can_manage_nothing(call, key, key_token, server_token):
    """S34."""
    for text in (key_token, server_token, "nonsense"):
        call("GET", "keys", token=text, status=401)
        call("POST", "keys", NEW, token=text, status=401)
        call("POST", f"keys/{key.pk}/rotate", {}, token=text, status=401)
        call("POST", f"keys/{key.pk}/revoke", {"reason": "x"}, token=text, status=401)
    assert Key.objects.count() == 1
    assert Key.objects.get().state == CredentialState.ACTIVE


def test_a_management_token_opens_no_mcp_server(client, token, server_token):
    response = client.post(
        "/api/v1/keys/verify", json.dumps({"key": token}), content_type="application/json",
        headers={"Authorization": f"Bearer {server_token}"},
    )  # fmt: skip
    assert response.json()["code"] == "MALFORMED"


@pytest.mark.parametrize(
    ("scope", "method", "path", "body"),
    [
        ("keys:read", "GET", "keys", None),
        ("keys:write", "POST", "keys", NEW),
        ("servers:read", "GET", "servers", None),
        ("servers:write", "POST", "servers", {"name": "own", "url": "https://own.example.com/mcp"}),
        ("usage:read", "GET", "company/usage", None),
        ("audit:read", "GET", "audit", None),
    ],
)
def test_each_act_needs_its_scope(call, company, owner, server, scope, method, path, body):
    without = make_token(company, owner, [other for other in ALL if other != scope])[1].text
    problem = call(method, path, body, token=without, status=403)
    assert scope in problem["detail"]
    with_it = make_token(company, owner, [scope])[1].text
    call(method, path, body, token=with_it, status=201 if method == "POST" else 200)


def test_a_token_reaches_no_further_than_its_makers_role(call, company, colleague, server):
    """S35: at creation and at use."""
    with pytest.raises(errors.ScopeBeyondRights):
        make_token(company, colleague, ["servers:write"])
    text = make_token(company, colleague, ["keys:write", "keys:read"])[1].text
    call("POST", "keys", NEW, token=text, status=201)
    Membership.objects.filter(user=colleague).update(role=Role.VIEWER)
    call("POST", "keys", NEW, token=text, status=403)
    call("GET", "keys", token=text)
    Membership.objects.filter(user=colleague).delete()
    call("GET", "keys", token=text, status=401)


def test_a_developers_token_manages_only_the_keys_that_act_for_them(call, company, colleague, key):
    text = make_token(company, colleague, ["keys:write", "keys:read"])[1].text
    for path, body in (("rotate", {}), ("end-overlap", None), ("revoke", {"reason": "x"})):
        call("POST", f"keys/{key.pk}/{path}", body, token=text, status=403)
    call("PATCH", f"keys/{key.pk}", {"name": "mine"}, token=text, status=403)
    key.refresh_from_db()
    assert key.state == CredentialState.ACTIVE


def test_another_companys_key_is_as_good_as_none(call, other_company, stranger, server):
    """S13: to the byte, but for the request's id."""
    theirs, _ = factories.make_key(other_company, server, stranger)
    answers = set()
    for identifier in (theirs.pk, "0" * 12):
        for method, path, body in (
            ("GET", "", None),
            ("PATCH", "", {"name": "mine"}),
            ("POST", "/rotate", {}),
            ("POST", "/end-overlap", None),
            ("POST", "/revoke", {"reason": "x"}),
        ):
            problem = call(method, f"keys/{identifier}{path}", body, status=404)
            problem.pop("request_id")
            answers.add(json.dumps(problem))
    assert len(answers) == 1
    assert call("GET", "keys")["results"] == []
    theirs.refresh_from_db()
    assert theirs.state == CredentialState.ACTIVE


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ({}, 400, "name"),
        (NEW | {"expires_at": None}, 400, "expires_at"),
        (NEW | {"server": "nowhere"}, 422, "MCP server"),
        (NEW | {"scopes": []}, 400, "scopes"),
        (NEW | {"scopes": ["root"]}, 422, "root"),
        (NEW | {"allowed_ips": ["somewhere"]}, 422, "somewhere"),
        ([], 400, "object"),
    ],
)
def test_a_wrong_creation_says_what_is_wrong(call, server, body, status, word):
    assert word in json.dumps(call("POST", "keys", body, status=status))
    assert not Key.objects.exists()


def test_the_same_idempotency_key_makes_one_key(call, server):
    made = call("POST", "keys", NEW, status=201, Idempotency_Key="build-7")
    again = call("POST", "keys", NEW, status=200, Idempotency_Key="build-7")
    assert (again["id"], again["value"]) == (made["id"], None)
    assert call.response["Idempotent-Replay"] == "true"
    call("POST", "keys", NEW | {"name": "Other"}, status=409, Idempotency_Key="build-7")
    call("POST", "keys", NEW, status=201, Idempotency_Key="build-8")
    assert Key.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_the_same_idempotency_key_at_the_same_moment_makes_one_key(server, token):
    def create():
        return Client().post(
            "/api/v1/keys", json.dumps(NEW), content_type="application/json",
            headers={"Authorization": f"Bearer {token}", "Idempotency-Key": "build-7"},
        ).status_code  # fmt: skip

    assert sorted(at_once(*[create] * 4)) == [200, 200, 200, 201]
    assert Key.objects.count() == 1


def test_a_rotation_sent_again_shows_the_new_key_without_its_value(call, key):
    asked = {"overlap_seconds": 3600}
    made = call("POST", f"keys/{key.pk}/rotate", asked, status=201, Idempotency_Key="nightly-1")
    again = call("POST", f"keys/{key.pk}/rotate", asked, status=200, Idempotency_Key="nightly-1")
    assert (again["id"], again["replaces"], again["value"]) == (made["id"], key.pk, None)
    assert call.response["Idempotent-Replay"] == "true"
    call("POST", f"keys/{key.pk}/rotate", {}, status=409, Idempotency_Key="nightly-1")
    call("POST", f"keys/{made['id']}/rotate", asked, status=409, Idempotency_Key="nightly-1")
    call("POST", f"keys/{key.pk}/rotate", asked, status=409, Idempotency_Key="nightly-2")
    assert Key.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_the_same_rotation_at_the_same_moment_makes_one_value(key, token):
    def rotate():
        return Client().post(
            f"/api/v1/keys/{key.pk}/rotate", "{}", content_type="application/json",
            headers={"Authorization": f"Bearer {token}", "Idempotency-Key": "nightly-1"},
        ).status_code  # fmt: skip

    assert sorted(at_once(*[rotate] * 4)) == [200, 200, 200, 201]
    assert Key.objects.count() == 2


def test_a_server_and_a_credential_asked_for_again_are_the_first_ones(call, company):
    new = {"name": "own", "url": "https://own.example.com/mcp"}
    own = call("POST", "servers", new, status=201, Idempotency_Key="set-up")
    assert call("POST", "servers", new, status=200, Idempotency_Key="set-up") == own
    path = f"servers/{own['id']}/credentials"
    call("POST", path, {"name": "production"}, status=409, Idempotency_Key="set-up")
    made = call("POST", path, {"name": "production"}, status=201, Idempotency_Key="set-up-2")
    again = call("POST", path, {"name": "production"}, status=200, Idempotency_Key="set-up-2")
    assert again == made | {"value": None}
    assert company.servers.get().credentials.count() == 1


def test_limits_are_given_and_taken_away_within_the_plan(call, server):
    made = call("POST", "keys", NEW | {"per_minute": 5}, status=201)
    assert (made["per_minute"], made["per_month"]) == (5, None)
    changed = call("PATCH", f"keys/{made['id']}", {"per_minute": None, "per_month": 1000})
    assert (changed["per_minute"], changed["per_month"]) == (None, 1000)
    call("PATCH", f"keys/{made['id']}", {"per_minute": 0}, status=400)
    call("PATCH", f"keys/{made['id']}", {"per_minute": 100_000}, status=422)


def test_an_overlap_is_ended_before_its_time(call, key):
    call("POST", f"keys/{key.pk}/rotate", {"overlap_seconds": 3600}, status=201)
    assert call("POST", f"keys/{key.pk}/end-overlap")["state"] == "expired"
    call("POST", f"keys/{key.pk}/end-overlap", status=422)


def test_a_change_that_was_overtaken_is_refused(call, key):
    call("GET", f"keys/{key.pk}")
    tag = call.response["ETag"]
    services.update_key(key=key, actor=SYSTEM, name="Changed by somebody else")
    call("PATCH", f"keys/{key.pk}", {"name": "Mine"}, status=412, If_Match=tag)
    call("GET", f"keys/{key.pk}")
    assert call("PATCH", f"keys/{key.pk}", {"name": "Mine"}, If_Match=call.response["ETag"])["name"] == "Mine"


def test_lists_are_paged_without_gaps_or_repetitions(call, company, server, owner):
    made = {factories.make_key(company, server, owner)[0].pk for _ in range(7)}
    seen, cursor = [], ""
    while cursor is not None:
        page = call("GET", f"keys?limit=3{cursor and f'&cursor={cursor}'}")
        seen += [key["id"] for key in page["results"]]
        cursor = page["next"]
    assert len(seen) == 7
    assert set(seen) == made


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=201", "cursor=nonsense", "state=lost", "name=%00"])
def test_a_wrong_query_says_what_is_wrong(call, query):
    call("GET", f"keys?{query}", status=400)


def test_lists_are_filtered(call, company, server, owner, colleague):
    mine, _ = factories.make_key(company, server, owner, name="Alpha")
    theirs, _ = factories.make_key(company, server, colleague, name="Beta")
    services.revoke_key(key=mine, reason="x", actor=SYSTEM)
    for query, expected in (
        ("state=revoked", {mine.pk}),
        ("state=active", {theirs.pk}),
        (f"user={colleague.pk}", {theirs.pk}),
        ("name=alph", {mine.pk}),
        (f"server={server.pk}", {mine.pk, theirs.pk}),
        ("server=elsewhere", set()),
    ):
        assert {key["id"] for key in call("GET", f"keys?{query}")["results"]} == expected


def test_a_company_registers_its_own_server_and_gets_a_credential(call, company, other_company, client, owner):
    own = call("POST", "servers", {"name": "own", "url": "https://own.example.com/mcp",
                                   "tools": [{"name": "read_it", "read_only": True}]}, status=201)  # fmt: skip
    credential = call("POST", f"servers/{own['id']}/credentials", {"name": "production"}, status=201)
    listed = call("GET", f"servers/{own['id']}/credentials")["results"]
    assert [row["id"] for row in listed] == [credential["id"]]
    assert "value" not in listed[0]
    made = call("POST", "keys", NEW | {"server": "own"}, status=201)
    verdict = client.post(
        "/api/v1/keys/verify", json.dumps({"key": made["value"]}), content_type="application/json",
        headers={"Authorization": f"Bearer {credential['value']}"},
    )  # fmt: skip
    assert verdict.json()["valid"]
    call("POST", f"servers/{own['id']}/credentials/{credential['id']}/revoke", {"reason": "x"})
    theirs = factories.make_server(company=other_company)
    call("GET", f"servers/{theirs.pk}", status=404)
    call("POST", f"servers/{theirs.pk}/credentials", {"name": "x"}, status=404)


def test_the_operators_servers_give_companies_no_credentials(call, server):
    call("POST", f"servers/{server.pk}/credentials", {"name": "x"}, status=404)
    assert server.credentials.count() == 0


def test_an_inactive_company_has_no_api(call, company):
    Company.objects.filter(pk=company.pk).update(state=CompanyState.SUSPENDED)
    call("GET", "keys", status=401)


def test_a_revoked_or_expired_token_is_refused(call, company, owner):
    made, text = make_token(company, owner)
    management.revoke_token(token=made, reason="x", actor=SYSTEM)
    call("GET", "keys", token=text.text, status=401)
    _, short = make_token(company, owner, expires_at=timezone.now() + timedelta(days=1))
    management.ManagementToken.objects.update(expires_at=timezone.now())
    call("GET", "keys", token=short.text, status=401)


def test_calls_are_limited_and_say_so(call, monkeypatch):
    call("GET", "company")
    assert call.response["RateLimit-Policy"] == '"token";q=300;w=60'
    assert call.response["RateLimit"].startswith('"token";r=299;t=')
    monkeypatch.setattr(base, "REQUESTS_PER_MINUTE", 1)
    limits.limiter().clear()
    call("GET", "company")
    problem = call("GET", "company", status=429)
    assert problem["status"] == 429
    assert int(call.response["Retry-After"]) > 0


def test_usage_and_audit_are_the_companys_own(call, key, other_company, stranger, server, company):
    factories.make_key(other_company, server, stranger)
    events = call("GET", "audit")["results"]
    assert {event["target"]["id"] for event in events if event["action"] == "key:created"} == {key.pk}
    assert call("GET", "company/usage?by=hour&days=2&group=tool") == {"results": []}
    now = timezone.now().timestamp()
    counts = [[int(now) // 3600 * 3600, key.server_id, company.pk, key.pk, "VALID", tool, "Cursor", 2] for tool in "ab"]
    write_batch("a batch", {"counts": counts, "sightings": []})
    for by in ("hour", "day"):
        whole = call("GET", f"company/usage?by={by}&days=2")["results"]
        assert [row["count"] for row in whole] == [4]
        for group, expected in {"tool": {"a": 2, "b": 2}, "key": {key.pk: 4}, "client": {"Cursor": 4}}.items():
            found = call("GET", f"company/usage?by={by}&days=2&group={group}")["results"]
            assert {row["group"]: row["count"] for row in found} == expected
    assert call("GET", f"company/usage?key={key.pk}")["results"] == call("GET", "company/usage")["results"]
    for wrong in ("by=week", "days=0", "days=400", "by=hour&days=40", "group=ip", "key=%00"):
        call("GET", f"company/usage?{wrong}", status=400)
