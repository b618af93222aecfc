from __future__ import annotations

import base64
import json
import secrets
import time
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from jwcrypto import jwk, jws
from oauth2_provider.models import get_application_model, get_refresh_token_model

from keys.models import FeedEvent, McpServer
from keys.oauth import assertions, machines
from keys.oauth.models import Connection
from keys.oauth.tasks import purge
from portal.audit.actors import SYSTEM, Actor
from portal.audit.models import AuditEvent
from portal.companies.models import Company
from portal.companies.services import remove_member
from tests import factories
from tests.keys.oauth.driving import issuer, verdict

pytestmark = pytest.mark.django_db
PRIVATE = jwk.JWK.generate(kty="EC", crv="P-256")


def make(company: Company, server: McpServer, user: Any, **changes: Any) -> tuple[Connection, str]:
    values = {"name": "Nightly report", "scopes": ["tools:read"], "expires_at": None, "public_key": None}
    made, secret = machines.create(
        company=company, server=server, user=user, actor=Actor.user(user, None), **(values | changes)
    )
    return made, secret.text


def ask(connection: Connection, secret: str = "", *, basic: bool = False, **changes: Any) -> Any:
    data = {"grant_type": "client_credentials"} | changes
    headers = {}
    if basic:
        pair = base64.b64encode(f"{connection.client.client_id}:{secret}".encode()).decode()
        headers["Authorization"] = f"Basic {pair}"
    elif secret:
        data |= {"client_id": connection.client.client_id, "client_secret": secret}
    return Client().post("/oauth/token", data, headers=headers)


def assertion(client_id: str, key: jwk.JWK = PRIVATE, algorithm: str = "ES256", **changes: Any) -> str:
    now = int(time.time())
    claims = {"iss": client_id, "sub": client_id, "aud": issuer(), "iat": now, "exp": now + 60,
              "jti": secrets.token_hex(8)} | changes  # fmt: skip
    signed = jws.JWS(json.dumps({name: value for name, value in claims.items() if value is not None}))
    signed.add_signature(key, None, json.dumps({"alg": algorithm}))
    return signed.serialize(compact=True)


def signed(connection: Connection, text: str, **changes: Any) -> Any:
    return ask(connection, client_assertion_type=assertions.KIND, client_assertion=text, **changes)


@pytest.fixture
def machine(company: Company, server: McpServer, owner: Any) -> tuple[Connection, str]:
    return make(company, server, owner)


@pytest.fixture
def signing(company: Company, server: McpServer, owner: Any) -> Connection:
    return make(company, server, owner, public_key=assertions.read_key(PRIVATE.export_public()))[0]


@pytest.mark.parametrize("basic", [False, True])
def test_a_machine_gets_a_short_token_by_its_secret(machine, company, owner, server_token: str, basic: bool):
    response = ask(*machine, basic=basic)
    tokens = response.json()
    assert response.status_code == 200, tokens
    assert tokens["expires_in"] == 900 and "refresh_token" not in tokens and tokens["scope"] == "tools:read"
    assert not get_refresh_token_model().objects.exists()
    found = verdict(server_token, tokens["access_token"], tool="get_companies")
    assert found["valid"] and found["key_id"] == machine[0].pk
    assert found["company"]["id"] == company.pk and found["user"]["id"] == owner.pk


def test_a_wrong_secret_gets_nothing(machine):
    for secret in ("wrong", machine[1][:-1]):
        response = ask(machine[0], secret)
        assert response.status_code == 401 and response.json()["error"] == "invalid_client"
    assert ask(machine[0], client_id=machine[0].client.client_id).status_code == 401


def test_the_secret_is_not_stored(machine):
    stored = get_application_model().objects.get().client_secret
    assert machine[1] not in stored and stored.startswith("sha256$")


def test_a_machines_token_is_for_its_own_server(machine, owner, company):
    other = factories.make_server("other")
    assert ask(*machine, resource=other.url).json()["error"] == "invalid_target"
    token = ask(*machine, resource=machine[0].server.url).json()["access_token"]
    other_credential = factories.make_credential(other)[1].text
    assert verdict(other_credential, token)["code"] == "WRONG_SERVER"


