"""Creating a key by page: who may, what can be chosen, and that its value is shown once."""

from __future__ import annotations

import html
import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from keys import tokens
from keys.models import Key
from keys.snippets import Connection, snippets
from portal.audit.models import AuditEvent
from tests.factories import make_company, make_member, make_server, make_user
from tests.races import at_once

pytestmark = pytest.mark.django_db
TOKEN = re.compile(tokens.TOKEN_PATTERN)


@pytest.fixture
def viewer(company):
    """May look at `company` and change nothing."""
    user = make_user("Vera Viewer")
    make_member(company, user, "viewer")
    return user


def address(company):
    return reverse("keys:new", args=[company.slug])


def filled(page, **changes):
    """What a browser would send for the form on `page`, with `changes` made."""
    form = page.context["form"]
    data = {name: form[name].value() for name in form.fields if form[name].value() not in (None, "", [])}
    return {name: value for name, value in (data | changes).items() if value is not None}


def create(client, company, **changes):
    page = client.get(address(company))
    return client.post(address(company), filled(page, **changes))


def shown_token(response):
    found = {match[0] for match in TOKEN.finditer(response.content.decode())}
    assert len(found) == 1
    return found.pop()


def test_the_form_as_it_is_offered_makes_a_working_key_of_all_tools_for_90_days(owner_client, owner, company, server):
    response = create(owner_client, company)
    assert response.status_code == 200
    key = Key.objects.get(company=company)
    token = tokens.parse(shown_token(response))
    assert token.id == key.pk
    assert key.user == owner
    assert key.server == server
    assert key.scopes == ["tools:*"]
    assert key.expires_at - timezone.now() == pytest.approx(timedelta(days=90), abs=timedelta(minutes=1))
    assert AuditEvent.objects.get(action="key:created").target_id == key.pk


def test_the_page_with_the_value_is_not_kept_by_any_cache(owner_client, company, server):
    assert "no-store" in create(owner_client, company)["Cache-Control"]


def test_the_value_stays_nowhere_but_in_that_page(owner_client, company, server):
    token = shown_token(create(owner_client, company))
    secret = token.rsplit("_", 1)[1]
    key = Key.objects.get()
    pages = [reverse("keys:list", args=[company.slug]), reverse("keys:detail", args=[company.slug, key.pk])]
    for page in pages:
        content = owner_client.get(page).content.decode()
        assert key.hint in content
        assert secret not in content
    assert all(secret not in str(session.get_decoded()) for session in Session.objects.all())
    assert all(secret not in json.dumps(event.data) for event in AuditEvent.objects.all())


def test_the_first_snippet_keeps_the_key_out_and_the_second_is_the_published_one_with_the_key_in_it(
    owner_client, company, server
):
    response = create(owner_client, company)
    token = shown_token(response)
    blocks = re.findall(r"<code>(.*?)</code>", response.content.decode(), re.S)
    shown = [html.unescape(block) for block in blocks if "mcpServers" in block]
    first, second = (json.loads(block) for block in shown[:2])
    assert token not in str(first) and first["mcpServers"][server.name]["httpUrl"] == server.url
    assert second == {"mcpServers": {server.name: {"httpUrl": server.url, "headers": {"api_key": token}}}}


def test_no_link_of_the_page_holds_the_key(owner_client, company, server):
    response = create(owner_client, company)
    token = shown_token(response)
    assert all(token not in link for link in re.findall(r'href="([^"]*)"', response.content.decode()))


def test_sending_the_same_form_again_makes_no_second_key_and_shows_no_value(owner_client, company, server):
    data = filled(owner_client.get(address(company)))
    first = owner_client.post(address(company), data)
    again = owner_client.post(address(company), data, follow=True)
    assert Key.objects.count() == 1
    assert again.redirect_chain == [(reverse("keys:detail", args=[company.slug, Key.objects.get().pk]), 302)]
    assert shown_token(first).rsplit("_", 1)[1] not in again.content.decode()
    assert "created already" in again.content.decode()


def test_a_fresh_form_makes_another_key_with_another_suggested_name(owner_client, company, server):
    create(owner_client, company)
    create(owner_client, company)
    assert Key.objects.values("name").distinct().count() == 2


@pytest.mark.parametrize("once", [None, "", "x", "a" * 300])
def test_a_form_without_its_one_time_value_makes_nothing(owner_client, company, server, once):
    assert create(owner_client, company, once=once).status_code == 200
    assert not Key.objects.exists()


@pytest.mark.parametrize(
    ("lifetime", "days"),
    [("30", 30), ("90", 90), ("365", 365), ("never", None)],
)
def test_each_lifetime_ends_when_it_says(owner_client, company, server, lifetime, days):
    create(owner_client, company, lifetime=lifetime)
    expires = Key.objects.get().expires_at
    assert (expires is None) is (days is None)
    assert days is None or abs(expires - timezone.now() - timedelta(days=days)) < timedelta(minutes=1)


def test_a_date_holds_to_its_end_in_the_companys_time_zone(owner_client, company, server):
    company.time_zone = "Asia/Bangkok"
    company.save()
    day = (timezone.now() + timedelta(days=10)).date()
    create(owner_client, company, lifetime="date", until=day.isoformat())
    assert Key.objects.get().expires_at == datetime(day.year, day.month, day.day, 16, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("until", "says"),
    [
        (None, "Say on which day it ends"),
        ("2020-01-01", "This day is over"),
        ("tomorrow", "Write the day as year, month and day"),
    ],
)
def test_a_wrong_date_is_explained_and_makes_nothing(owner_client, company, server, until, says):
    page = create(owner_client, company, lifetime="date", until=until)
    assert says in page.content.decode()
    assert not Key.objects.exists()


