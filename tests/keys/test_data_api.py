"""/api/v1/data: what AI clients read with a key, bounded by the key's company."""

import json

import pytest

from keys import services
from keys.servers import services as servers
from portal.audit.actors import SYSTEM
from portal.companies.models import Company
from tests import factories

pytestmark = pytest.mark.django_db
TOOL_OF = {
    "whoami": "whoami",
    "companies": "get_companies",
    "users": "get_users",
    "keys": "list_api_keys",
    "entities": "get_entity_info",
    "services": "get_service_info",
    "system": "ping_system",
}


@pytest.fixture
def read(client, key_token):
    def read(path, *, token=key_token, status=200, header="Authorization", **query):
        value = f"Bearer {token}" if header == "Authorization" else token
        response = client.get(f"/api/v1/data/{path}", query, headers={header: value})
        assert response.status_code == status, response.content
        return response.json()

    return read


def test_reads_are_limited_as_calls_are_and_say_so(read, client, key, key_token):
    key.per_minute = 2
    key.save()
    for left in ("1", "0"):
        response = client.get("/api/v1/data/system", headers={"Authorization": f"Bearer {key_token}"})
        assert response["RateLimit-Policy"] == '"token";q=2;w=60'
        assert response["RateLimit"].startswith(f'"token";r={left};t=')
    assert read("system", status=429)["status"] == 429


def test_the_key_says_who_it_is(read, key, company, owner):
    answer = read("whoami")
    assert answer["key"]["id"] == key.pk
    assert answer["company"]["name"] == "Acme"
    assert answer["user"] == {"id": owner.pk, "name": "Olivia Owner", "email": owner.email, "role": "owner"}


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key", "api_key"])
def test_each_header_will_do(read, header):
    assert read("system", header=header)["status"] == "healthy"


def test_another_company_is_never_shown_counted_or_named(read, other_company, stranger, server):
    """Rule 3: whatever the arguments say."""
    factories.make_key(other_company, server, stranger, name="Their secret project")
    everything = json.dumps([read(path) for path in TOOL_OF])
    for word in (other_company.pk, other_company.slug, "Stranger's", stranger.pk, stranger.email, "secret project"):
        assert word not in everything
    for query in ({"search": other_company.pk}, {"company_name": "Stranger"}, {"search": other_company.slug}):
        assert read("companies", **query) == {"companies": [], "total": 0}
    assert read("users", search="stella") == {"users": [], "total": 0}


def test_companies_are_found_by_name(read, company):
    assert read("companies", company_name="acm")["total"] == 1
    assert read("companies", search="no such")["total"] == 0
    found = read("companies")["companies"][0]
    assert (found["id"], found["currency"], found["role"]) == (
        company.pk, {"code": "USD", "name": "US dollar"}, "owner",
    )  # fmt: skip


def test_lists_are_cut_as_asked(read, colleague):
    assert [user["name"] for user in read("users", start=0, limit=1)["users"]] == ["Colin Colleague"]
    assert [user["name"] for user in read("users", start=1, limit=1)["users"]] == ["Olivia Owner"]
    assert read("users", start=5)["total"] == 2


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 101}, {"limit": "x"}, {"start": -1}, {"search": "a" * 121}])
def test_wrong_arguments_say_what_is_wrong(read, query):
    assert next(iter(query)) in json.dumps(read("users", status=400, **query))


@pytest.mark.parametrize(("path", "tool"), TOOL_OF.items())
def test_each_needs_the_scope_of_its_tool(read, company, server, owner, path, tool):
    _, only = factories.make_key(company, server, owner, scopes=[f"tool:{tool}"])
    read(path, token=only.text)
    other = "ping_system" if tool != "ping_system" else "whoami"
    _, without = factories.make_key(company, server, owner, scopes=[f"tool:{other}"])
    read(path, token=without.text, status=403)


def test_a_key_of_another_server_reads_nothing(read, company, owner):
    _, token = factories.make_key(company, factories.make_server(), owner)
    read("companies", token=token.text, status=401)


def test_a_key_that_is_refused_reads_nothing(read, key, key_token, company, server, server_token):
    read("whoami", token=server_token, status=401)
    read("whoami", token=key_token[:-1] + "!", status=401)
    Company.objects.filter(pk=company.pk).update(state="suspended")
    read("whoami", status=401)
    Company.objects.filter(pk=company.pk).update(state="active")
    servers.stop_server(server=server, reason="x", actor=SYSTEM)
    read("whoami", status=401)
    servers.resume_server(server=server, actor=SYSTEM)
    read("whoami")
    services.revoke_key(key=key, reason="x", actor=SYSTEM)
    read("whoami", status=401)


def test_listed_keys_have_no_value(read, key, key_token):
    listed = read("keys")["keys"]
    assert [row["id"] for row in listed] == [key.pk]
    assert key_token.split("_")[3][:20] not in json.dumps(listed)


def test_entities_hide_what_secures_keys(read):
    names = {entity["name"]: {field["name"] for field in entity["fields"]} for entity in read("entities")["entities"]}
    assert set(names) == {"Company", "Membership", "McpServer", "Key"}
    assert not names["Key"] & {"digest", "pepper"}
    assert [entity["name"] for entity in read("entities", name="key")["entities"]] == ["Key"]


def test_services_are_the_operations_of_the_api(read):
    names = {service["name"] for service in read("services")["services"]}
    assert {"verify_key", "revoke_key", "list_keys"} <= names


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nothing_here_can_be_written(client, key_token, method):
    for path in TOOL_OF:
        response = getattr(client, method)(f"/api/v1/data/{path}", headers={"Authorization": f"Bearer {key_token}"})
        assert response.status_code == 405
