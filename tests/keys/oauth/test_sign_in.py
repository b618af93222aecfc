from __future__ import annotations

import json
import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core import mail
from django.shortcuts import resolve_url
from django.test import Client
from django.utils import timezone
from oauth2_provider.models import get_access_token_model, get_grant_model, get_refresh_token_model

from keys.models import FeedEvent, McpServer
from keys.oauth.models import Connection
from keys.usage.counter import counter
from portal.audit.models import AuditEvent
from portal.companies.models import Company
from tests import factories
from tests.keys.oauth.driving import CALLBACK, Agent, answered, issuer, register, verdict

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent(server: McpServer) -> Agent:
    return Agent()


def test_an_ai_client_signs_in_and_its_token_opens_the_mcp_server(
    agent: Agent, owner_client: Client, company: Company, owner, server_token: str
):
    answer = agent.consent(owner_client)
    assert answer["state"] == agent.state
    assert answer["iss"] == issuer()
    tokens = agent.token(answer["code"]).json()
    assert re.fullmatch(r"lk_oat_[0-9A-Za-z]{12}_[0-9A-Za-z]{38}", tokens["access_token"])
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 900
    assert tokens["scope"] == "tools:read"
    said = verdict(server_token, tokens["access_token"], tool="get_companies")
    connection = Connection.objects.get()
    assert said["valid"] and said["kind"] == "connection" and said["key_id"] == connection.pk
    assert said["company"]["id"] == company.pk
    assert said["user"]["id"] == owner.pk
    assert said["scopes"] == ["tools:read"]
    counter.flush()
    connection.refresh_from_db()
    assert connection.last_used_at is not None


def test_nothing_secret_is_stored(agent: Agent, owner_client: Client):
    code = agent.consent(owner_client)["code"]
    assert not get_grant_model().objects.filter(code=code).exists()
    tokens = agent.token(code).json()
    assert set(get_access_token_model().objects.values_list("token", flat=True)) == {""}
    assert set(get_refresh_token_model().objects.values_list("token", flat=True)) == {""}
    assert tokens["refresh_token"].startswith("lk_ort_")


def test_a_refresh_token_opens_nothing_itself(agent: Agent, owner_client: Client, server_token: str):
    tokens = agent.sign_in(owner_client)
    assert verdict(server_token, tokens["refresh_token"])["code"] == "MALFORMED"


def test_a_token_goes_stale_with_its_time(agent: Agent, owner_client: Client, server_token: str, time_machine):
    tokens = agent.sign_in(owner_client)
    time_machine.move_to(timezone.now() + timedelta(seconds=901))
    assert verdict(server_token, tokens["access_token"])["code"] == "EXPIRED"


def test_a_refresh_gives_a_new_pair_and_ends_the_old(agent: Agent, owner_client: Client, server_token: str):
    first = agent.sign_in(owner_client)
    before = FeedEvent.objects.count()
    second = agent.refresh(first["refresh_token"]).json()
    assert verdict(server_token, second["access_token"])["valid"]
    assert verdict(server_token, first["access_token"])["code"] == "NOT_FOUND"
    assert FeedEvent.objects.filter(key_id=Connection.objects.get().pk).count() == 1
    assert FeedEvent.objects.count() > before


def test_a_replaced_refresh_token_ends_the_family_and_tells_the_person(
    agent: Agent, owner_client: Client, server_token: str, owner, django_capture_on_commit_callbacks
):
    first = agent.sign_in(owner_client)
    second = agent.refresh(first["refresh_token"]).json()
    with django_capture_on_commit_callbacks(execute=True):
        response = agent.refresh(first["refresh_token"])
    assert response.status_code == 400 and response.json()["error"] == "invalid_grant"
    assert verdict(server_token, second["access_token"])["code"] == "NOT_FOUND"
    assert agent.refresh(second["refresh_token"]).json()["error"] == "invalid_grant"
    assert AuditEvent.objects.filter(action="connection:tokens_ended").count() == 1
    assert [message.to for message in mail.outbox] == [[owner.email]]
    assert "came a second time" in mail.outbox[0].body
    with django_capture_on_commit_callbacks(execute=True):
        agent.refresh(first["refresh_token"])
    assert len(mail.outbox) == 1  # a dead family is not told of again


