"""Looking at keys, editing, rotating and revoking them by page."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from keys import services, tokens
from keys.models import Key, McpServer
from portal.audit.actors import Actor
from portal.audit.models import AuditEvent
from tests.factories import make_key, make_member, make_server, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer(company):
    """May look at `company` and change nothing."""
    user = make_user("Vera Viewer")
    make_member(company, user, "viewer")
    return user


def page(name, key, company=None):
    return reverse(f"keys:{name}", args=[(company or key.company).slug, key.pk])


def rotate(key, user, hours=24):
    return services.rotate_key(key=key, overlap=timedelta(hours=hours), actor=Actor.user(user))


# --- The list -----------------------------------------------------------------------------------------------------


def found(client, company, **query):
    response = client.get(reverse("keys:list", args=[company.slug]), query)
    listing = response.context["listing"]
    return [key.name for key in listing.page]


def test_the_list_shows_what_each_key_is(owner_client, key, company):
    content = owner_client.get(reverse("keys:list", args=[company.slug])).content.decode()
    for text in (html.escape(key.name), key.hint, key.server.name, "All tools", "Active"):
        assert text in content


def queries_of(client, address):
    client.get(address)  # notes the company in the session
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


def test_the_list_takes_as_many_queries_for_one_key_as_for_twenty(owner_client, owner, company, server, key):
    address = reverse("keys:list", args=[company.slug])
    few = queries_of(owner_client, address)
    for number in range(19):
        make_key(company, server, owner, name=f"Key {number}")
    assert queries_of(owner_client, address) == few <= 13


def test_an_empty_list_says_what_to_do(owner_client, company, server):
    content = owner_client.get(reverse("keys:list", args=[company.slug])).content.decode()
    assert "No key yet" in content
    assert reverse("keys:new", args=[company.slug]) in content


def test_the_list_is_searched_filtered_and_ordered(owner_client, owner, colleague, company, server):
    other = make_server()
    first, _ = make_key(company, server, owner, name="Alpha")
    make_key(company, other, colleague, name="Beta")
    gone, _ = make_key(company, server, owner, name="Gamma")
    services.revoke_key(key=gone, reason="test", actor=Actor.user(owner))
    assert found(owner_client, company, q="alp") == ["Alpha"]
    assert found(owner_client, company, q=f"lk_test_{first.pk}") == ["Alpha"]
    assert found(owner_client, company, q=first.pk) == ["Alpha"]
    assert found(owner_client, company, q=colleague.name) == ["Beta"]
    assert found(owner_client, company, state="revoked") == ["Gamma"]
    assert found(owner_client, company, state="active", sort="name") == ["Alpha", "Beta"]
    assert found(owner_client, company, server=other.pk) == ["Beta"]
    assert found(owner_client, company, sort="-name") == ["Gamma", "Beta", "Alpha"]
    assert found(owner_client, company, q="nothing like it") == []


def test_a_search_finds_keys_by_who_they_act_for_and_by_their_server_even_if_that_is_archived(
    owner_client, owner, colleague, company, server
):
    gone = make_server(name="payroll", company=company)
    make_key(company, server, owner, name="Alpha")
    make_key(company, gone, colleague, name="Beta")
    McpServer.objects.filter(pk=gone.pk).update(archived_at=timezone.now())
    assert found(owner_client, company, q="PAYR") == ["Beta"]
    assert found(owner_client, company, q=colleague.email.upper()) == ["Beta"]
    assert found(owner_client, company, q=colleague.email.partition("@")[2]) == []


@pytest.mark.parametrize("query", [{"state": "odd"}, {"sort": "password"}, {"page": "x"}, {"server": "'"}])
def test_a_list_with_an_odd_address_shows_everything(owner_client, key, company, query):
    assert found(owner_client, company, **query) == [key.name]


def test_a_key_pasted_into_the_search_leaves_the_address(owner_client, key, key_token, company):
    response = owner_client.get(reverse("keys:list", args=[company.slug]), {"q": key_token, "state": "active"})
    assert response.status_code == 302
    assert key_token not in response["Location"]
    assert key.pk in response["Location"]
    assert "state=active" in response["Location"]
    assert found(owner_client, company, q=f"lk_test_{key.pk}") == [key.name]


def test_the_list_has_pages(owner_client, owner, company, server):
    for number in range(26):
        make_key(company, server, owner, name=f"Key {number}")
    assert len(found(owner_client, company)) == 25
    assert len(found(owner_client, company, page=2)) == 1
    for beyond, shown in (("3", 1), ("0", 1), ("99999999999", 1), ("-1", 1), ("abc", 25), ("", 25)):
        assert len(found(owner_client, company, page=beyond)) == shown, beyond
    assert found(owner_client, company, page="7", q="nothing like it") == []


def test_another_companys_keys_are_in_no_list(client, stranger, key, company, other_company):
    client.force_login(stranger)
    assert found(client, other_company, q=key.name) == []
    assert client.get(reverse("keys:list", args=[company.slug])).status_code == 404


# --- One key ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["detail", "edit", "rotate", "revoke"])
def test_a_key_of_another_company_answers_like_one_that_does_not_exist(client, stranger, key, other_company, name):
    client.force_login(stranger)
    foreign = client.get(page(name, key, other_company))
    missing = client.get(page(name, Key(id="0" * 12), other_company))
    assert foreign.status_code == missing.status_code == 404


def test_the_page_of_a_key_shows_a_snippet_with_a_placeholder(owner_client, key, key_token):
    content = owner_client.get(page("detail", key)).content.decode()
    assert "YOUR_KEY" in content
    assert key.server.url in content
    assert key_token not in content


def test_the_page_of_a_key_tells_its_history_and_its_other_values(owner_client, owner, key):
    new, _token = rotate(key, owner)
    content = owner_client.get(page("detail", new)).content.decode()
    assert "rotated the key" in content
    assert page("detail", key) in content
    assert "An old value still works" in content
    old = owner_client.get(page("detail", key)).content.decode()
    assert page("detail", new) in old
    assert page("rotate", key) not in old


def test_the_queries_of_a_key_do_not_grow_with_its_history(owner_client, owner, key):
    few = queries_of(owner_client, page("detail", key))
    for number in range(10):
        services.update_key(key=key, actor=Actor.user(owner), name=f"Name {number}")
    assert queries_of(owner_client, page("detail", key)) == few <= 15


def test_a_viewer_looks_and_is_offered_nothing_to_change(client, viewer, key):
    client.force_login(viewer)
    content = client.get(page("detail", key)).content.decode()
    assert all(page(name, key) not in content for name in ("edit", "rotate", "revoke"))
    for name in ("edit", "rotate", "revoke"):
        assert client.get(page(name, key)).status_code == 403
        assert client.post(page(name, key)).status_code == 403
    assert client.post(page("end_overlap", key)).status_code == 403


def test_a_developer_manages_only_their_own_keys(client, colleague, key, company, server):
    own, _ = make_key(company, server, colleague)
    client.force_login(colleague)
    for name in ("edit", "rotate", "revoke"):
        assert client.get(page(name, key)).status_code == 403
        assert client.get(page(name, own)).status_code == 200
    assert client.post(page("revoke", key), {"reason": "0"}).status_code == 403
    key.refresh_from_db()
    assert key.is_usable


def test_an_owner_manages_the_keys_of_others(owner_client, colleague, company, server):
    theirs, _ = make_key(company, server, colleague)
    owner_client.post(page("revoke", theirs), {"reason": "1", "details": ""})
    theirs.refresh_from_db()
    assert theirs.state == "revoked"


# --- Editing ------------------------------------------------------------------------------------------------------


def edit(client, key, **changes):
    form = client.get(page("edit", key)).context["form"]
    data = {name: form[name].value() for name in form.fields if form[name].value() not in (None, "", [])}
    data |= changes
    if isinstance(data.get("allowed_ips"), list):
        data["allowed_ips"] = "\n".join(data["allowed_ips"])
    return client.post(page("edit", key), {name: value for name, value in data.items() if value is not None})


def test_saving_without_a_change_changes_nothing(owner_client, company, server, owner):
    key, _ = make_key(company, server, owner, scopes=["tool:whoami"], allowed_ips=["10.0.0.0/8"], per_minute=5)
    before = AuditEvent.objects.count()
    assert edit(owner_client, key).status_code == 302
    assert AuditEvent.objects.count() == before


def test_name_scopes_addresses_and_limits_are_changed_together(owner_client, key):
    tools = {f"tools_{key.server_id}": ["whoami"]}
    edit(owner_client, key, name="Renamed", access="chosen", allowed_ips="10.0.0.1", per_minute="7", **tools)
    key.refresh_from_db()
    assert (key.name, key.scopes, key.allowed_ips, key.per_minute) == (
        "Renamed",
        ["tool:whoami"],
        ["10.0.0.1/32"],
        7,
    )
    assert AuditEvent.objects.get(action="key:updated").target_id == key.pk


def test_taking_away_needs_no_new_sign_in_and_giving_more_does(owner_client, key, company, server, owner, time_machine):
    time_machine.move_to(timezone.now() + timedelta(hours=1))
    assert edit(owner_client, key, access="tools:read")["Location"] == page("detail", key)
    widened = edit(owner_client, key, access="tools:*")
    assert reverse("account_reauthenticate") in widened["Location"]
    key.refresh_from_db()
    assert key.scopes == ["tools:read"]


@pytest.mark.parametrize(
    "changes",
    [{"allowed_ips": "10.0.0.0/8 192.0.2.1"}, {"allowed_ips": None}, {"per_minute": None}, {"per_minute": "6"}],
)
def test_more_addresses_or_calls_are_more_too(owner_client, company, server, owner, time_machine, changes):
    key, _ = make_key(company, server, owner, allowed_ips=["10.0.0.0/8"], per_minute=5)
    time_machine.move_to(timezone.now() + timedelta(hours=1))
    assert reverse("account_reauthenticate") in edit(owner_client, key, **changes)["Location"]


def test_a_tool_that_the_server_lost_stays_until_it_is_taken_away(owner_client, company, server, owner):
    key, _ = make_key(company, server, owner, scopes=["tool:whoami", "tool:get_users"])
    server.tools = [tool for tool in server.tools if tool["name"] != "whoami"]
    server.save()
    assert "No longer offered" in owner_client.get(page("edit", key)).content.decode()
    edit(owner_client, key, name="Renamed")
    key.refresh_from_db()
    assert key.scopes == ["tool:get_users", "tool:whoami"]


def test_a_key_that_has_ended_cannot_be_edited(owner_client, owner, key):
    services.revoke_key(key=key, reason="test", actor=Actor.user(owner))
    assert owner_client.get(page("edit", key))["Location"] == page("detail", key)


# --- Rotating -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("choice", "hours"), [("1", 1), ("24", 24), ("168", 168)])
def test_rotating_shows_a_new_value_and_keeps_the_old_one_for_a_while(owner_client, key, key_token, choice, hours):
    response = owner_client.post(page("rotate", key), {"overlap": choice})
    shown = {match[0] for match in re.finditer(tokens.TOKEN_PATTERN, response.content.decode())}
    assert len(shown) == 1
    assert key_token not in shown
    assert "no-store" in response["Cache-Control"]
    key.refresh_from_db()
    assert key.state == "rotating"
    assert key.overlap_ends_at - timezone.now() == pytest.approx(timedelta(hours=hours), abs=timedelta(minutes=1))
    assert key.replaced_by.pk == tokens.parse(shown.pop()).id


def test_rotating_with_no_overlap_ends_the_old_value_at_once(owner_client, key):
    response = owner_client.post(page("rotate", key), {"overlap": "0"})
    key.refresh_from_db()
    assert key.state == "expired"
    assert "refused from now on" in response.content.decode()


@pytest.mark.parametrize("overlap", ["", "2", "-1", "99999"])
def test_an_overlap_that_is_not_offered_rotates_nothing(owner_client, key, overlap):
    owner_client.post(page("rotate", key), {"overlap": overlap})
    key.refresh_from_db()
    assert key.state == "active"


def test_sending_the_rotation_again_rotates_nothing_more_and_shows_no_value(owner_client, key):
    first = owner_client.post(page("rotate", key), {"overlap": "24"})
    again = owner_client.post(page("rotate", key), {"overlap": "24"}, follow=True)
    assert Key.objects.count() == 2
    assert "rotated already" in again.content.decode()
    assert re.search(tokens.TOKEN_PATTERN, first.content.decode())
    assert not re.search(tokens.TOKEN_PATTERN, again.content.decode())


def test_rotating_a_key_that_has_ended_is_explained(owner_client, owner, key):
    services.revoke_key(key=key, reason="test", actor=Actor.user(owner))
    response = owner_client.post(page("rotate", key), {"overlap": "24"})
    assert "no longer in use" in response.content.decode()
    assert Key.objects.count() == 1


def test_an_old_sign_in_has_to_be_renewed_before_rotating(owner_client, key, time_machine):
    time_machine.move_to(timezone.now() + timedelta(hours=1))
    for response in (owner_client.get(page("rotate", key)), owner_client.post(page("rotate", key), {"overlap": "24"})):
        assert reverse("account_reauthenticate") in response["Location"]
    key.refresh_from_db()
    assert key.state == "active"


def test_the_overlap_is_ended_from_either_page_without_a_new_sign_in(owner_client, owner, key, time_machine):
    new, _token = rotate(key, owner)
    time_machine.move_to(timezone.now() + timedelta(hours=1))
    assert page("end_overlap", key) in owner_client.get(page("detail", new)).content.decode()
    assert page("end_overlap", key) in owner_client.get(page("detail", key)).content.decode()
    assert owner_client.get(page("end_overlap", key)).status_code == 405
    assert owner_client.post(page("end_overlap", key))["Location"] == page("detail", new)
    key.refresh_from_db()
    assert key.state == "expired"
    again = owner_client.post(page("end_overlap", key), follow=True)
    assert "not accepted any more" in again.content.decode()


# --- Revoking -----------------------------------------------------------------------------------------------------


def test_revoking_never_asks_for_a_new_sign_in(owner_client, key, time_machine):
    time_machine.move_to(timezone.now() + timedelta(hours=5))
    response = owner_client.post(page("revoke", key), {"reason": "1", "details": "seen in a chat"}, follow=True)
    key.refresh_from_db()
    assert key.state == "revoked"
    assert key.revoked_reason == "Leaked or exposed: seen in a chat"
    assert AuditEvent.objects.get(action="key:revoked").reason == key.revoked_reason
    assert "This key is revoked" in response.content.decode()


def test_looking_at_the_question_revokes_nothing(owner_client, key):
    assert owner_client.get(page("revoke", key)).status_code == 200
    key.refresh_from_db()
    assert key.is_usable


def test_revoking_asks_for_a_reason_from_the_list(owner_client, key):
    assert owner_client.post(page("revoke", key), {"reason": "99"}).status_code == 200
    key.refresh_from_db()
    assert key.is_usable


@pytest.mark.parametrize("details", ["", "   "])
def test_something_else_needs_words(owner_client, key, details):
    refused = owner_client.post(page("revoke", key), {"reason": "4", "details": details})
    assert refused.context["form"].errors == {"details": ["Say in a few words why."]}
    key.refresh_from_db()
    assert key.is_usable


def test_something_else_is_kept_in_the_words_that_were_given(owner_client, key):
    owner_client.post(page("revoke", key), {"reason": "4", "details": "We moved to another ERP"})
    key.refresh_from_db()
    assert key.revoked_reason == "We moved to another ERP"
    assert AuditEvent.objects.get(action="key:revoked").reason == "We moved to another ERP"


def test_a_key_in_the_details_is_not_kept(owner_client, key, key_token):
    owner_client.post(page("revoke", key), {"reason": "1", "details": f"found {key_token}"})
    key.refresh_from_db()
    assert key_token not in key.revoked_reason
    assert key_token not in AuditEvent.objects.get(action="key:revoked").reason


def test_forms_without_a_csrf_token_are_refused(owner, key, company):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(owner)
    for name in ("rotate", "revoke", "edit", "end_overlap"):
        assert strict.post(page(name, key), {"overlap": "24", "reason": "0"}).status_code == 403
    assert strict.post(reverse("keys:new", args=[company.slug]), {}).status_code == 403
