"""The tools of the portal's own server, as the people read them who allow them."""

from __future__ import annotations

import pytest
from django.utils import translation

from keys.mcp.catalogue import TOOLS
from keys.models import McpServer
from keys.words import tools_of
from tests import factories


@pytest.fixture
def offered() -> list[dict[str, object]]:
    return [{"name": each["name"], "title": each["title"], "description": each["description"]} for each in TOOLS]


@pytest.mark.parametrize("language", ["nl", "de", "es"])
def test_the_portals_own_tools_are_described_in_the_readers_language(offered, language):
    server = McpServer(name="portal", is_portal=True, tools=offered)
    english = {tool.name: (tool.title, tool.description) for tool in tools_of(server)}
    with translation.override(language):
        for tool in tools_of(server):
            assert tool.title != english[tool.name][0] and tool.description != english[tool.name][1]
            assert tool.description and "narrow it" not in tool.description


def test_tools_of_other_servers_are_described_as_their_servers_do(offered):
    with translation.override("nl"):
        (first, *_rest) = tools_of(McpServer(name="theirs", tools=offered))
    assert (first.title, first.description) == (offered[0]["title"], offered[0]["description"])


@pytest.mark.django_db
def test_consent_and_catalogue_show_them(owner_client, company):
    server = factories.make_server("own-tools", tools=[{"name": "whoami", "title": "Who am I", "read_only": True}])
    McpServer.objects.filter(pk=server.pk).update(is_portal=True)
    owner_client.defaults["HTTP_ACCEPT_LANGUAGE"] = "nl"
    page = owner_client.get(f"/c/{company.slug}/servers/{server.pk}/").content.decode()
    assert "Zeggen namens wie hij handelt" in page and "Who am I" not in page