def test_a_code_works_once_and_its_replay_ends_the_tokens(agent: Agent, owner_client: Client, server_token: str):
    code = agent.consent(owner_client)["code"]
    tokens = agent.token(code).json()
    again = agent.token(code)
    assert again.status_code == 400 and again.json()["error"] == "invalid_grant"
    assert verdict(server_token, tokens["access_token"])["code"] == "NOT_FOUND"
    assert agent.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"


def test_a_stolen_code_is_worth_nothing_without_the_verifier(agent: Agent, owner_client: Client):
    code = agent.consent(owner_client)["code"]
    assert agent.token(code, code_verifier="x" * 43).json()["error"] == "invalid_grant"
    assert agent.token(code, code_verifier=None).status_code == 400


def test_a_stolen_code_is_worth_nothing_to_another_client(agent: Agent, owner_client: Client):
    code = agent.consent(owner_client)["code"]
    assert agent.token(code, client_id=register()["client_id"]).status_code in {400, 401}
    assert agent.token(code).status_code == 200


def test_a_code_goes_stale_after_a_minute(agent: Agent, owner_client: Client, time_machine):
    code = agent.consent(owner_client)["code"]
    time_machine.move_to(timezone.now() + timedelta(seconds=61))
    assert agent.token(code).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("changes", [{"code_challenge": None, "code_challenge_method": None},
                                     {"code_challenge_method": "plain"}, {"code_challenge_method": None}])  # fmt: skip
def test_pkce_with_s256_is_demanded(agent: Agent, owner_client: Client, changes):
    answer = answered(owner_client.get(agent.address(**changes)))
    assert answer["error"] == "invalid_request"
    assert answer["iss"] == issuer() and answer["state"] == agent.state


@pytest.mark.parametrize("resource", ["https://elsewhere.example.com/mcp", "nonsense",
                                      "http://growerp-system.example.com/mcp#x"])  # fmt: skip
def test_a_resource_that_is_none_of_ours_is_refused(agent: Agent, owner_client: Client, resource):
    answer = answered(owner_client.get(agent.address(resource=resource)))
    assert answer["error"] == "invalid_target"
    assert answer["iss"] == issuer()


def test_without_a_resource_the_token_is_for_the_portals_own_server(
    agent: Agent, owner_client: Client, server_token: str
):
    answer = agent.consent(owner_client, resource=None)
    tokens = agent.token(answer["code"], resource=None).json()
    assert verdict(server_token, tokens["access_token"])["valid"]


def test_a_slash_at_the_end_names_the_same_server(agent: Agent, owner_client: Client):
    answer = agent.consent(owner_client, resource="http://GROWERP-system.example.com:80/mcp/")
    assert agent.token(answer["code"], resource="http://growerp-system.example.com/mcp/").status_code == 200


def test_a_token_request_for_another_resource_is_refused(agent: Agent, owner_client: Client):
    code = agent.consent(owner_client)["code"]
    other = factories.make_server("other")
    assert agent.token(code, resource=other.url).json()["error"] == "invalid_target"


def test_a_token_for_one_server_opens_no_other(agent: Agent, owner_client: Client):
    tokens = agent.sign_in(owner_client)
    other_token = factories.make_credential(factories.make_server("other"))[1].text
    assert verdict(other_token, tokens["access_token"])["code"] == "WRONG_SERVER"


def test_a_redirect_that_was_not_registered_gets_nothing(agent: Agent, owner_client: Client):
    for asked in ("https://evil.example.com/callback", "http://127.0.0.1:51234/other", CALLBACK + "?a=b"):
        response = owner_client.get(agent.address(redirect_uri=asked))
        assert response.status_code == 400, asked
        assert "Location" not in response.headers


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_loopback_redirect_may_have_any_port(server, owner_client: Client, host):
    agent = Agent(register(redirect_uris=[f"http://{host}/callback"]), f"http://{host}:49999/callback")
    assert "access_token" in agent.sign_in(owner_client)


def test_an_unknown_client_gets_a_page_and_no_redirect(agent: Agent, owner_client: Client):
    response = owner_client.get(agent.address(client_id="nobody"))
    assert response.status_code == 400 and b"not known here" in response.content


def test_the_person_can_refuse(agent: Agent, owner_client: Client):
    answer = answered(owner_client.post(agent.address(), {"refuse": "1"}))
    assert answer["error"] == "access_denied"
    assert answer["iss"] == issuer() and answer["state"] == agent.state
    assert not Connection.objects.exists()


