"""What staff's words find is the same whether it is collected or met along a list's order."""

from __future__ import annotations

import pytest
from django.urls import reverse

from keys.leaks.models import Leak
from keys.models import McpServer
from keys.oauth import machines
from keys.oauth.models import Connection
from portal.accounts.models import User
from portal.audit.actors import SYSTEM
from portal.companies.models import Company
from portal.staff import searches
from portal.staff.views import connections as views

pytestmark = pytest.mark.django_db


@pytest.fixture
def things(company, other_company, server, owner, stranger, key):
    """A connection, a server of its own and a leak of each company."""
    for number, (place, user) in enumerate(((company, owner), (other_company, stranger))):
        Connection.objects.create(company=place, server=server, user=user, client_name=f"Gemini {number}",
                                  client_host=f"gemini{number}.example.com")  # fmt: skip
        McpServer.objects.create(company=place, name=f"own-{number}", url=f"https://own{number}.example.com")
        Leak.objects.create(company=place, kind="key", subject_id=f"subject{number}", subject_name=f"Laptop {number}",
                            source="github", url=f"https://github.com/{number}", outcome="told",
                            incident_id="together")  # fmt: skip


def found(words: str) -> dict[str, set[str]]:
    rows = {
        "companies": searches.companies(words).of(Company.objects.all()),
        "people": searches.people(words).of(User.objects.all()),
        "keys": searches.keys(words),
        "connections": searches.connections(words).of(Connection.objects.all()),
        "servers": searches.servers(words).of(McpServer.objects.all()),
        "leaks": searches.leaks(words, words).of(Leak.objects.all()),
    }
    return {name: {str(row.pk) for row in each} for name, each in rows.items()}


def test_the_same_is_found_either_way(things, company, owner, key, monkeypatch):
    ids = [key.pk, company.pk, owner.pk, Connection.objects.earliest("pk").pk]
    names = [company.name, company.slug, company.name[:2], owner.name, owner.email, owner.email[:4], key.name]
    words = [*ids, *names, "gem", "gemini1.", "OWN", "own0.example", "https://own", "lap", "https://github.com/1",
             "subject0", "together", "nothing at all"]  # fmt: skip
    narrow = {text: found(text) for text in words}
    monkeypatch.setattr(searches, "BROAD", -1)
    assert {text: found(text) for text in words} == narrow
    assert narrow[company.name]["connections"] and narrow[company.name]["leaks"] and narrow[company.name]["keys"]
    assert len(narrow["gem"]["connections"]) == len(narrow["OWN"]["servers"]) == len(narrow["lap"]["leaks"]) == 2
    assert not any(narrow["nothing at all"].values())


def test_connections_go_a_page_at_a_time_and_back(staff_client, things, monkeypatch):
    monkeypatch.setattr(views, "PAGE", 1)
    address = reverse("staff:connections")
    first = staff_client.get(address, {"q": "gemini"}).context["page"]
    second = staff_client.get(address, {"q": "gemini", "cursor": first.older}).context["page"]
    assert [row.client_name for row in (*first.rows, *second.rows)] == ["Gemini 1", "Gemini 0"]
    assert not second.older
    back = staff_client.get(address, {"q": "gemini", "cursor": second.newer}).context["page"]
    assert back.rows == first.rows


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("/staff/leaks/?q=nothing", "No leak matches"),
        ("/staff/leaks/?kind=token", "No leak matches"),
        ("/staff/connections/?q=nothing", "No connection matches"),
    ],
)
def test_a_search_that_finds_nothing_does_not_say_that_there_is_nothing(staff_client, things, address, words):
    page = staff_client.get(address).content.decode()
    assert words in page
    assert "Show all" in page


def test_the_list_tells_machines_from_clients_that_say_their_name_themselves(staff_client, company, server, owner):
    machines.create(
        company=company, server=server, user=owner, name="Nightly report", scopes=["tools:read"], expires_at=None,
        public_key=None, actor=SYSTEM,
    )  # fmt: skip
    page = staff_client.get("/staff/connections/").content.decode()
    assert "Machine client" in page
    assert "Name not checked" not in page
