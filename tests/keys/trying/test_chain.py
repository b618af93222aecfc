"""Looking at a server as an AI client does: each link of the chain that is broken says what to mend."""

from __future__ import annotations

import pytest
from django.urls import reverse

from keys.trying.chain import check

pytestmark = pytest.mark.django_db
PRM = "/.well-known/oauth-protected-resource/mcp"
ASM = "/.well-known/oauth-authorization-server"


def good_documents(fake, **changes):
    issuer = {
        "issuer": fake.origin, "authorization_endpoint": f"{fake.origin}/a", "token_endpoint": f"{fake.origin}/t",
        "code_challenge_methods_supported": ["S256"], "registration_endpoint": f"{fake.origin}/r",
        "scopes_supported": ["tools:read"],
    }  # fmt: skip
    resource = {"resource": fake.url, "authorization_servers": [fake.origin], "scopes_supported": ["tools:read"]}
    fake.documents.update({PRM: resource | changes.pop("resource", {}), ASM: issuer | changes})
    fake.challenge = f'Bearer scope="tools:read", resource_metadata="{fake.origin}{PRM}"'
    fake.only = "nobody has it"


def tones(links):
    return [link.tone for link in links]


def test_a_whole_chain_is_good_in_every_link(own, fake):
    good_documents(fake)
    links = check(own)
    assert tones(links) == ["success"] * 5, links
    assert links[-1].text == "A client will ask for: tools:read."
    assert ("Clients register by", "dynamic registration") in links[3].facts


def test_a_server_without_protection_is_told_of(own, serve):
    fake = serve(open_to=("initialize", "tools/list", "tools/call"))
    own.url = fake.url
    links = check(own)
    assert (links[0].tone, links[0].text) == ("danger", "It was let in: anybody can use this server.")
    assert (links[1].tone, links[1].text) == ("danger", "A key that nobody has was let in.")


def test_open_discovery_is_looked_behind(own, serve):
    fake = serve(open_to=("initialize", "tools/list"))
    own.url = fake.url
    assert "Discovery is open" in check(own)[0].text
    assert fake.methods[:2] == ["initialize", "tools/call"]


def test_no_tool_that_may_change_things_is_ever_called(own, serve):
    own.tools = [{"name": "whoami", "read_only": False}, {"name": "delete_all", "read_only": False}]
    fake = serve(open_to=("initialize", "tools/list", "tools/call"))
    own.url = fake.url
    links = check(own)
    assert links[0].tone == "warning" and "tools/call" not in fake.methods


def test_a_server_for_keys_alone_is_no_failure(own, fake):
    fake.only = "nobody has it"
    links = check(own)
    assert tones(links) == ["success", "success", "warning"] or tones(links) == ["warning", "success", "warning"]
    assert "Keys work all the same" in links[-1].text


@pytest.mark.parametrize(
    ("changes", "place", "words"),
    [
        ({"resource": {"resource": "https://other.example/mcp"}}, 2, "names another resource"),
        ({"resource": {"authorization_servers": []}}, 2, "no authorization server"),
        ({"issuer": "https://other.example"}, 3, "of another issuer"),
        ({"code_challenge_methods_supported": ["plain"]}, 3, "does not offer PKCE"),
        ({"token_endpoint": ""}, 3, "leaves out token_endpoint"),
        ({"registration_endpoint": None}, 3, "cannot register by themselves"),
        ({"scopes_supported": ["profile"]}, 4, "Not known there: tools:read"),
    ],
)
def test_a_broken_link_says_where(own, fake, changes, place, words):
    good_documents(fake, **changes)
    link = check(own)[place]
    assert words in link.text
    assert link.tone in {"danger", "warning"}


def test_a_resource_with_a_slash_at_its_end_is_only_a_warning(own, fake):
    good_documents(fake, resource={"resource": fake.url + "/"})
    assert check(own)[2].tone == "warning"


def test_nothing_answers(own):
    own.url = "http://127.0.0.1:9/mcp"
    (only,) = check(own)
    assert only.tone == "danger" and "Nothing answers" in only.advice


def test_metadata_elsewhere_is_not_fetched_from_private_networks_in_production(own, fake, settings):
    settings.PRODUCTION = True
    (only,) = check(own)
    assert "does not call private" in only.advice and fake.asked == []


def test_the_page_runs_it_when_asked_and_not_before(colleague_client, stranger_client, company, own, fake):
    good_documents(fake)
    address = reverse("servers:check", args=[company.slug, own.pk])
    assert "Start the test" in colleague_client.get(address).content.decode() and fake.asked == []
    page = colleague_client.post(address).content.decode()
    assert "Found; clients can sign people in." in page and "Test again" in page
    assert address in colleague_client.get(reverse("servers:detail", args=[company.slug, own.pk])).content.decode()
    assert stranger_client.post(address).status_code == 404