def test_the_person_can_narrow(agent: Agent, owner_client: Client, server_token: str):
    tokens = agent.sign_in(owner_client, {"tools": ["whoami"]}, scope="tools:*")
    assert tokens["scope"] == "tool:whoami"
    assert verdict(server_token, tokens["access_token"], tool="whoami")["valid"]
    refused = verdict(server_token, tokens["access_token"], tool="get_companies")
    assert refused["code"] == "INSUFFICIENT_SCOPE" and refused["required_scope"] == "tools:read"


def test_a_tool_that_was_not_asked_for_cannot_be_granted(agent: Agent, owner_client: Client, company):
    address = agent.address(scope="tool:whoami")
    page = owner_client.post(address, {"company": company.pk, "tools": ["get_users"], "lifetime": "90"})
    assert page.status_code == 200 and page.context["form"].errors["tools"]


def test_another_companys_name_cannot_be_smuggled_in(agent: Agent, owner_client: Client, other_company):
    page = owner_client.post(agent.address(), {"company": other_company.pk, "tools": ["whoami"], "lifetime": "90"})
    assert page.status_code == 200 and page.context["form"].errors["company"]
    assert not Connection.objects.exists()


def test_consent_cannot_be_forged_or_framed(agent: Agent, owner, company):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(owner)
    page = browser.get(agent.address())
    assert page.headers["X-Frame-Options"] == "DENY"
    policy = page.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert re.search(r"form-action [^;]*http://127\.0\.0\.1:51234", policy)
    data = {"company": company.pk, "tools": ["whoami"], "lifetime": "90"}
    assert browser.post(agent.address(), data).status_code == 403
    assert not Connection.objects.exists()


def test_the_consent_page_shows_what_matters(agent: Agent, owner_client: Client):
    page = owner_client.get(agent.address()).content.decode()
    for part in ("Test Agent", "Nobody has checked that name", "127.0.0.1:51234", "owner@example.com", "Acme"):
        assert part in page, part


def test_a_client_cannot_carry_the_portals_name(server, owner_client: Client):
    for name in ("Latchkey Security", "www.claude.ai"):
        agent = Agent(register(client_name=name))
        page = owner_client.get(agent.address()).content.decode()
        assert "An AI client without a name" in page and name not in page


def test_who_is_not_signed_in_comes_back_after_signing_in(agent: Agent, owner, company):
    response = Client().get(agent.address())
    assert response.status_code == 302
    location = urlsplit(response.headers["Location"])
    assert location.path == resolve_url("account_login")
    assert parse_qs(location.query)["next"] == [agent.address()]


def test_prompt_none_asks_nobody(agent: Agent, owner_client: Client):
    assert answered(Client().get(agent.address(prompt="none")))["error"] == "login_required"
    assert answered(owner_client.get(agent.address(prompt="none")))["error"] == "consent_required"


def test_a_company_without_a_card_confirms_it_and_lands_back_at_the_consent(agent: Agent, server):
    person = factories.make_user()
    pending = factories.make_company("Fresh", state="pending", owner=person)
    browser = Client()
    browser.force_login(person)
    to_card = browser.get(agent.address())
    location = to_card.headers["Location"]
    assert urlsplit(location).path == f"/c/{pending.slug}/card/"
    response = browser.post(
        location,
        {"cardholder": "Test Customer", "number": "4242424242424242", "expiry": "12/33", "cvc": "123", "replaces": ""},
    )
    assert response.status_code == 302, response.context["form"].errors
    assert response.headers["Location"] == agent.address()
    assert browser.get(response.headers["Location"]).status_code == 200


def test_the_card_page_sends_nobody_elsewhere(owner_client: Client, owner):
    pending = factories.make_company("Fresh", state="pending", owner=owner)
    response = owner_client.post(
        f"/c/{pending.slug}/card/?next=https://evil.example.com/",
        {"cardholder": "Test Customer", "number": "4242424242424242", "expiry": "12/33", "cvc": "123", "replaces": ""},
    )
    assert response.headers["Location"] == f"/c/{pending.slug}/"


