"""What an MCP server asks besides single verdicts: batches, the feed, reports of usage; and GrowERP's sign-in."""

import json
import uuid
from datetime import timedelta

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from django.db.models import Sum
from django.utils import timezone

from keys import password_login, selectors, services, tokens
from keys.limits import limiter
from keys.models import CredentialState, Key
from keys.usage.counter import counter
from keys.usage.models import Sighting, UsageDay, UsageHour
from keys.verdicts import Code
from portal.audit.actors import SYSTEM
from portal.companies.models import Company, CompanyState, Membership
from portal.companies.roles import Role
from tests import factories
from tests.races import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def call(client, server_token):
    def call(method, path, body=None, *, status=200, token=server_token, **headers):
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


def test_a_batch_answers_each_question_in_its_order(call, key_token, key):
    results = call(
        "POST", "keys/verify/batch",
        {"items": [{"key": key_token}, {"key": "nonsense"}, {"key": key_token, "tool": "whoami"}]},
    )["results"]  # fmt: skip
    assert [verdict["code"] for verdict in results] == ["VALID", "MALFORMED", "VALID"]
    assert results[0]["key_id"] == key.pk
    assert results[2]["rate_limit"]["remaining"] == results[0]["rate_limit"]["remaining"] - 1


def test_a_batch_says_of_each_key_what_a_question_about_it_alone_says(call, company, server, owner, other_company):
    now = timezone.now()

    def make(asked_of=server, **fields):
        return factories.make_key(company, asked_of, owner, **fields)

    revoked, revoked_token = make()
    services.revoke_key(key=revoked, reason="x", actor=SYSTEM)
    rotated, rotated_token = make(per_minute=None, per_month=None)
    services.rotate_key(key=rotated, overlap=timedelta(seconds=10), actor=SYSTEM)
    body = f"lk_test_{revoked.pk}_" + "0" * 32
    exhausted = make(per_month=1)[1].text
    stranger = factories.make_user()
    suspended = factories.make_company(owner=stranger)
    its_key = factories.make_key(suspended, server, stranger)[1].text
    Company.objects.filter(pk=suspended.pk).update(state=CompanyState.SUSPENDED)
    questions = [
        {"key": make()[1].text},
        {"key": "nonsense"},
        {"key": tokens.generate(tokens.Kind.TEST).text, "client_ip": "203.0.113.9"},
        {"key": body + tokens.checksum(body)},
        {"key": revoked_token.text},
        {"key": rotated_token.text},
        {"key": make(expires_at=now + timedelta(seconds=5))[1].text},
        {"key": make(scopes=["tool:whoami"])[1].text, "tool": "get_companies"},
        {"key": make(allowed_ips=["203.0.113.0/24"])[1].text, "client_ip": "203.0.114.1"},
        {"key": make(factories.make_server())[1].text},
        {"key": its_key},
        {"key": exhausted},
        {"key": exhausted},
        {"key": make(per_minute=3, per_month=2)[1].text, "tool": "whoami", "client": "gemini-cli"},
    ]
    with time_machine.travel(now + timedelta(seconds=6), tick=False):
        alone = [call("POST", "keys/verify", question, X_Request_Id="the-same-request") for question in questions]
        limiter().clear()
        batch = call("POST", "keys/verify/batch", {"items": questions}, X_Request_Id="the-same-request")["results"]
    assert batch == alone
    assert {verdict["code"] for verdict in batch} == set(Code)


def test_a_batch_that_is_slowed_for_one_address_answers_the_others_rightly(call, company, server, owner):
    """The same key is asked about for an address that guessed too much, and for another one."""
    key = factories.make_key(company, server, owner)[1].text
    limited = factories.make_key(company, server, owner, per_minute=7)[1].text
    guesses = [{"key": tokens.generate(tokens.Kind.TEST).text, "client_ip": "203.0.113.9"} for _ in range(100)]
    for _ in range(2):
        call("POST", "keys/verify/batch", {"items": guesses})
    results = call(
        "POST", "keys/verify/batch",
        {"items": [{"key": key, "client_ip": "203.0.113.9"}, {"key": key}, {"key": limited}]},
    )["results"]  # fmt: skip
    assert [verdict["code"] for verdict in results] == ["RATE_LIMITED", "VALID", "VALID"]
    assert [verdict["rate_limit"]["limit"] for verdict in results[1:]] == [600, 7]


def test_a_batch_is_counted_key_by_key(call, key_token, key, server, company):
    call("POST", "keys/verify/batch", {"items": [{"key": key_token, "tool": "a"}] * 3 + [{"key": "nonsense"}] * 2})
    batches = []
    counter.flush(send=lambda identifier, batch: batches.append(batch))
    counts = {tuple(row[1:]) for batch in batches for row in batch["counts"]}
    assert (server.pk, company.pk, key.pk, "VALID", "a", "", 3) in counts
    assert (server.pk, "", "", "MALFORMED", "", "", 2) in counts
    assert [row[-1] for batch in batches for row in batch["sightings"]] == [3]


