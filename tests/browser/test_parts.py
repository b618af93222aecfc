"""Parts of a page that htmx fetches: what is about the part stands in it, another page takes the whole window."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser import people
from tests.browser.conftest import Browse
from tests.browser.looking import look_at

pytestmark = pytest.mark.browser


def new_key(page: Page, email: str) -> tuple[str, str]:
    """The address of a new key's page, and its value; the page that shows it once stands open."""
    overview = people.register(page, email, "Part Works")
    token = people.create_key(page, overview, "Assistant")
    return f"{overview}keys/{token.split('_')[2]}/", token


def test_who_was_signed_out_signs_in_in_the_whole_window_and_comes_back(browse: Browse):
    page, email = browse(), people.new_address("window")
    address, token = new_key(page, email)
    page.goto(address)
    page.get_by_label("The key's value").fill(token)
    page.context.clear_cookies(name=re.compile("session"))
    people.press(page, "Test the key")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Sign in")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(people.PASSWORD)
    people.press(page, "Sign in")
    assert page.url == address
    page.get_by_label("The key's value").fill(token)
    page.get_by_role("button", name="Test the key").click()
    expect(page.locator("#trial")).to_contain_text("Nothing answers at this address")
    expect(page.get_by_role("button", name="Test the key")).to_be_focused()


def test_a_value_that_is_shown_once_stays_when_its_owner_was_signed_out(browse: Browse):
    page = browse()
    _address, token = new_key(page, people.new_address("stays"))
    page.context.clear_cookies(name=re.compile("session"))
    page.get_by_role("button", name="Test this key").click()
    note = page.locator("#trial")
    expect(note).to_contain_text("You have to sign in again for this")
    expect(page.locator("#secret")).to_have_text(token)
    look_at(page, "new key, signed out")
    with page.expect_popup() as opened:
        note.get_by_role("link", name="Sign in").click()
    expect(opened.value.get_by_role("heading", level=1)).to_contain_text("Sign in")
    assert page.locator("#secret").inner_text().strip() == token


def test_a_part_that_does_not_come_says_so(browse: Browse):
    page = browse()
    address, token = new_key(page, people.new_address("away"))
    page.goto(address)
    page.get_by_label("The key's value").fill(token)
    page.route("**/test/", lambda route: route.abort())
    page.get_by_role("button", name="Test the key").click()
    expect(page.get_by_role("alert")).to_contain_text("The portal cannot be reached")
    look_at(page, "key, portal away")
    page.unroute("**/test/")
    page.get_by_role("button", name="Test the key").click()
    expect(page.locator("#trial")).to_contain_text("Nothing answers at this address")