def test_a_viewer_cannot_let_a_client_in(agent: Agent, company):
    viewer = factories.make_user()
    factories.make_member(company, viewer, "viewer")
    browser = Client()
    browser.force_login(viewer)
    assert browser.get(agent.address()).status_code == 403


def test_a_company_that_is_suspended_stops_its_connections(
    agent: Agent, owner_client: Client, company: Company, server_token: str
):
    from portal.audit.actors import SYSTEM
    from portal.companies.services import suspend_company

    tokens = agent.sign_in(owner_client)
    suspend_company(company=company, reason="test", actor=SYSTEM)
    assert verdict(server_token, tokens["access_token"])["code"] == "COMPANY_INACTIVE"
    assert agent.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert FeedEvent.objects.filter(company_id=company.pk).exists()


def test_a_removed_member_loses_their_connections(
    agent: Agent, colleague_client: Client, colleague, company: Company, server_token: str
):
    from portal.audit.actors import SYSTEM
    from portal.companies.services import remove_member

    tokens = agent.sign_in(colleague_client)
    remove_member(membership=company.memberships.get(user=colleague), actor=SYSTEM)
    assert Connection.objects.get().state == "revoked"
    assert not verdict(server_token, tokens["access_token"])["valid"]
    assert agent.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"


def test_a_confidential_client_needs_its_secret(server, owner_client: Client):
    registered = register(token_endpoint_auth_method="client_secret_post")
    agent = Agent(registered)
    code = agent.consent(owner_client)["code"]
    assert agent.token(code).status_code == 401
    assert agent.token(code, client_secret="wrong").status_code == 401
    assert agent.token(code, client_secret=registered["client_secret"]).status_code == 200


def test_a_client_gives_its_tokens_back(agent: Agent, owner_client: Client, server_token: str):
    tokens = agent.sign_in(owner_client)
    data = {"token": tokens["refresh_token"], "client_id": agent.client["client_id"]}
    assert Client().post("/oauth/revoke", data).status_code == 200
    assert verdict(server_token, tokens["access_token"])["code"] == "NOT_FOUND"
    assert agent.refresh(tokens["refresh_token"]).status_code == 400
    assert AuditEvent.objects.filter(action="connection:signed_out").exists()


def test_another_client_cannot_give_back_a_token(agent: Agent, owner_client: Client, server_token: str):
    tokens = agent.sign_in(owner_client)
    data = {"token": tokens["access_token"], "client_id": register()["client_id"]}
    assert Client().post("/oauth/revoke", data).status_code == 200
    assert verdict(server_token, tokens["access_token"])["valid"]


def test_other_grants_are_not_offered(agent: Agent):
    for grant in ("password", "urn:ietf:params:oauth:grant-type:jwt-bearer", "implicit", ""):
        assert Client().post("/oauth/token", {"grant_type": grant}).json()["error"] == "unsupported_grant_type"


def test_saying_yes_again_changes_the_connection_that_is_there(agent: Agent, owner_client: Client, server_token: str):
    first = agent.sign_in(owner_client, scope="tools:*")
    second = Agent(agent.client).sign_in(owner_client, {"tools": ["whoami"]}, scope="tools:*")
    assert Connection.objects.count() == 1
    assert not verdict(server_token, first["access_token"])["valid"]  # it went beyond what is approved now
    assert verdict(server_token, second["access_token"], tool="whoami")["valid"]


def test_a_batch_answers_about_keys_and_tokens_alike(agent, owner_client: Client, key_token: str, server_token: str):
    tokens = agent.sign_in(owner_client)
    items = [{"key": tokens["access_token"]}, {"key": key_token}, {"key": tokens["access_token"][:-1] + "!"}]
    response = Client().post(
        "/api/v1/keys/verify/batch",
        json.dumps({"items": items}),
        content_type="application/json",
        headers={"Authorization": f"Bearer {server_token}"},
    )
    assert [one.get("kind") for one in response.json()["results"]] == ["connection", "key", None]


def test_the_portals_data_is_read_with_the_token(agent: Agent, owner_client: Client, company):
    tokens = agent.sign_in(owner_client)
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    found = Client().get("/api/v1/data/companies", headers=headers).json()
    assert [one["id"] for one in found["companies"]] == [company.pk]
    who = Client().get("/api/v1/data/whoami", headers=headers).json()
    assert who["key"]["name"] == "Test Agent" and who["company"]["id"] == company.pk