@pytest.mark.parametrize("items", [None, [], "x", [{}] * 101, [1], [{"key": 1}], [{"key": "x", "client_ip": "y"}]])
def test_a_wrong_batch_is_refused_whole(call, items):
    assert call("POST", "keys/verify/batch", {"items": items}, status=400)["errors"]


def test_a_batch_costs_two_look_ups_whatever_its_size(call, company, server, owner, django_assert_max_num_queries):
    texts = [factories.make_key(company, server, owner)[1].text for _ in range(20)]
    call("POST", "keys/verify/batch", {"items": [{"key": text} for text in texts]})
    with django_assert_max_num_queries(2):
        call("POST", "keys/verify/batch", {"items": [{"key": text} for text in texts]})


def test_the_feed_begins_with_a_cursor_and_goes_on_from_it(call, key, company):
    first = call("GET", "revocations")
    assert first["events"] == []
    tag = call.response["ETag"]
    assert call("GET", f"revocations?after={first['cursor']}", status=304, If_None_Match=tag) is None
    services.revoke_key(key=key, reason="x", actor=SYSTEM)
    page = call("GET", f"revocations?after={first['cursor']}", If_None_Match=tag)
    assert page["events"] == [{"key_id": key.pk}]
    assert call.response["ETag"] != tag


def test_suspending_a_company_is_in_the_feed(call, key, company):
    from portal.companies.services import reactivate_company, suspend_company

    cursor = call("GET", "revocations")["cursor"]
    suspend_company(company=company, reason="unpaid", actor=SYSTEM)
    assert {"company_id": company.pk} in call("GET", f"revocations?after={cursor}")["events"]
    reactivate_company(company=Company.objects.get(pk=company.pk), actor=SYSTEM)
    key.refresh_from_db()
    assert key.state == CredentialState.ACTIVE


def test_reactivation_never_revives_a_revoked_key(key, company):
    """S38."""
    from portal.companies.services import reactivate_company, suspend_company

    services.revoke_key(key=key, reason="leaked", actor=SYSTEM)
    suspend_company(company=company, reason="x", actor=SYSTEM)
    reactivate_company(company=Company.objects.get(pk=company.pk), actor=SYSTEM)
    key.refresh_from_db()
    assert key.state == CredentialState.REVOKED


@pytest.mark.parametrize("path", ["revocations", "keys/verify/batch", "usage"])
def test_strangers_learn_nothing(client, path, key_token):
    for headers in ({}, {"Authorization": f"Bearer {key_token}"}):
        response = client.generic(
            "GET" if path == "revocations" else "POST", f"/api/v1/{path}", b"{}", content_type="application/json",
            headers=headers,
        )  # fmt: skip
        assert response.status_code == 401
        assert response["WWW-Authenticate"].startswith("Bearer ")


def test_a_report_counts_once_however_often_it_is_sent(call, key, key_token, company):
    report = {
        "id": str(uuid.uuid4()),
        "items": [
            {"key_id": key.pk, "tool": "whoami", "client": "gemini-cli", "client_ip": "203.0.113.9", "count": 40}
        ],
    }
    with time_machine.travel(timezone.now(), tick=False):
        for _ in range(3):
            call("POST", "usage", report, status=202)
        assert call("POST", "keys/verify", {"key": key_token})["rate_limit"]["remaining"] == 600 - 40 - 1
    assert UsageHour.objects.aggregate(total=Sum("count"))["total"] == 40
    assert UsageDay.objects.get().count == 40
    sighting = Sighting.objects.get()
    assert (sighting.key_id, sighting.address, sighting.client, sighting.count) == (
        key.pk, "203.0.113.9", "gemini-cli", 40,
    )  # fmt: skip
    key.refresh_from_db()
    assert key.last_used_at is not None


def test_a_report_about_another_servers_keys_is_passed_over(call, company, owner):
    other, _ = factories.make_key(company, factories.make_server(), owner)
    call("POST", "usage", {"id": str(uuid.uuid4()), "items": [{"key_id": other.pk, "count": 5}]}, status=202)
    assert not UsageHour.objects.exists()


@pytest.mark.parametrize("count", [0, -1, "x", 10**9])
def test_a_report_of_nonsense_is_refused(call, key, count):
    call("POST", "usage", {"id": str(uuid.uuid4()), "items": [{"key_id": key.pk, "count": count}]}, status=400)


