from __future__ import annotations

import pytest
from django.test import Client
from django.utils.html import escape

from keys.models import FeedEvent, McpServer
from keys.oauth.models import Connection
from portal.audit.models import AuditEvent
from portal.companies.models import Company
from tests.keys.oauth.driving import Agent, verdict

pytestmark = pytest.mark.django_db


@pytest.fixture
def signed_in(server: McpServer, owner_client: Client) -> dict[str, str]:
    return Agent().sign_in(owner_client)


def test_an_owner_sees_and_revokes_every_connection(
    signed_in, owner_client: Client, company: Company, server_token: str
):
    connection = Connection.objects.get()
    page = owner_client.get(f"/c/{company.slug}/connections/")
    assert "Test Agent" in page.content.decode()
    address = f"/c/{company.slug}/connections/{connection.pk}/"
    assert "growerp-system" in owner_client.get(address).content.decode()
    events = FeedEvent.objects.count()
    assert owner_client.post(address + "revoke/", {"reason": "4", "details": "lost laptop"}).status_code == 302
    assert verdict(server_token, signed_in["access_token"])["code"] == "NOT_FOUND"
    assert FeedEvent.objects.filter(number__gt=events, key_id=connection.pk).exists()
    assert AuditEvent.objects.get(action="connection:revoked").reason == "lost laptop"
    assert "lost laptop" in owner_client.get(address).content.decode()


def test_something_else_needs_words_for_a_connection_too(signed_in, owner_client: Client, company: Company):
    connection = Connection.objects.get()
    refused = owner_client.post(f"/c/{company.slug}/connections/{connection.pk}/revoke/", {"reason": "4"})
    assert "Say in a few words why." in refused.content.decode()
    assert Connection.objects.get().revoked_at is None


def test_a_developer_sees_only_their_own(signed_in, colleague_client: Client, company: Company):
    connection = Connection.objects.get()
    assert "Test Agent" not in colleague_client.get(f"/c/{company.slug}/connections/").content.decode()
    for tail in ("", "revoke/"):
        assert colleague_client.get(f"/c/{company.slug}/connections/{connection.pk}/{tail}").status_code == 404
    assert colleague_client.post(f"/c/{company.slug}/connections/{connection.pk}/revoke/").status_code == 404
    Agent().sign_in(colleague_client)
    assert "Test Agent" in colleague_client.get(f"/c/{company.slug}/connections/").content.decode()


def test_a_stranger_learns_nothing(signed_in, stranger_client: Client, company: Company, other_company: Company):
    connection = Connection.objects.get()
    assert stranger_client.get(f"/c/{company.slug}/connections/").status_code == 404
    for slug in (company.slug, other_company.slug):
        assert stranger_client.post(f"/c/{slug}/connections/{connection.pk}/revoke/").status_code == 404
    assert Connection.objects.get().revoked_at is None


def test_revoking_by_get_changes_nothing(signed_in, owner_client: Client, company: Company):
    owner_client.get(f"/c/{company.slug}/connections/{Connection.objects.get().pk}/revoke/")
    assert Connection.objects.get().revoked_at is None


def test_the_public_page_offers_the_way_without_a_key_first(server: McpServer):
    page = Client().get("/connect/").content.decode()
    assert server.url in page  # the address at which every call asks to sign in
    assert page.index("Without a key") < page.index("With a key")
    assert f"claude mcp add --transport http {server.name} {server.url}" in page
    assert "lk_" not in page


def test_every_way_without_a_key_names_the_address_and_a_client_of_the_page(server: McpServer):
    from keys.oauth.snippets import keyless
    from keys.snippets import Connection as To
    from keys.snippets import snippets

    ways = keyless(To(server.name, server.url))
    known = {snippet.client for snippet in snippets(To(server.name, server.url))}
    assert set(ways) <= known and len(ways) >= 12
    page = Client().get("/connect/").content.decode()
    for name, way in ways.items():
        text = " ".join([way.command, way.settings, *(link.address for link in way.links)])
        assert "growerp-system" in text and "lk_" not in text and "YOUR_KEY" not in text, name
        assert all(escape(link.address) in page for link in way.links), name


def test_the_public_page_stands_without_a_server(db):
    assert Client().get("/connect/").status_code == 200


def test_staff_see_and_revoke_it(signed_in, staff_client: Client, server_token: str):
    connection = Connection.objects.get()
    assert "Test Agent" in staff_client.get("/staff/connections/?q=test").content.decode()
    assert "Test Agent" not in staff_client.get("/staff/connections/?q=nobody").content.decode()
    address = f"/staff/connections/{connection.pk}/revoke/"
    form = staff_client.get(address).context["form"]
    data = {name: field.initial or "" for name, field in form.fields.items()}
    for name, field in form.fields.items():
        if getattr(field, "choices", None):
            data[name] = next(value for value, _label in field.choices if value)
    assert staff_client.post(address, data).status_code == 302
    assert not verdict(server_token, signed_in["access_token"])["valid"]
    assert AuditEvent.objects.get(action="connection:revoked").actor_kind == "staff"


def test_the_staffs_page_is_for_staff(signed_in, owner_client: Client):
    assert owner_client.get("/staff/connections/").status_code == 404
    assert owner_client.post(f"/staff/connections/{Connection.objects.get().pk}/revoke/").status_code == 404