def test_a_machine_gets_less_but_never_more_than_it_was_made_for(machine, server_token: str):
    assert ask(*machine, scope="tools:*").json()["error"] == "invalid_scope"
    token = ask(*machine, scope="tool:whoami").json()["access_token"]
    assert verdict(server_token, token, tool="whoami")["valid"]
    assert verdict(server_token, token, tool="get_companies")["code"] == "INSUFFICIENT_SCOPE"


def test_a_machine_that_is_revoked_is_refused_and_gets_no_more(machine, owner_client: Client, company, server_token):
    token = ask(*machine).json()["access_token"]
    address = f"/c/{company.slug}/connections/{machine[0].pk}/"
    assert "Client id" in owner_client.get(address).content.decode()
    owner_client.post(address + "revoke/", {"reason": "0"})
    assert not verdict(server_token, token)["valid"]
    assert FeedEvent.objects.filter(key_id=machine[0].pk).exists()
    assert ask(*machine).status_code in {400, 401}


def test_a_machine_ends_with_its_time_and_with_its_maker(machine, company, owner, server, server_token, time_machine):
    made, secret = make(company, server, owner, expires_at=timezone.now() + timedelta(hours=1))
    assert ask(made, secret).status_code == 200
    time_machine.move_to(timezone.now() + timedelta(hours=2))
    assert ask(made, secret).status_code in {400, 401}
    factories.make_member(company, second := factories.make_user(), "owner")
    assert second
    remove_member(membership=company.memberships.get(user=owner), actor=SYSTEM)
    assert ask(*machine).status_code in {400, 401}


def test_clean_up_leaves_machines(machine, time_machine):
    time_machine.move_to(timezone.now() + timedelta(days=30))
    purge()
    assert ask(*machine).status_code == 200


def test_a_machine_asks_no_person(machine, owner_client: Client):
    query = {"response_type": "code", "client_id": machine[0].client.client_id, "redirect_uri": "https://x.example/"}
    assert owner_client.get("/oauth/authorize", query).status_code == 400
    data = {"grant_type": "refresh_token", "refresh_token": "x", "client_id": machine[0].client.client_id}
    assert Client().post("/oauth/token", data | {"client_secret": machine[1]}).json()["error"] == "unauthorized_client"


def test_a_machine_proves_itself_by_a_signature(signing: Connection, server_token: str):
    for audience in (issuer(), issuer() + "/oauth/token", [issuer()]):
        response = signed(signing, assertion(signing.client.client_id, aud=audience))
        assert response.status_code == 200, response.json()
    assert verdict(server_token, response.json()["access_token"])["valid"]


def test_an_assertion_works_once(signing: Connection):
    text = assertion(signing.client.client_id)
    assert signed(signing, text).status_code == 200
    assert signed(signing, text).status_code == 401


@pytest.mark.parametrize(
    "changes",
    [{"aud": "https://elsewhere.example.com"}, {"aud": None}, {"iss": "another"}, {"exp": None}, {"jti": None},
     {"exp": int(time.time()) - 60}, {"exp": int(time.time()) + 86400}, {"nbf": int(time.time()) + 600},
     {"sub": "nobody"}],
)  # fmt: skip
def test_an_assertion_that_is_not_for_here_and_now_is_refused(signing: Connection, changes: dict[str, Any]):
    assert signed(signing, assertion(signing.client.client_id, **changes)).status_code == 401


def test_an_assertion_for_us_and_others_is_refused(signing: Connection):
    both = assertion(signing.client.client_id, aud=[issuer(), "https://elsewhere.example.com"])
    assert signed(signing, both).status_code == 401


def test_an_assertion_by_another_key_or_none_is_refused(signing: Connection):
    client_id = signing.client.client_id
    assert signed(signing, assertion(client_id, jwk.JWK.generate(kty="EC", crv="P-256"))).status_code == 401
    # The public key as the secret of an HMAC, the classic mistake of algorithms that the sender chooses.
    shared = jwk.JWK(kty="oct", k=base64.urlsafe_b64encode(PRIVATE.export_to_pem()).rstrip(b"=").decode())
    assert signed(signing, assertion(client_id, shared, "HS256")).status_code == 401
    head, body, _ = assertion(client_id).split(".")
    for text in (f"{head}.{body}.", "x", "a.b.c", "x" * 9000):
        assert signed(signing, text).status_code == 401
    assert ask(signing, "anything").status_code == 401
    assert ask(signing, client_id=client_id, client_secret="").status_code == 401


