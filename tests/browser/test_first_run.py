"""What people meet after their first key: its test, the wait for the first call, labels, and many keys at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser import people
from tests.browser.conftest import Browse, Portal
from tests.browser.looking import look_at
from tests.keys.trying.fake_mcp import FakeMcp

pytestmark = pytest.mark.browser

# What the worker does with the counts of a web process; the browser's portal runs without one.
CALL = """
import time
from keys.models import Key
from keys.usage.services import write_batch
key, now = Key.objects.get(pk={key!r}), time.time()
row = [int(now) // 3600 * 3600, key.server_id, key.company_id, key.pk, {code!r}, {tool!r}, "Gemini CLI", 1]
seen = [[key.pk, "192.0.2.7", "Gemini CLI", key.company_id, {tool!r}, {code!r}, now, now, 1]]
write_batch(f"{{now}}", {{"counts": [row], "sightings": seen}})
"""


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeMcp]:
    """An MCP server of a company."""
    fake = FakeMcp()
    yield fake
    fake.stop()


def call(portal: Portal, token: str, code: str = "VALID", tool: str = "get_companies") -> None:
    portal.manage("shell", "-v0", "-c", CALL.format(key=token.split("_")[2], code=code, tool=tool))


def register_server(page: Page, overview: str, fake: FakeMcp) -> None:
    page.goto(f"{overview}servers/new/")
    page.get_by_label("Name", exact=True).first.fill("stock")
    page.get_by_label("Address", exact=False).first.fill(fake.url)
    row = page.locator("[name='tools-0-name']")
    row.fill("whoami")
    page.locator("[name='tools-0-read_only']").check()
    people.press(page, "Register")


def test_a_new_key_is_tested_and_its_first_call_appears_by_itself(browse: Browse, portal: Portal, fake: FakeMcp):
    page = browse()
    overview = people.register(page, people.new_address("first"), "First Run")
    expect(page.get_by_role("main")).to_contain_text("Your way to a working client")
    register_server(page, overview, fake)
    page.goto(f"{overview}keys/new/")
    page.get_by_label("Name", exact=True).fill("Stock bot")
    page.get_by_text("stock", exact=True).first.click()
    people.press(page, "Create the key")
    token = people.shown_key(page)
    expect(page.locator("#first-call")).to_contain_text("Waiting for your AI")
    page.get_by_role("button", name="Test this key").click()
    expect(page.locator("#trial")).to_contain_text("The key works")
    assert people.shown_key(page) == token  # the page is still there
    page.locator("#trial summary").first.click()
    look_at(page, "new key, tested")
    assert token not in page.locator("#trial").inner_html()

    page.goto(overview)
    expect(page.locator("#first-call")).to_contain_text("Waiting")  # the test was none
    look_at(page, "overview that waits")
    page.evaluate("window.stayed = true")
    call(portal, token, "INSUFFICIENT_SCOPE")
    expect(page.locator("#first-call")).to_contain_text("Gemini CLI was refused get_companies")
    look_at(page, "overview, refused call")
    call(portal, token)
    expect(page.locator("#first-call")).to_contain_text(
        re.compile(r"Gemini CLI called get_companies (just now|\d+ second)")
    )
    expect(page.locator("#first-call .is-done")).to_have_count(5)
    assert page.evaluate("window.stayed")
    look_at(page, "overview, first call")
    page.reload()
    expect(page.get_by_role("main")).to_contain_text("Calls of the last 14 days")
    look_at(page, "overview in use")


def test_a_key_is_tested_without_javascript_by_pasting_it(browse: Browse, portal: Portal, fake: FakeMcp):
    page = browse(javascript=False, width=360)
    overview = people.register(page, people.new_address("paste"), "Paste It")
    token = people.create_key(page, overview, "At the portal")
    page.get_by_role("link", name="I have copied it").click()
    page.get_by_label("The key's value").fill(token[:-1])
    people.press(page, "Test the key")
    expect(page.get_by_role("main")).to_contain_text("This is not the value of At the portal")
    page.get_by_label("The key's value").fill(token)
    people.press(page, "Test the key")
    # Nothing listens at the portal's own MCP address in these tests, and the page says so.
    expect(page.get_by_role("main")).to_contain_text("Nothing answers at this address")
    assert token not in page.content() and token not in page.url


def test_the_test_of_a_server_walks_the_chain(browse: Browse, portal: Portal, fake: FakeMcp):
    page = browse()
    overview = people.register(page, people.new_address("chain"), "Chain Works")
    register_server(page, overview, fake)
    look_at(page, "own server")
    people.follow(page, "Test the connection")
    look_at(page, "test the connection")
    people.press(page, "Start the test")
    expect(page.get_by_role("main")).to_contain_text("A key that nobody has was let in.")
    look_at(page, "tested connection")


def test_labels_and_many_keys_at_once(browse: Browse, portal: Portal):
    page = browse()
    overview = people.register(page, people.new_address("many"), "Many Keys")
    tokens = []
    for number in range(3):
        page.goto(f"{overview}keys/new/")
        page.get_by_label("Name", exact=True).fill(f"Bot {number}")
        page.get_by_label("Labels").fill("Night, office" if number else "day")
        people.press(page, "Create the key")
        tokens.append(people.shown_key(page))
    page.goto(f"{overview}keys/")
    look_at(page, "list with labels")
    page.get_by_role("main").get_by_role("link", name="office").first.click()
    expect(page.get_by_role("row")).to_have_count(3)
    assert urlsplit(page.url).query == "label=office"
    page.get_by_label("All on this page").check()
    people.press(page, "Revoke the ticked keys")
    expect(page.get_by_role("heading", level=1)).to_have_text("Revoke 2 keys")
    look_at(page, "revoke several")
    page.get_by_label("Leaked or exposed").check()
    people.press(page, "Revoke 2 keys")
    expect(page.get_by_role("main")).to_contain_text("2 keys were revoked")
    assert [portal.verdict(token)["code"] for token in tokens] == ["VALID", "REVOKED", "REVOKED"]


def test_a_tool_that_an_ai_asked_for_is_given_and_taken_away(browse: Browse, portal: Portal):
    page = browse()
    overview = people.register(page, people.new_address("asked"), "Asked For")
    page.goto(f"{overview}keys/new/")
    page.get_by_text("Only the tools that I choose").click()
    page.get_by_label("whoami").check()
    people.press(page, "Create the key")
    token = people.shown_key(page)
    key_page = f"{overview}keys/{token.split('_')[2]}/"
    page.goto(f"{key_page}edit/?tool=get_users")
    expect(page.get_by_role("main")).to_contain_text("An AI client asked for get_users")
    expect(page.get_by_label("get_users")).to_be_checked()
    look_at(page, "a tool was asked for")
    assert portal.verdict(token, tool="get_users")["code"] == "INSUFFICIENT_SCOPE"
    people.press(page, "Save")
    expect(page.get_by_role("main")).to_contain_text("The key may use get_users now")
    assert portal.verdict(token, tool="get_users")["code"] == "VALID"
    page.goto(f"{key_page}edit/")
    page.get_by_label("get_users").uncheck()
    people.press(page, "Save")
    assert portal.verdict(token, tool="get_users")["code"] == "INSUFFICIENT_SCOPE"
    assert portal.verdict(token, tool="whoami")["code"] == "VALID"


def test_the_tab_of_a_client_is_remembered(browse: Browse, portal: Portal):
    page = browse()
    overview = people.register(page, people.new_address("tabs"), "Tab Keepers")
    people.create_key(page, overview, "Tabs")
    page.get_by_text("Codex CLI", exact=True).click()
    people.create_key(page, overview, "Tabs again")
    expect(page.get_by_role("radio", name="Codex CLI")).to_be_checked()
    expect(page.locator(".code:visible").first).to_contain_text("[mcp_servers.growerp-system]")
    expect(page.locator(".code:visible").first).to_contain_text("env_http_headers")
