"""The main flow with nothing but the keyboard: every control is reached by Tab, and the focus is always seen."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Locator, Page, expect

from portal.management.commands import demo
from tests.browser import people
from tests.browser.conftest import Browse, Portal

pytestmark = pytest.mark.browser

MOST_STOPS = 80
# The outline of what has the focus, or of the label or card that stands for it.
SEEN = """element => {
  const shown = (node) => {
    const style = getComputedStyle(node);
    return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none";
  };
  return [element, ...(element.labels ?? [])].some(shown);
}"""


def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until `target` has the focus, and hold that it can be seen there."""
    for _stop in range(MOST_STOPS):
        if target.evaluate("element => element === document.activeElement"):
            assert target.evaluate(SEEN), "The focus cannot be seen."
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{target} is not reached by Tab.")


def write(page: Page, label: str, text: str) -> None:
    tab_to(page, page.get_by_label(label, exact=label == "Name"))
    page.keyboard.press("Control+A")
    page.keyboard.type(text)


def enter(page: Page, target: Locator) -> None:
    tab_to(page, target)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def link(page: Page, name: str) -> Locator:
    return page.get_by_role("main").get_by_role("link", name=name, exact=True).first


@pytest.mark.parametrize("width", [1280, 360])
def test_a_company_is_registered_and_a_key_made_rotated_and_revoked_by_keyboard(
    browse: Browse, portal: Portal, width: int
):
    page, email = browse(width=width), people.new_address("keys")
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    enter(page, link(page, "Create your company"))
    enter(page, button(page, "Create company"))
    expect(page.get_by_label("Company name")).to_be_focused()  # where the first mistake is
    write(page, "Company name", "Keyboard Works")
    write(page, "Your name", "Kay Board")
    write(page, "E-mail address", email)
    write(page, "Password", people.PASSWORD)
    with page.expect_navigation():
        page.keyboard.press("Enter")

    waiting = page.url
    code = people.read_code(page, email)
    page.goto(waiting)
    write(page, "Code", code)
    with page.expect_navigation():
        page.keyboard.press("Enter")

    write(page, "Name on the card", "Kay Board")
    write(page, "Card number", people.GOOD_CARD)
    write(page, "Expiry", people.EXPIRY)
    write(page, "Security code", "123")
    enter(page, button(page, "Confirm the card"))
    overview = page.url

    page.goto(f"{overview}keys/")
    enter(page, page.get_by_role("link", name="Create a key").first)
    write(page, "Name", "Typed")
    tab_to(page, page.get_by_role("radio", name="All tools"))
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="Read-only tools")).to_be_checked()
    tab_to(page, page.get_by_role("radio", name="90 days"))
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("radio", name="30 days")).to_be_checked()
    enter(page, button(page, "Create the key"))
    key = people.shown_key(page)
    assert portal.verdict(key)["scopes"] == ["tools:read"]

    tab_to(page, page.locator(".secret").get_by_role("button", name="Copy"))
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == key
    tab_to(page, page.get_by_role("radio", name="Gemini CLI"))
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="Claude Code")).to_be_checked()
    expect(page.locator(".code:visible").first).to_contain_text('"type": "http"')

    page.keyboard.press("Control+Home")
    page.evaluate("document.activeElement.blur()")
    enter(page, page.get_by_role("link", name="I have copied it"))
    enter(page, link(page, "Rotate"))
    tab_to(page, page.get_by_role("radio", name="24 hours"))
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("radio", name="1 hour")).to_be_checked()
    enter(page, button(page, "Make the new value"))
    new = people.shown_key(page)
    enter(page, page.get_by_role("link", name="I have copied it"))
    enter(page, link(page, "Revoke"))
    enter(page, button(page, "Revoke the key"))
    assert portal.verdict(new)["code"] == portal.verdict(key)["code"] == "REVOKED"


@pytest.mark.parametrize("width", [1280, 360])
def test_staff_find_a_key_and_revoke_it_by_keyboard(browse: Browse, portal: Portal, width: int):
    key = json.loads(portal.manage("demo", "--json"))["key"]
    page = browse(width=width)
    people.sign_in(page, demo.STAFF["email"], demo.STAFF["password"])
    page.goto("/staff/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("main").get_by_label("Find"))
    page.keyboard.type(key)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Demo script")
    enter(page, link(page, "Revoke"))
    enter(page, button(page, "Revoke the key"))
    expect(page.get_by_label("Reason", exact=True)).to_be_focused()  # where the mistake is
    assert page.get_by_label("Reason", exact=True).evaluate(SEEN)
    page.keyboard.press("ArrowDown")
    tab_to(page, page.get_by_label("In your words"))
    page.keyboard.type("Found in a chat")
    enter(page, button(page, "Revoke the key"))
    expect(page.get_by_role("status").filter(has_text="revoked")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Revoked")
    page.keyboard.press("Tab")  # the reply begins at the beginning: nothing has the focus that nobody sees
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    assert portal.verdict(key)["code"] == "REVOKED"
