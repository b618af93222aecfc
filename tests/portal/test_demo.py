"""`manage.py demo`: what a script and a newcomer find."""

import json

import pytest
from django.core.management import CommandError, call_command

from keys import selectors
from portal.companies.models import Company
from portal.management.commands import demo

pytestmark = pytest.mark.django_db


def printed(capsys, *arguments):
    call_command("demo", *arguments)
    return capsys.readouterr().out


def test_a_script_gets_a_fresh_key_and_credential_each_time(capsys):
    first, second = (json.loads(printed(capsys, "--json")) for _ in range(2))
    assert set(first) == {"portal", "mcp", "users", "staff", "key", "server_credential", "server"}
    assert first["key"] != second["key"]
    assert selectors.find_by_token(first["key"]).is_usable
    assert selectors.find_by_token(second["server_credential"]).server_id == first["server"]["id"]
    assert first["users"][0] == {
        "email": "test@example.com", "password": "qqqqqq9!", "role": "owner", "company": "Demo Company",
    }  # fmt: skip
    assert Company.objects.count() == 1


def test_the_demo_company_has_confirmed_a_card(capsys):
    printed(capsys)
    company = Company.objects.get()
    assert company.is_active
    assert company.cards.get().last_four == "4242"


def test_the_portals_server_follows_the_runs_addresses(capsys, settings):
    demo.portal_server()
    settings.MCP_URL = "http://localhost:9999"
    assert demo.portal_server().url == "http://localhost:9999/rest/s1/mcp/protocol"


def test_production_has_no_demo_data(settings):
    settings.PRODUCTION = True
    with pytest.raises(CommandError):
        call_command("demo")
    assert not Company.objects.exists()
