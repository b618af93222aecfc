"""Testing a key: the server is called as a client would, with the key's own value alone, which is kept nowhere."""

from __future__ import annotations

import logging
import time

import pytest
from django.core.cache import cache
from django.urls import reverse

from keys.trying import calls
from keys.trying.key import try_key
from tests import factories

pytestmark = pytest.mark.django_db


def address(key):
    return reverse("keys:test", kwargs={"slug": key.company.slug, "key_id": key.pk})


def words(response):
    return response.content.decode()


def test_a_key_that_is_let_in_works(owner_client, own_key, fake):
    key, value = own_key
    page = words(owner_client.post(address(key), {"value": value}))
    assert "The key works" in page and "Fake answered, protocol 2025-11-25." in page
    assert "whoami, delete_all" in page and "you are welcome" in page
    assert fake.methods == ["initialize", "tools/list", "tools/call"]
    assert fake.asked[-1][2]["params"]["name"] == "whoami"
    assert {headers["x-api-key"] for _name, headers, _body in fake.asked} == {value}
    assert fake.asked[0][2]["params"]["clientInfo"]["name"] == calls.CLIENT


def test_the_value_is_in_no_answer_no_session_no_address_and_no_log(owner_client, own_key, fake, caplog):
    key, value = own_key
    fake.refuse["tools/list"] = (403, {"error": {"message": f"no, {value}", "data": {"echo": value}}})
    caplog.set_level(logging.DEBUG)
    response = owner_client.post(address(key), {"value": value})
    secret = value.rsplit("_", 1)[1]
    assert "was not let in" in words(response)
    assert secret not in words(response)
    assert secret not in str(dict(owner_client.session))
    assert secret not in caplog.text
    assert "no-store" in response["Cache-Control"]
    assert all(secret not in headers.get("referer", "") for _name, headers, _body in fake.asked)


def test_htmx_gets_the_result_alone(owner_client, own_key):
    key, value = own_key
    page = words(
        owner_client.post(address(key), {"value": value}, headers={"HX-Request": "true", "HX-Target": "trial"})
    )
    assert "<html" not in page and "The key works" in page


@pytest.mark.parametrize("what", ["another key", "typed wrong", "nothing"])
def test_nothing_but_the_keys_own_value_is_sent(owner_client, own_key, fake, company, owner, what):
    key, value = own_key
    other = factories.make_key(company, key.server, owner)[1].text
    sent = {"another key": other, "typed wrong": value[:-1] + ("a" if value[-1] != "a" else "b"), "nothing": ""}[what]
    page = words(owner_client.post(address(key), {"value": sent}))
    assert "trial" in page and fake.asked == []
    assert not sent or sent not in page
    assert sent == "" or "This is not the value of Stock bot" in page


def test_a_key_that_may_not_use_the_harmless_tool_does_not_call_it(own_key, fake, company, owner):
    key, token = factories.make_key(company, own_key[0].server, owner, scopes=["tool:delete_all"])
    trial = try_key(key, token.text)
    assert trial.is_good and fake.methods == ["initialize", "tools/list"]
    assert "Left out" in trial.steps[-1].text


def test_a_server_with_sessions_and_an_open_stream_is_understood(own_key, serve):
    key, value = own_key
    fake = serve(stream=True, session="s-1")
    key.server.url = fake.url
    began = time.monotonic()
    trial = try_key(key, value)
    assert trial.is_good, trial
    assert time.monotonic() - began < 3  # it does not wait for the stream's end
    assert "notifications/initialized" in fake.methods


@pytest.mark.parametrize(
    ("manners", "advice"),
    [
        ({"only": "something else"}, "LATCHKEY_URL"),
        ({"refuse": {"initialize": (404, {})}}, "no MCP endpoint"),
        ({"refuse": {"initialize": (403, {"code": "IP_DENIED", "detail": "Not from here."})}}, "allow list"),
        ({"refuse": {"initialize": (429, {})}}, "wait a minute"),
        ({"refuse": {"initialize": (500, {})}}, "its log says what"),
        ({"refuse": {"initialize": (200, ["?"])}}, "not how an MCP server answers"),
        ({"redirect": "http://169.254.169.254/"}, "leads to another one"),
    ],
)
def test_each_refusal_says_what_to_do(own_key, serve, manners, advice):
    key, value = own_key
    fake = serve(**manners)
    key.server.url = fake.url
    trial = try_key(key, value)
    assert not trial.is_good
    assert advice in trial.advice
    assert fake.methods == ["initialize"]


def test_a_server_that_does_not_answer_is_waited_for_a_bounded_time(own_key, serve, monkeypatch):
    key, value = own_key
    monkeypatch.setattr(calls, "SECONDS", 0.5)
    key.server.url = serve(delay=5).url
    began = time.monotonic()
    caller_deadline = began + 0.5
    monkeypatch.setattr(
        calls.Caller, "__post_init__", lambda self: setattr(self, "deadline", caller_deadline), raising=False
    )
    trial = try_key(key, value)
    assert time.monotonic() - began < 3
    assert "No answer within" in trial.advice


@pytest.mark.parametrize(
    ("url", "advice"),
    [("http://127.0.0.1:9/mcp", "Nothing answers"), ("http://nowhere.invalid/mcp", "host name is not known")],
)
def test_an_address_where_nothing_is_says_so(own_key, url, advice):
    key, value = own_key
    key.server.url = url
    assert advice in try_key(key, value).advice


def test_in_production_a_companys_server_is_not_reached_in_a_private_network(own_key, fake, settings):
    key, value = own_key
    settings.PRODUCTION = True
    trial = try_key(key, value)
    assert "does not call private" in trial.advice and fake.asked == []


def test_in_production_an_operators_server_is(own_key, fake, settings, company, owner):
    settings.PRODUCTION = True
    everyones = factories.make_server("everyones", url=fake.url + "?")
    everyones.url = fake.url
    key, token = factories.make_key(company, everyones, owner)
    key.server = everyones
    assert try_key(key, token.text).is_good


def test_tests_are_limited_and_one_runs_at_a_time(owner_client, own_key, fake):
    key, value = own_key
    cache.add("trying", 1, 30)
    assert "Another test is running" in words(owner_client.post(address(key), {"value": value}))
    cache.delete("trying")
    pages = [words(owner_client.post(address(key), {"value": value})) for _ in range(6)]
    assert "The key works" in pages[0] and "You have tested often" in pages[-1]


def test_a_colleague_with_the_value_may_test_and_a_stranger_may_not(colleague_client, stranger_client, own_key):
    key, value = own_key
    assert "The key works" in words(colleague_client.post(address(key), {"value": value}))
    assert stranger_client.post(address(key), {"value": value}).status_code == 404


def test_the_page_of_a_new_key_offers_the_test_with_the_value_in_the_form_alone(owner_client, company, server):
    response = owner_client.get(reverse("keys:new", args=[company.slug]))
    once = response.context["form"]["once"].value()
    made = owner_client.post(
        reverse("keys:new", args=[company.slug]),
        {"once": once, "name": "New", "server": server.pk, "access": "tools:*", "lifetime": "90", "labels": ""},
    )
    page, value = words(made), made.context["token"]
    assert f'<input type="hidden" name="value" value="{value}"' in page and 'target="_blank"' in page
    assert "Waiting for your AI" in page
