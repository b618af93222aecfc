"""The pages of management tokens: who may, that a value is shown once, and that it works until it is revoked."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.urls import reverse
from django.utils import timezone

from keys import tokens
from keys.models import ManagementToken
from portal.audit.models import AuditEvent
from tests.factories import make_member, make_user

pytestmark = pytest.mark.django_db
TOKEN = re.compile(tokens.TOKEN_PATTERN)


def address(name, company, *more):
    return reverse(f"tokens:{name}", args=[company.slug, *more])


def create(client, company, **changes):
    form = client.get(address("new", company)).context["form"]
    data = {"once": form["once"].value(), "name": "Deploy job", "scopes": ["keys:read"], "lifetime": "90"} | changes
    return client.post(address("new", company), {name: value for name, value in data.items() if value is not None})


def shown(response):
    found = {match[0] for match in TOKEN.finditer(response.content.decode())}
    assert len(found) == 1
    return found.pop()


def ask(client, token):
    return client.get(reverse("manage-keys"), headers={"authorization": f"Bearer {token}"})


def test_a_created_token_is_shown_once_and_opens_the_api(owner_client, owner, company, client):
    response = create(owner_client, company)
    token = ManagementToken.objects.get(company=company)
    assert (token.name, token.scopes, token.user) == ("Deploy job", ["keys:read"], owner)
    assert token.expires_at - timezone.now() == pytest.approx(timedelta(days=90), abs=timedelta(minutes=1))
    assert ask(client, shown(response)).status_code == 200
    assert AuditEvent.objects.get(action="token:created").target_id == token.pk


def test_the_value_stays_nowhere_but_in_that_page(owner_client, company):
    response = create(owner_client, company)
    secret = shown(response).rsplit("_", 1)[1]
    assert "no-store" in response["Cache-Control"]
    assert secret not in owner_client.get(address("list", company)).content.decode()
    assert all(secret not in str(session.get_decoded()) for session in Session.objects.all())
    assert all(secret not in json.dumps(event.data) for event in AuditEvent.objects.all())


def test_the_page_says_how_the_command_line_and_the_api_use_it(owner_client, company, settings):
    content = create(owner_client, company).content.decode()
    assert "latchkey keys list" in content
    assert f"LATCHKEY_URL={settings.PORTAL_URL}" in content
    assert reverse("api-docs") in content


def test_sending_the_same_form_again_makes_no_second_token(owner_client, company):
    once = owner_client.get(address("new", company)).context["form"]["once"].value()
    create(owner_client, company, once=once)
    again = create(owner_client, company, once=once)
    assert again.status_code == 302
    assert ManagementToken.objects.count() == 1


def test_the_last_day_of_a_token_can_be_chosen_as_for_a_key(owner_client, company):
    assert "Say on which day it ends." in create(owner_client, company, lifetime="date").content.decode()
    day = timezone.localdate() + timedelta(days=60)
    create(owner_client, company, lifetime="date", until=day.isoformat())
    ends = ManagementToken.objects.get().expires_at
    assert ends is not None and ends.astimezone(ZoneInfo(company.time_zone)).date() == day


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scopes": []}, "Choose at least one."),
        ({"scopes": ["tools:*"]}, "Choose one of those that are offered."),
        ({"name": " "}, "Fill this in."),
        ({"name": "see www.example.com"}, "cannot contain a web"),
        ({"lifetime": "9999"}, "Choose one of those that are offered."),
        ({"once": "x"}, "Load the page again."),
    ],
)
def test_wrong_input_is_explained_and_makes_nothing(owner_client, company, changes, words):
    response = create(owner_client, company, **changes)
    assert words in str(response.context["form"].errors)
    assert not ManagementToken.objects.exists()


def test_a_token_can_live_for_ever_if_that_is_what_was_chosen(owner_client, company):
    create(owner_client, company, lifetime="never")
    assert ManagementToken.objects.get().expires_at is None


def test_developers_and_strangers_have_no_such_pages(colleague_client, stranger_client, owner_client, company):
    create(owner_client, company)
    token = ManagementToken.objects.get()
    for name, more in (("list", []), ("new", []), ("revoke", [token.pk])):
        assert colleague_client.get(address(name, company, *more)).status_code == 403
        assert stranger_client.get(address(name, company, *more)).status_code == 404


def test_a_token_of_another_company_is_a_missing_page(owner_client, stranger_client, company, other_company):
    create(stranger_client, other_company)
    foreign = ManagementToken.objects.get()
    assert foreign.name not in owner_client.get(address("list", company)).content.decode()
    for sent in (owner_client.get, owner_client.post):
        assert sent(address("revoke", company, foreign.pk)).status_code == 404
    foreign.refresh_from_db()
    assert foreign.revoked_at is None


def test_creating_asks_for_a_recent_sign_in_and_revoking_does_not(owner_client, company):
    create(owner_client, company)
    token = ManagementToken.objects.get()
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        response = owner_client.get(address("new", company))
        assert response.url.startswith(reverse("account_reauthenticate"))
        assert owner_client.post(address("new", company), {}).status_code == 302
        response = owner_client.post(address("revoke", company, token.pk), {"reason": "1", "details": "in a log"})
    assert response.url == address("list", company)
    token.refresh_from_db()
    assert (token.state, token.revoked_reason) == ("revoked", "Leaked or exposed: in a log")
    assert ManagementToken.objects.count() == 1


def test_a_revoked_token_is_refused_and_stays_on_the_list(owner_client, company, client):
    value = shown(create(owner_client, company))
    token = ManagementToken.objects.get()
    owner_client.post(address("revoke", company, token.pk), {"reason": "0"})
    assert ask(client, value).status_code == 401
    content = owner_client.get(address("list", company)).content.decode()
    assert token.hint in content
    assert address("revoke", company, token.pk) not in content
    assert AuditEvent.objects.get(action="token:revoked").reason == "No longer needed"


def test_the_list_says_that_a_token_whose_maker_left_is_refused(owner_client, company, client):
    admin = make_user()
    membership = make_member(company, admin, "admin")
    client.force_login(admin)
    create(client, company)
    assert "its maker left" not in owner_client.get(address("list", company)).content.decode()
    membership.delete()
    assert "its maker left" in owner_client.get(address("list", company)).content.decode()


def test_a_company_that_is_not_active_makes_no_token(owner_client, company):
    company.state = "suspended"
    company.save()
    assert owner_client.get(address("new", company)).url == address("list", company)
    content = owner_client.get(address("list", company)).content.decode()
    assert "The company is suspended" in content
    assert address("new", company) not in content


def test_the_empty_list_says_what_to_do(owner_client, company):
    content = owner_client.get(address("list", company)).content.decode()
    assert "No management token yet" in content
    assert address("new", company) in content


def test_the_list_costs_as_many_queries_for_ten_tokens_as_for_one(owner_client, company, django_assert_max_num_queries):
    for _ in range(10):
        create(owner_client, company)
    with django_assert_max_num_queries(12):
        owner_client.get(address("list", company))
