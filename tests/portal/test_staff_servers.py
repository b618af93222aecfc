"""Staff look after MCP servers and their credentials."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from keys.models import CredentialState, McpServer, ServerCredential
from keys.selectors import find_by_token
from keys.tokens import TOKEN_PATTERN
from portal.audit.models import AuditEvent
from portal.audit.services import PLATFORM
from tests import factories

pytestmark = pytest.mark.django_db


def text(response) -> str:
    return response.content.decode()


def form(tools=(), **fields) -> dict[str, str]:
    data = {"name": "billing", "title": "Billing", "url": "https://billing.example.com/mcp", "alternate_urls": ""}
    data |= {"tools-TOTAL_FORMS": str(len(tools)), "tools-INITIAL_FORMS": "0", "catalogue": ""} | fields
    for number, tool in enumerate(tools):
        data |= {f"tools-{number}-{name}": value for name, value in tool.items()}
    return data


NEW = "/staff/servers/new/"


def test_a_server_is_registered_with_its_tools(staff_client, staff):
    tools = [{"name": "get_invoices", "title": "Invoices", "read_only": "on"}, {"name": ""}, {"name": "pay"}]
    response = staff_client.post(NEW, form(tools, alternate_urls="https://b2.example.com/mcp\n"))
    server = McpServer.objects.get(name="billing")
    assert response["Location"] == reverse("staff:server", args=[server.pk])
    assert server.company is None
    assert server.tool_names == ["get_invoices", "pay"] and server.read_only_tools == {"get_invoices"}
    assert server.alternate_urls == ["https://b2.example.com/mcp"]
    event = AuditEvent.objects.get(chain=PLATFORM, action="server:registered")
    assert (event.actor_kind, event.actor_id) == ("staff", staff.pk)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": "Not Good"}, "Use lower-case letters"),
        ({"url": "ftp://x"}, "begins with https://"),
        ({"url": "javascript:alert(1)"}, "begins with https://"),
        ({"alternate_urls": "nonsense"}, "nonsense is not an address"),
        ({"catalogue": "{"}, "This is not JSON"),
        ({"catalogue": '{"tools": 3}'}, "There is no list of tools"),
        ({"catalogue": '[{"name": "not a name"}]'}, "Use letters, digits"),
        ({"catalogue": '[{"name": "a"}, {"name": "a"}]'}, "a stands here twice"),
        ({"name": "growerp-system"}, "registered already"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_saved(staff_client, server, fields, words):
    response = staff_client.post(NEW, form(**fields))
    assert words in text(response)
    assert McpServer.objects.count() == 1


def test_two_tools_of_one_name_are_refused(staff_client):
    assert "get stands here twice" in text(staff_client.post(NEW, form([{"name": "get"}, {"name": "get"}])))


def test_a_pasted_answer_to_tools_list_becomes_the_catalogue(staff_client, server):
    answer = {"jsonrpc": "2.0", "id": 1, "result": {"tools": [
        {"name": "find", "description": "Finds.", "annotations": {"readOnlyHint": True, "title": "Find"}},
        {"name": "drop", "inputSchema": {}},
    ]}}  # fmt: skip
    address = reverse("staff:server_edit", args=[server.pk])
    fields = {"name": server.name, "url": server.url, "title": server.title, "catalogue": json.dumps(answer)}
    assert staff_client.post(address, form(**fields)).status_code == 302
    server.refresh_from_db()
    assert server.tools == [
        {"name": "find", "title": "Find", "description": "Finds.", "read_only": True},
        {"name": "drop", "title": "", "description": "", "read_only": False},
    ]


def test_editing_shows_what_is_there_and_removes_ticked_rows(staff_client, server):
    server.tools = [{"name": "a", "read_only": True}, {"name": "b", "description": "B"}]
    server.save()
    address = reverse("staff:server_edit", args=[server.pk])
    shown = text(staff_client.get(address))
    assert 'value="a"' in shown and 'value="b"' in shown and server.url in shown
    rows = [{"name": "a", "DELETE": "on"}, {"name": "b", "description": "Better"}]
    fields = {"name": server.name, "url": server.url, "title": "New title"}
    staff_client.post(address, form(rows, **fields) | {"tools-INITIAL_FORMS": "2"})
    server.refresh_from_db()
    assert server.tool_names == ["b"] and server.tools[0]["description"] == "Better"
    assert server.title == "New title"


def test_a_companys_own_server_is_listed_and_its_company_reads_what_staff_do(staff_client, company):
    own = factories.make_server("own", company=company)
    shown = text(staff_client.get(reverse("staff:servers")))
    assert "own" in shown and company.name in shown
    staff_client.post(reverse("staff:server_stop", args=[own.pk]), {"reason": "Answers nonsense"})
    event = AuditEvent.objects.get(chain=company.pk, action="server:stopped")
    assert (event.actor_kind, event.reason) == ("staff", "Answers nonsense")


def test_servers_are_found_and_filtered(staff_client, server, company):
    factories.make_server("own", company=company)

    def names(**query):
        return [row.name for row in staff_client.get(reverse("staff:servers"), query).context["page"].rows]

    assert names() == ["growerp-system", "own"]
    assert names(q="grow") == ["growerp-system"]
    assert names(q="acme") == ["own"]
    assert names(owner="company") == ["own"]
    assert names(owner="everyone") == ["growerp-system"]


def test_the_emergency_stop_asks_for_a_reason_and_is_ended_by_confirmation(staff_client, server):
    stop, resume = reverse("staff:server_stop", args=[server.pk]), reverse("staff:server_resume", args=[server.pk])
    staff_client.get(stop)
    assert staff_client.post(stop, {"reason": ""}).status_code == 400
    server.refresh_from_db()
    assert server.stopped_at is None
    staff_client.post(stop, {"reason": "Leaks data"})
    server.refresh_from_db()
    assert server.stopped_at
    assert "Every key is refused" in text(staff_client.get(reverse("staff:server", args=[server.pk])))
    staff_client.get(resume)
    server.refresh_from_db()
    assert server.stopped_at
    staff_client.post(resume)
    server.refresh_from_db()
    assert server.stopped_at is None


@pytest.fixture
def recent(staff_client, staff):
    """A browser in which staff signed in a moment ago, by password."""
    response = staff_client.post(reverse("account_reauthenticate"), {"password": factories.PASSWORD, "next": "/staff/"})
    assert response.status_code == 302
    return staff_client


def credential_page(server) -> str:
    return reverse("staff:credential_new", args=[server.pk])


def shown_token(response) -> str:
    import re

    found = re.search(TOKEN_PATTERN, text(response))
    assert found
    return found[0]


def test_a_credential_is_shown_once_and_kept_nowhere(recent, server, staff):
    response = recent.post(credential_page(server), {"name": "production"})
    token = shown_token(response)
    credential = find_by_token(token)
    assert isinstance(credential, ServerCredential)
    assert (credential.server, credential.name, credential.created_by) == (server, "production", staff)
    assert "no-store" in response["Cache-Control"]
    assert token not in str(dict(recent.session))
    assert token not in text(recent.get(reverse("staff:server", args=[server.pk])))
    event = AuditEvent.objects.get(action="credential:created", target_id=credential.pk)
    assert event.actor_kind == "staff" and token not in str(event.data)


def test_making_and_rotating_need_a_recent_sign_in_and_revoking_does_not(recent, server):
    credential, _token = factories.make_credential(server)
    rotate = reverse("staff:credential_rotate", args=[server.pk, credential.pk])
    revoke = reverse("staff:credential_revoke", args=[server.pk, credential.pk])
    with time_machine.travel(timezone.now() + timedelta(minutes=20)):
        for address in (credential_page(server), rotate):
            for response in (recent.get(address), recent.post(address, {"name": "x", "overlap": "0"})):
                assert response.status_code == 302 and "reauthenticate" in response["Location"]
        assert ServerCredential.objects.count() == 1
        recent.post(revoke, {"why": "Leaked"})
    credential.refresh_from_db()
    assert credential.state == CredentialState.REVOKED and credential.revoked_reason == "Leaked"


def test_rotating_shows_the_new_value_and_keeps_the_old_one_for_the_overlap(recent, server, server_token):
    old = find_by_token(server_token)
    response = recent.post(reverse("staff:credential_rotate", args=[server.pk, old.pk]), {"overlap": "3600"})
    new = find_by_token(shown_token(response))
    old.refresh_from_db()
    assert old.state == CredentialState.ROTATING and new.replaces == old
    assert timedelta(minutes=59) < old.overlap_ends_at - timezone.now() <= timedelta(hours=1)
    again = recent.post(reverse("staff:credential_rotate", args=[server.pk, old.pk]), {"overlap": "3600"})
    assert "rotated already" in text(again)


def test_a_credential_belongs_to_its_server(recent, server, server_token):
    other = factories.make_server("other")
    credential = find_by_token(server_token)
    for name in ("credential_rotate", "credential_revoke"):
        assert recent.get(reverse(f"staff:{name}", args=[other.pk, credential.pk])).status_code == 404


def test_a_servers_page_takes_few_queries(staff_client, server, company, owner, django_assert_max_num_queries):
    for _ in range(6):
        factories.make_credential(server)
        factories.make_key(company, server, owner)
    staff_client.get(reverse("staff:server", args=[server.pk]))
    with django_assert_max_num_queries(12):
        staff_client.get(reverse("staff:server", args=[server.pk]))
