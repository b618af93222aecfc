"""The pages that need no sign-in, and every component, as people with different eyes and screens see them."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import expect

from tests.browser import people
from tests.browser.conftest import Browse, Portal
from tests.browser.looking import look_at

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    "address",
    [
        "/",
        "/styleguide/",
        "/styleguide/mail/",
        "/no/such/page/",
        "/docs/",
        "/docs/quickstart/",
        "/docs/security/",
        "/docs/search/?q=rotate",
        "/docs/search/?q=nothing+like+it",
        "/leaked/",
    ],
)
def test_a_page_is_accessible_in_both_themes_and_widths(browse: Browse, address: str) -> None:
    page = browse()
    page.goto(address)
    look_at(page, address)


def test_the_theme_changes_at_once_and_stays(browse: Browse) -> None:
    page = browse()
    page.goto("/?from=test")
    page.get_by_role("button", name="Dark", exact=True).click()
    page.wait_for_load_state()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert page.url.endswith("/?from=test")
    page.goto("/styleguide/")
    assert page.locator("html").get_attribute("data-theme") == "dark"


def test_the_theme_changes_without_script(browse: Browse) -> None:
    page = browse(javascript=False)
    page.goto("/")
    page.get_by_role("button", name="Light", exact=True).click()
    page.wait_for_load_state()
    assert page.locator("html").get_attribute("data-theme") == "light"


def test_a_secret_and_a_snippet_are_copied_whole(browse: Browse) -> None:
    page = browse()
    page.goto("/styleguide/")
    page.locator(".secret-copy").click()
    secret = page.locator(".secret-value").inner_text()
    assert page.evaluate("navigator.clipboard.readText()") == secret
    assert page.locator("#status").inner_text() == "Copied"
    page.locator("[data-copy-code]:visible").first.click()
    assert page.evaluate("navigator.clipboard.readText()").startswith('{\n  "mcpServers"')


def test_tabs_open_by_click_and_by_arrow_key_and_are_remembered(browse: Browse) -> None:
    page = browse()
    page.goto("/styleguide/")
    page.get_by_text("Claude Code", exact=True).click()
    assert page.locator(".tab-panel:visible code").inner_text().startswith("claude mcp add")
    page.keyboard.press("ArrowRight")
    assert "Text in a panel" in page.locator(".tab-panel:visible").inner_text()
    page.reload()
    assert "Text in a panel" in page.locator(".tab-panel:visible").inner_text()


def test_tabs_open_without_script(browse: Browse) -> None:
    page = browse(javascript=False)
    page.goto("/styleguide/")
    page.get_by_text("Claude Code", exact=True).click()
    assert page.locator(".tab-panel:visible code").inner_text().startswith("claude mcp add")


def test_a_dialog_opens_with_its_first_field_and_closes_on_escape(browse: Browse) -> None:
    page = browse()
    page.goto("/styleguide/")
    page.get_by_role("link", name="Open a dialog").click()
    assert page.get_by_role("dialog").is_visible()
    assert page.evaluate("document.activeElement.id") == "guide-reason"
    page.keyboard.press("Escape")
    assert not page.get_by_role("dialog").is_visible()


def test_a_menu_closes_on_escape_and_gives_the_focus_back(browse: Browse) -> None:
    page = browse()
    page.goto("/styleguide/")
    page.locator("summary", has_text="Menu").last.click()
    page.keyboard.press("Escape")
    assert page.locator("details[data-menu][open]").count() == 0
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_a_phone_has_the_menu_behind_one_button(browse: Browse) -> None:
    page = browse(width=360)
    page.goto("/styleguide/")
    assert not page.locator(".sidebar").is_visible()
    page.locator(".mobile-nav > summary").click()
    assert page.locator(".mobile-nav").get_by_role("link", name="API reference").is_visible()


def test_what_is_pressed_on_a_phone_is_large_enough_for_a_finger(browse: Browse) -> None:
    page = browse(width=360)
    page.goto("/styleguide/")
    heights = page.evaluate(
        """() => [...document.querySelectorAll(".button, .input:not(textarea), .tab-label, .icon-button, .code-copy")]
          .map(element => [element.className, element.getBoundingClientRect().height])
          .filter(([name, height]) => height > 0 && !name.includes("button-link"))"""
    )
    assert len(heights) > 20
    assert not [(name, height) for name, height in heights if height < (40 if name in {"button", "input"} else 36)]


def test_the_api_reference_loads_under_the_policy(browse: Browse) -> None:
    page = browse()
    page.goto("/api/docs/")
    page.locator(".opblock").first.wait_for()


def test_the_documents_are_searched_without_script_and_on_a_phone(browse: Browse) -> None:
    page = browse(javascript=False, width=360)
    page.goto("/docs/")
    page.locator("#docs-q-folded").fill("overlap")
    page.keyboard.press("Enter")
    page.wait_for_url("**/docs/search/?q=overlap")
    page.locator(".docs-hits a").first.click()
    assert page.locator(".prose").is_visible()


def test_whoever_found_a_key_reports_it_by_page(browse: Browse, portal: Portal) -> None:
    found = json.loads(portal.manage("demo", "--json"))["key"]
    page = browse(width=360)
    page.goto("/leaked/")
    page.get_by_label("What you found").fill(found[:-3])
    people.press(page, "Report it")
    expect(page.get_by_label("What you found")).to_be_focused()
    expect(page.get_by_label("What you found")).to_be_empty()
    look_at(page, "a report that holds half a key")
    page.get_by_label("What you found").fill(f"token = {found}")
    people.press(page, "Report it")
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you")
    assert portal.verdict(found)["code"] == "REVOKED"


def test_a_refused_sign_in_is_tried_again_without_a_click(browse: Browse) -> None:
    page = browse()
    people.sign_in(page, "nobody@example.com", "not the password")
    password = page.get_by_label("Password")
    expect(password).to_be_focused()
    expect(password).to_have_accessible_description(re.compile("The e-mail address or the password is wrong"))
    expect(page.get_by_label("E-mail address")).to_have_value("nobody@example.com")
