"""The pages of MCP servers: what every member sees, and what owners and admins do with the company's own."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from keys import tokens
from keys.models import McpServer, ServerCredential
from keys.servers.snippets import protecting
from keys.webhooks.endpoints import disable_endpoint
from keys.webhooks.models import Endpoint, OffReason
from keys.webhooks.sweep import tell_owners
from portal.audit.actors import SYSTEM
from portal.audit.models import AuditEvent
from tests.factories import make_credential, make_key, make_server

pytestmark = pytest.mark.django_db
TOKEN = re.compile(tokens.TOKEN_PATTERN)
ROWS = {"tools-TOTAL_FORMS": "0", "tools-INITIAL_FORMS": "0"}


@pytest.fixture
def own(company):
    """The own MCP server of `company`."""
    return make_server("stock", company=company, title="Stock")


@pytest.fixture
def foreign(other_company):
    """The own MCP server of `other_company`."""
    return make_server("secret-plans", company=other_company)


def address(name, company, *more):
    return reverse(f"servers:{name}", args=[company.slug, *more])


def register(client, company, **changes):
    data = ROWS | {"name": "orders", "title": "Orders", "url": "https://mcp.example.com/mcp"} | changes
    return client.post(address("new", company), data)


def shown(response):
    return next(iter({match[0] for match in TOKEN.finditer(response.content.decode())}))


def make(client, company, server, **changes):
    once = client.get(address("credential_new", company, server.pk)).context["form"]["once"].value()
    return client.post(address("credential_new", company, server.pk), {"once": once, "name": "production"} | changes)


def test_every_member_sees_everyones_servers_and_the_companys_own(
    owner_client, colleague_client, company, server, own, foreign
):
    for client in (owner_client, colleague_client):
        content = client.get(address("list", company)).content.decode()
        assert own.url in content
        assert server.url in content
        assert foreign.url not in content


def test_the_list_counts_the_companys_own_keys_only(owner_client, company, server, owner, other_company, stranger, key):
    make_key(other_company, server, stranger)
    assert [(found.pk, found.own_keys) for found in owner_client.get(address("list", company)).context["servers"]] == [
        (server.pk, 1)
    ]


def test_the_list_costs_the_same_for_many_servers(owner_client, company, django_assert_max_num_queries):
    owner_client.get(address("list", company))  # the first visit notes the company in the session
    for _ in range(12):
        make_server(company=company)
    with django_assert_max_num_queries(11):
        owner_client.get(address("list", company))


def test_an_owner_registers_a_server_for_the_company_alone(owner_client, company, stranger_client, other_company):
    response = register(owner_client, company)
    made = McpServer.objects.get(name="orders")
    assert response.url == address("detail", company, made.pk)
    assert made.company == company
    event = AuditEvent.objects.get(action="server:registered", target_id=made.pk)
    assert event.chain == company.pk
    assert stranger_client.get(address("detail", other_company, made.pk)).status_code == 404


def test_a_catalogue_can_be_pasted(owner_client, company):
    tools = {"result": {"tools": [{"name": "get_stock", "annotations": {"readOnlyHint": True}}, {"name": "take"}]}}
    register(owner_client, company, catalogue=json.dumps(tools))
    assert [(tool["name"], tool["read_only"]) for tool in McpServer.objects.get(name="orders").tools] == [
        ("get_stock", True), ("take", False)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "Über"}, "Use lower-case letters"),
        ({"url": "ftp://example.com/mcp"}, "begins with https://"),
        ({"url": "mcp"}, "begins with https://"),
        ({"alternate_urls": "nonsense"}, "is not an address"),
        ({"catalogue": "{"}, "This is not JSON"),
    ],
)
def test_wrong_input_is_explained_and_registers_nothing(owner_client, company, changes, words):
    response = register(owner_client, company, **changes)
    assert response.status_code == 200
    assert words in response.content.decode()
    assert not McpServer.objects.filter(company=company).exists()


def test_an_address_that_is_registered_already_is_refused(owner_client, company, server):
    response = register(owner_client, company, url=server.url)
    assert "registered already" in response.content.decode()


def test_the_companys_own_server_can_be_changed(owner_client, company, own):
    edit = address("edit", company, own.pk)
    assert owner_client.get(edit).context["form"]["url"].value() == own.url
    response = owner_client.post(edit, ROWS | {"name": "stock", "title": "Stock room", "url": own.url})
    assert response.url == address("detail", company, own.pk)
    own.refresh_from_db()
    assert (own.title, own.tools) == ("Stock room", [])


def test_everyones_servers_and_other_companies_cannot_be_changed(owner_client, company, server, foreign):
    credential, _token = make_credential(foreign)
    for found in (server, foreign):
        for name, more in (
            ("edit", []), ("credential_new", []), ("credential_rotate", [credential.pk]),
            ("credential_revoke", [credential.pk]),
        ):  # fmt: skip
            for sent in (owner_client.get, owner_client.post):
                assert sent(address(name, company, found.pk, *more)).status_code == 404
    assert owner_client.get(address("detail", company, foreign.pk)).status_code == 404
    assert owner_client.get(address("detail", company, server.pk)).status_code == 200


def test_a_credential_of_another_server_is_a_missing_page(owner_client, company, own, server):
    credential, _token = make_credential(server)
    assert owner_client.post(address("credential_revoke", company, own.pk, credential.pk)).status_code == 404


def test_a_developer_looks_and_changes_nothing(colleague_client, company, own):
    credential, _token = make_credential(own)
    response = colleague_client.get(address("detail", company, own.pk))
    assert own.url in response.content.decode()
    assert credential.hint not in response.content.decode()
    for name, more in (
        ("new", []), ("edit", [own.pk]), ("credential_new", [own.pk]), ("credential_rotate", [own.pk, credential.pk]),
        ("credential_revoke", [own.pk, credential.pk]),
    ):  # fmt: skip
        assert colleague_client.post(address(name, company, *more)).status_code == 403


def test_a_made_credential_is_shown_once_and_checks_keys_of_the_server(owner_client, company, own, owner, client):
    response = make(owner_client, company, own)
    assert "no-store" in response["Cache-Control"]
    credential = ServerCredential.objects.get(server=own)
    assert (credential.name, credential.created_by) == ("production", owner)
    _key, token = make_key(company, own, owner)
    verdict = client.post(
        reverse("verify"),
        json.dumps({"key": token.text}),
        content_type="application/json",
        headers={"authorization": f"Bearer {shown(response)}"},
    )
    assert verdict.json()["valid"] is True
    page = owner_client.get(address("detail", company, own.pk)).content.decode()
    assert credential.hint in page
    assert shown(response).rsplit("_", 1)[1] not in page


def test_sending_the_same_form_again_makes_no_second_credential(owner_client, company, own):
    once = owner_client.get(address("credential_new", company, own.pk)).context["form"]["once"].value()
    assert make(owner_client, company, own, once=once).status_code == 200
    assert make(owner_client, company, own, once=once).url == address("detail", company, own.pk)
    assert own.credentials.count() == 1


def test_a_rotated_credential_goes_on_for_the_overlap_and_is_rotated_once(owner_client, company, own):
    credential, _token = make_credential(own)
    rotate = address("credential_rotate", company, own.pk, credential.pk)
    response = owner_client.post(rotate, {"overlap": "3600"})
    assert shown(response).startswith("lk_srv_")
    credential.refresh_from_db()
    assert credential.state == "rotating"
    assert credential.overlap_ends_at - timezone.now() == pytest.approx(timedelta(hours=1), abs=timedelta(minutes=1))
    assert owner_client.post(rotate, {"overlap": "3600"}).status_code == 302
    assert own.credentials.count() == 2


def test_revoking_a_credential_needs_no_new_sign_in_making_one_does(owner_client, company, own):
    credential, _token = make_credential(own)
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        for name, more in (("credential_new", []), ("credential_rotate", [credential.pk])):
            response = owner_client.post(address(name, company, own.pk, *more), {"overlap": "0", "name": "x"})
            assert response.url.startswith(reverse("account_reauthenticate"))
        owner_client.post(address("credential_revoke", company, own.pk, credential.pk), {"reason": "1"})
    credential.refresh_from_db()
    assert (credential.state, credential.revoked_reason) == ("revoked", "Leaked or exposed")
    assert own.credentials.count() == 1


def test_the_page_shows_how_to_protect_the_server(owner_client, company, own):
    content = owner_client.get(address("detail", company, own.pk)).content.decode()
    assert "from latchkey.mcp import protect" in content
    assert "/api/v1/keys/verify" in content


def test_every_python_snippet_compiles_and_names_things_that_exist(own):
    own.url = 'https://mcp.example.com/"quoted"'
    for snippet in protecting(own, "lk_srv_x"):
        for title, text in snippet.blocks:
            if title.endswith(".py"):
                compile(text, title, "exec")
                imports = "\n".join(line for line in text.splitlines() if line.startswith(("import", "from")))
                exec(imports, {})


def test_a_company_that_is_not_active_registers_nothing(owner_client, company):
    company.state = "suspended"
    company.save()
    assert register(owner_client, company).url == address("list", company)
    assert not McpServer.objects.filter(company=company).exists()


def test_a_stopped_server_says_so(owner_client, company, server):
    server.stopped_at = timezone.now()
    server.save()
    assert "Stopped by the operator" in owner_client.get(address("detail", company, server.pk)).content.decode()


def test_nobody_else_sees_the_pages(stranger_client, company, own):
    assert stranger_client.get(address("list", company)).status_code == 404
    assert stranger_client.get(address("detail", company, own.pk)).status_code == 404


def add_endpoint(client, company, server):
    data = {"url": "https://hooks.example.com/in", "description": "", "which": "every"}
    return client.post(f"{reverse('webhooks:new', args=[company.slug])}?server={server.pk}", data)


def test_an_endpoint_of_the_companys_own_server_hears_of_that_server_alone(owner_client, company, own, server, owner):
    assert "whsec_" in add_endpoint(owner_client, company, own).content.decode()
    endpoint = Endpoint.objects.get()
    assert (endpoint.server, endpoint.company) == (own, None)
    make_key(company, server, owner)
    key, _token = make_key(company, own, owner)
    assert [delivery.event.data["key"]["id"] for delivery in endpoint.deliveries.all()] == [key.pk]
    content = owner_client.get(address("detail", company, own.pk)).content.decode()
    assert reverse("webhooks:detail", args=[company.slug, endpoint.pk]) in content
    assert "Only Stock" in owner_client.get(reverse("webhooks:list", args=[company.slug])).content.decode()


def test_nobody_adds_an_endpoint_to_everyones_or_anothers_server(owner_client, company, server, foreign):
    for found in (server, foreign):
        assert add_endpoint(owner_client, company, found).status_code == 404
    assert not Endpoint.objects.exists()


def test_an_endpoint_of_anothers_server_is_a_missing_page(
    owner_client, stranger_client, company, other_company, foreign
):
    add_endpoint(stranger_client, other_company, foreign)
    endpoint = Endpoint.objects.get()
    assert owner_client.get(reverse("webhooks:detail", args=[company.slug, endpoint.pk])).status_code == 404
    assert stranger_client.get(reverse("webhooks:detail", args=[other_company.slug, endpoint.pk])).status_code == 200


def test_who_manages_the_company_is_told_when_its_servers_endpoint_goes_off(
    owner_client, company, own, owner, mailoutbox
):
    add_endpoint(owner_client, company, own)
    disable_endpoint(endpoint=Endpoint.objects.get(), actor=SYSTEM, reason=OffReason.GONE)
    tell_owners()
    assert [message.to for message in mailoutbox] == [[owner.email]]
    assert reverse("webhooks:detail", args=[company.slug, Endpoint.objects.get().pk]) in mailoutbox[0].body