def test_a_date_too_far_away_is_explained(owner_client, company, server):
    page = create(owner_client, company, lifetime="date", until="2199-01-01")
    assert "at most ten years away" in page.content.decode()
    assert not Key.objects.exists()


def test_read_only_and_chosen_tools_become_scopes(owner_client, company, server):
    create(owner_client, company, access="tools:read")
    create(owner_client, company, access="chosen", **{f"tools_{server.pk}": ["whoami", "get_users"]})
    assert [key.scopes for key in Key.objects.order_by("created_at")] == [
        ["tools:read"],
        ["tool:get_users", "tool:whoami"],
    ]


def test_choosing_no_tool_is_explained(owner_client, company, server):
    page = create(owner_client, company, access="chosen")
    assert "Choose at least one tool" in page.content.decode()
    assert not Key.objects.exists()


def test_a_tool_that_the_server_does_not_have_is_refused(owner_client, company, server):
    create(owner_client, company, access="chosen", **{f"tools_{server.pk}": ["drop_database"]})
    assert not Key.objects.exists()


def test_tools_of_a_server_that_was_not_chosen_do_not_count(owner_client, company, server):
    other = make_server(company=company)
    page = create(owner_client, company, server=other.pk, access="chosen", **{f"tools_{server.pk}": ["whoami"]})
    assert "Choose at least one tool" in page.content.decode()


def test_another_companys_server_is_neither_offered_nor_taken(owner_client, company, other_company, server):
    theirs = make_server(company=other_company)
    assert theirs.url not in owner_client.get(address(company)).content.decode()
    create(owner_client, company, server=theirs.pk)
    assert not Key.objects.exists()


def test_addresses_are_taken_one_a_line_or_with_commas(owner_client, company, server):
    create(owner_client, company, allowed_ips="203.0.113.7\n2001:db8::/32, 10.0.0.0/8")
    assert Key.objects.get().allowed_ips == ["10.0.0.0/8", "2001:db8::/32", "203.0.113.7/32"]


def test_a_wrong_address_is_named(owner_client, company, server):
    page = create(owner_client, company, allowed_ips="10.0.0.0/8 300.1.1.1")
    assert "300.1.1.1 is neither an address nor a range" in page.content.decode()
    assert not Key.objects.exists()


def test_a_wrong_address_is_told_along_with_what_else_is_wrong(owner_client, company, server):
    page = create(owner_client, company, name="", allowed_ips="300.1.1.1").content.decode()
    assert "300.1.1.1 is neither an address nor a range" in page and "Fill this in." in page


def test_too_many_addresses_are_told_as_such(owner_client, company, server):
    page = create(owner_client, company, allowed_ips=" ".join(f"10.0.{number}.0/24" for number in range(51)))
    assert "At most 50 addresses and ranges; these are 51." in page.content.decode()


def test_clients_have_the_same_names_in_every_language(owner_client, owner, company, server):
    """“Continue” is one of them, and a word that others translate."""
    owner_client.defaults["HTTP_ACCEPT_LANGUAGE"] = "nl"
    page = create(owner_client, company).content.decode()
    assert '<html lang="nl"' in page and all(f">{snippet.name}<" in page for snippet in snippets(Connection("a", "b")))


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "evil\u202egnp.exe"])
def test_names_that_say_nothing_or_imitate_are_refused(owner_client, company, server, name):
    assert create(owner_client, company, name=name).status_code == 200
    assert not Key.objects.exists()


def test_a_company_without_a_confirmed_card_gets_no_key_and_is_told_why(owner_client, owner, server):
    pending = make_company("Fresh", state="pending", owner=owner)
    page = owner_client.get(address(pending), follow=True)
    assert "Confirm a card first" in page.content.decode()
    data = {"name": "x", "server": server.pk, "access": "tools:*", "lifetime": "30", "once": "a" * 22}
    owner_client.post(address(pending), data)
    assert not Key.objects.exists()


def test_without_any_mcp_server_the_page_says_whom_to_ask(owner_client, company):
    content = owner_client.get(address(company)).content.decode()
    assert "No MCP server yet" in content
    assert '<form method="post" class="stack"' not in content


def test_a_viewer_may_not_and_a_stranger_sees_nothing(client, company, server, viewer, stranger):
    client.force_login(viewer)
    assert client.get(address(company)).status_code == 403
    client.force_login(stranger)
    assert client.get(address(company)).status_code == 404


def test_an_old_sign_in_has_to_be_renewed_first(owner_client, company, server, time_machine):
    time_machine.move_to(timezone.now() + timedelta(hours=1))
    response = owner_client.get(address(company))
    assert response.status_code == 302
    assert reverse("account_reauthenticate") in response["Location"]


def test_a_removed_member_cannot_send_the_form_that_is_still_open(owner_client, owner, company, server, colleague):
    data = filled(owner_client.get(address(company)))
    company.memberships.filter(user=owner).delete()
    assert owner_client.post(address(company), data).status_code == 404
    assert not Key.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_double_click_makes_one_key_and_shows_it_once(owner_client, company, server):
    data = filled(owner_client.get(address(company)))
    twin = Client()
    twin.cookies = owner_client.cookies
    answers = at_once(*(lambda client=client: client.post(address(company), data) for client in (owner_client, twin)))
    assert Key.objects.count() == 1
    assert sorted(answer.status_code for answer in answers) == [200, 302]