def test_an_assertion_of_one_machine_is_worth_nothing_to_another(signing: Connection, machine):
    text = assertion(signing.client.client_id)
    assert signed(signing, text, client_id=machine[0].client.client_id).status_code == 401


@pytest.mark.parametrize(
    ("key", "why"),
    [("nonsense", "form"), (PRIVATE.export_private(), "private"),
     (PRIVATE.export_to_pem(True, None).decode(), "private"),
     (jwk.JWK.generate(kty="RSA", size=1024).export_public(), "kind"),
     (jwk.JWK.generate(kty="oct", size=256).export(), "private")],
    ids=["nonsense", "private JWK", "private PEM", "too short", "shared secret"],
)  # fmt: skip
def test_what_is_no_usable_public_key_is_said_so(key: str, why: str):
    with pytest.raises(assertions.UnusableKey, match=why):
        assertions.read_key(key)


@pytest.mark.parametrize(
    "kind", [{"kty": "EC", "crv": "P-256"}, {"kty": "OKP", "crv": "Ed25519"}, {"kty": "RSA", "size": 2048}]
)
def test_pem_and_jwk_are_read(kind: dict[str, Any]):
    key = jwk.JWK.generate(**kind)
    assert assertions.read_key(key.export_to_pem().decode()) == assertions.read_key(key.export_public())


def form(browser: Client, address: str, **changes: Any) -> Any:
    page = browser.get(address)
    assert page.status_code == 200, page.headers
    found = page.context["form"]
    data = {
        "once": found["once"].value(), "name": "Nightly report", "server": found.servers[0].pk, "access": "tools:read",
        "lifetime": "90", "method": "secret", "public_key": "",
    }  # fmt: skip
    return browser.post(address, data | changes)


@pytest.fixture
def signed_in(owner, company: Company) -> Client:
    browser = Client()
    browser.force_login(owner)
    return browser


def test_an_owner_makes_one_and_sees_its_secret_once(signed_in: Client, company: Company, server: McpServer):
    address = f"/c/{company.slug}/connections/machines/new/"
    page = form(signed_in, address)
    assert page.status_code == 200, page.context["form"].errors
    secret, connection = page.context["secret"], Connection.objects.get()
    assert secret in page.content.decode() and "no-store" in page.headers["Cache-Control"]
    assert ask(connection, secret).status_code == 200
    assert connection.scopes == ["tools:read"] and connection.expires_at is not None
    for there in (f"/c/{company.slug}/connections/", f"/c/{company.slug}/connections/{connection.pk}/"):
        page = signed_in.get(there).content.decode()
        assert "Nightly report" in page and secret not in page
    assert AuditEvent.objects.get(action="connection:machine_created").target_id == connection.pk
    assert secret not in str(AuditEvent.objects.values())


def test_one_with_a_key_has_no_secret(signed_in: Client, company: Company, server: McpServer):
    address = f"/c/{company.slug}/connections/machines/new/"
    refused = form(signed_in, address, method="key", public_key=PRIVATE.export_private())
    assert "private half" in str(refused.context["form"].errors)
    page = form(signed_in, address, method="key", public_key=PRIVATE.export_to_pem().decode())
    assert page.status_code == 200 and page.context["secret"] == ""
    connection = Connection.objects.get()
    assert signed(connection, assertion(connection.client.client_id)).status_code == 200


def test_sending_the_form_again_makes_no_second(signed_in: Client, company: Company, server: McpServer):
    address = f"/c/{company.slug}/connections/machines/new/"
    once = signed_in.get(address).context["form"]["once"].value()
    form(signed_in, address, once=once)
    assert form(signed_in, address, once=once).status_code == 302
    assert Connection.objects.count() == 1


def test_a_developer_makes_none(colleague_client: Client, owner_client: Client, company: Company):
    address = f"/c/{company.slug}/connections/machines/new/"
    assert colleague_client.get(address).status_code == 403
    assert "machines/new" not in colleague_client.get(f"/c/{company.slug}/connections/").content.decode()
    assert "machines/new" in owner_client.get(f"/c/{company.slug}/connections/").content.decode()
