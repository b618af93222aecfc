"""What the script remembers of a choice: which client somebody reads about, and nothing that a form sends."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser import people
from tests.browser.conftest import Browse

pytestmark = pytest.mark.browser


def test_a_form_begins_as_it_says_whatever_was_chosen_in_another_one(browse: Browse):
    page = browse()
    overview = people.register(page, people.new_address("choosy"), "Choosy Works")
    page.goto(f"{overview}keys/new/")
    page.get_by_text("No expiry").click()
    page.get_by_text("Read-only tools").click()
    page.goto(f"{overview}tokens/new/")
    expect(page.get_by_role("radio", name="90 days")).to_be_checked()
    page.goto(f"{overview}keys/new/")
    expect(page.get_by_role("radio", name="90 days")).to_be_checked()
    expect(page.get_by_role("radio", name="All tools")).to_be_checked()


def test_the_client_that_was_read_about_is_shown_first_from_then_on(browse: Browse):
    page = browse()
    page.goto("/connect/")
    page.get_by_text("Cursor", exact=True).first.click()
    page.goto("/")
    page.goto("/connect/")
    expect(page.get_by_role("radio", name="Cursor")).to_be_checked()
