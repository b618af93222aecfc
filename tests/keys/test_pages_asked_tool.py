"""The link that an AI client gives when it was refused a tool: the form opens with it ticked, or says whom to ask."""

from __future__ import annotations

import pytest
from django.urls import reverse

from keys.models import Key
from portal.companies.roles import Role
from tests import factories

pytestmark = pytest.mark.django_db


def address(key, tool="get_users"):
    return reverse("keys:edit", args=[key.company.slug, key.pk]) + f"?tool={tool}"


@pytest.fixture
def narrow(company, server, owner):
    """A key for one tool."""
    return factories.make_key(company, server, owner, name="Narrow", scopes=["tool:get_companies"])[0]


def test_the_tool_is_ticked_beside_those_that_it_has_and_nothing_is_given_yet(owner_client, narrow, server):
    response = owner_client.get(address(narrow))
    assert "An AI client asked for <code>get_users</code>" in response.content.decode()
    form = response.context["form"]
    assert form["access"].value() == "chosen"
    assert set(form[f"tools_{server.pk}"].value()) == {"get_companies", "get_users"}
    assert Key.objects.get(pk=narrow.pk).scopes == ["tool:get_companies"]


def test_saving_gives_it_and_says_so(owner_client, narrow, server):
    data = {"name": "Narrow", "access": "chosen", f"tools_{server.pk}": ["get_companies", "get_users"]}
    page = owner_client.post(address(narrow), data, follow=True).content.decode()
    assert "The key may use get_users now" in page
    assert set(Key.objects.get(pk=narrow.pk).scopes) == {"tool:get_companies", "tool:get_users"}


def test_after_a_while_the_sign_in_is_asked_for_and_the_tool_is_still_ticked(owner_client, narrow, server, settings):
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 0
    data = {"name": "Narrow", "access": "chosen", f"tools_{server.pk}": ["get_companies", "get_users"]}
    response = owner_client.post(address(narrow), data)
    assert "%3Ftool%3Dget_users" in response["Location"]
    assert Key.objects.get(pk=narrow.pk).scopes == ["tool:get_companies"]


@pytest.mark.parametrize(("tool", "words"), [("get_companies", "may use this tool already"), ("fly", "no such tool")])
def test_a_tool_that_it_has_and_one_that_there_is_not(owner_client, narrow, tool, words):
    response = owner_client.get(address(narrow, tool))
    assert words in response.content.decode()
    assert response.context["form"][f"tools_{narrow.server_id}"].value() == ["get_companies"]


def test_a_key_that_only_reads_keeps_its_tools_when_one_that_writes_is_asked_for(owner_client, company, owner):
    tools = [{"name": "look", "read_only": True}, {"name": "book", "read_only": False}]
    own = factories.make_server("own", company=company, tools=tools)
    key, _ = factories.make_key(company, own, owner, scopes=["tools:read"])
    form = owner_client.get(address(key, "book")).context["form"]
    assert sorted(form[f"tools_{own.pk}"].value()) == ["book", "look"]


def test_who_may_not_change_it_reads_whom_to_ask(colleague_client, narrow, company):
    admin = factories.make_user("Ann Admin")
    factories.make_member(company, admin, Role.ADMIN)
    response = colleague_client.get(address(narrow))
    page = response.content.decode()
    assert response.status_code == 403
    assert "asked for <code>get_users</code>" in page
    assert "Olivia Owner" in page and "Ann Admin" in page and '<form method="post" class' not in page
    assert colleague_client.post(address(narrow), {"name": "Taken"}).status_code == 403
    assert Key.objects.get(pk=narrow.pk).name == "Narrow"


def test_a_viewer_is_told_the_same(client, narrow, company):
    viewer = factories.make_user("Vera Viewer")
    factories.make_member(company, viewer, Role.VIEWER)
    client.force_login(viewer)
    assert "Olivia Owner" in client.get(address(narrow)).content.decode()


@pytest.mark.parametrize("tool", ["%00", "%0A", "<script>", "x" * 500])
def test_a_strange_tool_does_no_harm(owner_client, narrow, tool):
    page = owner_client.get(address(narrow, tool))
    assert page.status_code == 200 and b"<script>" not in page.content.split(b"<body")[1].replace(b"</script>", b"")