LOGIN = {"username": "owner@example.com", "password": factories.PASSWORD, "client": "gemini-cli"}


def test_a_sign_in_gives_a_named_key_that_expires_in_a_week(call, company, owner, server):
    answer = call("POST", "login", LOGIN)
    key = selectors.find_by_token(answer["key"])
    assert key.name == "Sign-in from gemini-cli"
    assert key in selectors.company_keys(company)
    assert timedelta(days=6, hours=23) < key.expires_at - timezone.now() <= timedelta(days=7)
    assert answer["company"]["id"] == company.pk
    assert call("POST", "keys/verify", {"key": answer["key"]})["valid"]


def test_a_new_sign_in_replaces_the_key_of_the_same_client(call, company):
    first = selectors.find_by_token(call("POST", "login", LOGIN)["key"])
    other = selectors.find_by_token(call("POST", "login", LOGIN | {"client": "codex"})["key"])
    second = selectors.find_by_token(call("POST", "login", LOGIN)["key"])
    for key, state in ((first, "revoked"), (other, "active"), (second, "active")):
        key.refresh_from_db()
        assert key.state == state


@pytest.mark.django_db(transaction=True)
def test_sign_ins_at_the_same_moment_leave_one_key(company, server, owner):
    def sign_in():
        return password_login.log_in(
            server=server, username=owner.email, password=factories.PASSWORD, client="x", address=None
        )

    results = at_once(*[sign_in] * 4)
    assert not [result for result in results if isinstance(result, Exception)], results
    assert Key.objects.usable().count() == 1
    assert Key.objects.count() == 4


def test_unknown_user_wrong_password_and_unconfirmed_address_answer_alike(call, company, stranger):
    """S7."""
    stranger.emailaddress_set.update(verified=False)
    answers = set()
    for username, password in (
        ("nobody@example.com", "x"),
        (LOGIN["username"], "wrong"),
        ("stranger@example.com", factories.PASSWORD),
    ):
        problem = call("POST", "login", {"username": username, "password": password}, status=403)
        problem.pop("request_id")
        answers.add(json.dumps(problem))
    assert len(answers) == 1
    assert not Key.objects.exists()


def test_failed_sign_ins_are_limited_by_account_and_by_address(call, company, settings):
    """S8: and the limit ends by itself."""
    # Redis keeps its own time; this test's is frozen.
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _ in range(password_login.MOST_PER_ACCOUNT):
            call("POST", "login", LOGIN | {"password": "wrong"}, status=403)
        call("POST", "login", LOGIN, status=429)
        assert int(call.response["Retry-After"]) == password_login.ACCOUNT_SECONDS
        clock.shift(password_login.ACCOUNT_SECONDS + 1)
        call("POST", "login", LOGIN)
        for number in range(password_login.MOST_PER_ADDRESS):
            call("POST", "login", {"username": f"n{number}@example.com", "password": "x"}, status=403,
                 X_Client_Address="203.0.113.9")  # fmt: skip
        call("POST", "login", LOGIN, status=429, X_Client_Address="203.0.113.9")
        call("POST", "login", LOGIN, X_Client_Address="203.0.113.10")


@pytest.mark.parametrize("state", [CompanyState.PENDING, CompanyState.SUSPENDED, CompanyState.CLOSED])
def test_a_sign_in_needs_an_active_company(call, company, state):
    Company.objects.filter(pk=company.pk).update(state=state)
    assert "company" in call("POST", "login", LOGIN, status=422)["detail"].lower()
    assert not Key.objects.exists()


def test_a_viewer_gets_no_key_by_sign_in(call, company, owner):
    Membership.objects.update(role=Role.VIEWER)
    call("POST", "login", LOGIN, status=403)


def test_a_second_factor_is_not_passed_by_a_password_alone(call, company, owner):
    Authenticator.objects.create(user=owner, type=Authenticator.Type.TOTP, data={})
    assert "second factor" in call("POST", "login", LOGIN, status=422)["detail"]
    assert not Key.objects.exists()


def test_a_sign_in_can_be_switched_off(call, company, settings):
    settings.PASSWORD_LOGIN = False
    assert "switched off" in call("POST", "login", LOGIN, status=403)["detail"]


def test_only_the_portals_own_server_may_sign_people_in(call, company):
    _, other = factories.make_credential(factories.make_server())
    call("POST", "login", LOGIN, token=other.text, status=403)


@pytest.mark.parametrize("path", ["", "nothing", "keys/verify/more", "data"])
def test_an_unknown_address_is_a_problem_and_not_a_page(client, path):
    response = client.post(f"/api/v1/{path}", b"{}", content_type="application/json")
    assert response.status_code in {404, 405}
    assert response["Content-Type"] == "application/problem+json"
