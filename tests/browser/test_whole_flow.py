"""From `/` to a key that works, its rotation and its end; and the staff, who find a key by pasting it."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser import people
from tests.browser.conftest import Browse, Portal
from tests.browser.looking import look_at

pytestmark = pytest.mark.browser

# Number → what the page says.
REFUSALS = {
    "4000 0000 0000 0002": "declined",
    "4000 0000 0000 9995": "insufficient funds",
    "4000 0000 0000 0069": "expired",
    "4000 0000 0000 0127": "security code (CVC) is wrong",
    "4000 0000 0000 0119": "try again",
    "5555 5555 5555 4444": "Never type a real card number here",
}


def copied(page: Page) -> str:
    return page.evaluate("navigator.clipboard.readText()")


def test_a_company_gets_from_the_landing_page_to_a_key_that_works_and_ends_it(browse: Browse, portal: Portal):
    page, email = browse(), people.new_address("ada")

    page.goto("/")
    look_at(page, "landing page")
    people.follow(page, "Create your company")
    look_at(page, "sign-up")
    people.fill_sign_up(page, email, "Analytical Engines")
    people.press(page, "Create company")
    expect(page.get_by_role("heading", name="Check your mail")).to_be_visible()
    look_at(page, "check your mail")

    waiting = page.url
    page.get_by_role("link", name="Open the local mailbox").click()
    look_at(page, "mailbox")
    code = people.read_code(page, email)
    look_at(page, "mail")
    page.goto(waiting)
    page.get_by_label("Code").fill("000000")
    people.press(page, "Confirm")
    look_at(page, "wrong code")
    page.get_by_label("Code").fill(code)
    people.press(page, "Confirm")

    expect(page.get_by_role("heading", name="Confirm a card")).to_be_visible()
    look_at(page, "card")
    every_refusal_says_why(page)
    people.fill_card(page, people.GOOD_CARD)
    expect(page.locator("#card-brand")).to_have_text("Visa")
    people.press(page, "Confirm the card")

    expect(page.get_by_role("heading", level=1)).to_contain_text("Analytical Engines Active")
    overview = page.url
    look_at(page, "overview")
    first = make_a_key_and_copy_it(page, overview, portal)
    second = rotate_it(page, first, portal)
    revoke_it(page, second, portal)
    look_at_the_rest(page, overview)


def every_refusal_says_why(page: Page) -> None:
    for number, reason in REFUSALS.items():
        people.fill_card(page, number)
        people.press(page, "Confirm the card")
        expect(page.get_by_role("main")).to_contain_text(reason)
        expect(page.get_by_label("Name on the card")).to_have_value("Ada Lovelace")
        expect(page.get_by_label("Expiry")).to_have_value(people.EXPIRY)
        expect(page.get_by_label("Card number")).to_have_value("")
        expect(page.get_by_label("Security code")).to_have_value("")
        assert number.replace(" ", "") not in page.content().replace(" ", "") or "5555" not in number
    look_at(page, "refused card")
    people.fill_card(page, "4242 4242 4242 4243")
    people.press(page, "Confirm the card")
    expect(page.get_by_role("main")).to_contain_text("not a card number")
    people.fill_card(page, people.GOOD_CARD, expiry="01/20")
    people.press(page, "Confirm the card")
    expect(page.get_by_role("main")).to_contain_text("has expired")
    people.fill_card(page, people.GOOD_CARD, cvc="12")
    people.press(page, "Confirm the card")
    expect(page.get_by_role("main")).to_contain_text("three or four digits")


def make_a_key_and_copy_it(page: Page, overview: str, portal: Portal) -> str:
    page.goto(f"{overview}keys/")
    look_at(page, "no key yet")
    page.get_by_role("link", name="Create a key").first.click()
    look_at(page, "create a key")
    page.get_by_label("Name", exact=True).fill("")
    people.press(page, "Create the key")
    look_at(page, "create a key, refused")
    page.get_by_label("Name", exact=True).fill("Gemini CLI on the laptop")
    page.get_by_text("Only the tools that I choose").click()
    page.get_by_label("get_companies").check()
    look_at(page, "create a key, tools chosen")
    page.get_by_text("All tools", exact=True).click()
    page.get_by_text("Until a date").click()
    expect(page.get_by_label("Last day")).to_be_visible()
    page.get_by_text("90 days", exact=True).click()
    people.press(page, "Create the key")
    key = people.shown_key(page)
    look_at(page, "key shown once")

    page.locator(".secret").get_by_role("button", name="Copy").click()
    assert copied(page) == key
    snippet = page.locator(".code:visible").first
    expect(snippet).to_contain_text('"X-API-Key": "$GROWERP_SYSTEM_KEY"')
    page.get_by_text("Key in the file", exact=True).locator("visible=true").click()
    snippet.get_by_role("button", name="Copy").click()
    assert json.loads(copied(page)) == {
        "mcpServers": {
            "growerp-system": {
                "httpUrl": "http://localhost:8080/rest/s1/mcp/protocol",
                "headers": {"api_key": key},
            }
        }
    }
    for client in ("Claude Code", "VS Code", "Cursor", "Codex CLI"):
        page.get_by_text(client, exact=True).click()
        expect(page.locator(".code:visible").first).to_contain_text("growerp-system")
    look_at(page, "snippet of another client")
    assert portal.verdict(key, tool="get_companies")["code"] == "VALID"

    page.reload()  # sends the form again
    expect(page.get_by_role("main")).to_contain_text("created already")
    assert key not in page.content()
    page.goto(f"{overview}keys/")
    assert page.get_by_role("row").count() == 2  # the head and this one key
    look_at(page, "list of keys")
    return key


def rotate_it(page: Page, old: str, portal: Portal) -> str:
    people.follow(page, "Gemini CLI on the laptop")
    look_at(page, "key")
    assert old not in page.content()
    people.follow(page, "Rotate")
    look_at(page, "rotate")
    page.get_by_text("24 hours", exact=True).click()
    people.press(page, "Make the new value")
    new = people.shown_key(page)
    look_at(page, "new value shown once")
    assert new != old
    assert portal.verdict(old)["code"] == portal.verdict(new)["code"] == "VALID"

    people.follow(page, "I have copied it")
    expect(page.get_by_role("main")).to_contain_text("An old value still works")
    expect(page.locator("time[data-countdown]").first).to_have_text(re.compile(r"(23:5\d|1 d 00:00):\d\d"))
    look_at(page, "key with an old value")
    people.press(page, "End it now")
    expect(page.get_by_role("main")).to_contain_text("The old value is refused from now on")
    assert portal.verdict(old)["code"] == "EXPIRED"
    assert portal.verdict(new)["code"] == "VALID"
    return new


def revoke_it(page: Page, key: str, portal: Portal) -> None:
    people.follow(page, "Edit")
    look_at(page, "edit")
    page.go_back()
    people.follow(page, "Revoke")
    look_at(page, "revoke")
    page.get_by_label("Leaked or exposed").check()
    page.get_by_role("textbox", name="In a few words").fill("seen in a chat")
    people.press(page, "Revoke the key")
    assert portal.verdict(key)["code"] == "REVOKED"
    expect(page.get_by_role("main")).to_contain_text("Leaked or exposed: seen in a chat")
    look_at(page, "revoked key")


def look_at_the_rest(page: Page, overview: str) -> None:
    for name in ("audit/", "team/", "card/", "keys/?state=expired", "keys/?q=nothing+like+it"):
        page.goto(overview + name)
        look_at(page, name)
    page.goto(f"{overview}audit/")
    expect(page.get_by_role("main")).to_contain_text("revoked the key")
    page.goto("/account/")
    look_at(page, "account")


def test_staff_find_a_key_by_pasting_it_and_revoke_it(browse: Browse, portal: Portal):
    owner = browse()
    overview = people.register(owner, people.new_address("owner"), "Difference Engines")
    key = people.create_key(owner, overview, "To be found")

    page = browse()
    people.sign_in(page, **{name: portal.demo["staff"][name] for name in ("email", "password")})
    page.goto("/staff/")
    look_at(page, "staff dashboard")
    find = page.get_by_role("main").get_by_role("search").first
    find.get_by_role("textbox").or_(find.get_by_role("searchbox")).first.fill(key)
    find.get_by_role("button", name="Find").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("To be found")
    assert key not in page.url
    assert key not in page.content()
    look_at(page, "staff: key")
    people.follow(page, "Revoke")
    look_at(page, "staff: revoke")
    page.get_by_label("Reason").select_option("Leaked")
    page.get_by_label("In your words").fill("found in a public repository")
    page.get_by_role("main").get_by_role("button", name=re.compile("Revoke")).click()
    expect(page.get_by_role("main")).to_contain_text("Leaked: found in a public repository")
    assert portal.verdict(key)["code"] == "REVOKED"
    for name in ("companies/", "keys/", "servers/", "audit/", "find/"):
        page.goto(f"/staff/{name}")
        look_at(page, f"staff: {name}")

    owner.goto(f"{overview}keys/")
    expect(owner.get_by_role("row", name="To be found")).to_contain_text("Revoked")
    owner.goto(f"{overview}audit/")
    expect(owner.get_by_role("main")).to_contain_text("Leaked: found in a public repository")


def test_the_whole_flow_works_without_javascript_on_a_phone(browse: Browse, portal: Portal):
    page = browse(javascript=False, width=360)
    overview = people.register(page, people.new_address("plain"), "Plain Pages")
    key = people.create_key(page, overview, "Without a script")
    assert portal.verdict(key)["code"] == "VALID"
    expect(page.get_by_role("button", name="Copy")).to_have_count(0)
    page.get_by_text("Claude Code", exact=True).click()
    expect(page.locator(".code:visible").first).to_contain_text('"type": "http"')
    page.get_by_text("Key in the file", exact=True).locator("visible=true").click()
    expect(page.locator(".code:visible").first).to_contain_text(key)

    page.get_by_role("link", name="I have copied it").click()
    page.get_by_role("link", name="Rotate").click()
    page.get_by_text("None", exact=True).click()
    people.press(page, "Make the new value")
    new = people.shown_key(page)
    assert portal.verdict(key)["code"] == "EXPIRED"
    page.get_by_role("link", name="I have copied it").click()
    page.get_by_role("link", name="Revoke").click()
    people.press(page, "Revoke the key")
    assert portal.verdict(new)["code"] == "REVOKED"

    page.goto(f"{overview}keys/new/")
    page.get_by_text("Only the tools that I choose").click()
    page.get_by_label("whoami").check()
    people.press(page, "Create the key")
    chosen = people.shown_key(page)
    assert portal.verdict(chosen, tool="whoami")["code"] == "VALID"
    assert portal.verdict(chosen, tool="get_users")["code"] == "INSUFFICIENT_SCOPE"
