"""No page is wider than a phone in any language: longer words and sentences than the English ones must wrap, too.

Pages are fetched and laid out in one open page: going to each of them would take ten times as long. The English ones
are looked at where they are used (tests/browser/looking.py).
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser import people
from tests.browser.conftest import Browse, Portal

pytestmark = pytest.mark.browser

# Every page of the pictures, with its example data, by who sees it.
PAGES = """
import json
from portal.management import example_data
from portal.management.screens import pages
company = example_data.load()
print(json.dumps([pages.visitor_pages(), pages.member_pages(company), pages.staff_pages(company)]))
"""
LANGUAGES = ("nl", "de", "es")
# The documents, the style guide and the mails are English.
ENGLISH = ("docs", "styleguide", "mails", "admin")
LAY_OUT = """async ([language, pages]) => {
  const wrong = [];
  const fetched = pages.map(([name, address]) => [name, null, address]);
  const next = fetched.values();
  const work = async () => {
    for (const entry of next) {
      const answer = await fetch(entry[2], { headers: { "Accept-Language": language } });
      entry[1] = await answer.text();
    }
  };
  await Promise.all([work(), work(), work()]);
  for (const [name, text] of fetched) {
    const page = new DOMParser().parseFromString(text, "text/html");
    if (page.documentElement.lang !== language) wrong.push(`${name}: in ${page.documentElement.lang}`);
    document.body.replaceWith(document.adoptNode(page.body));
    const excess = document.scrollingElement.scrollWidth - innerWidth;
    if (excess <= 0) continue;
    const parts = [...document.querySelectorAll("body *")];
    const wide = parts.filter((part) => part.getBoundingClientRect().right > innerWidth);
    wrong.push(`${name}: ${excess} px, ${wide.slice(0, 3).map((part) => part.outerHTML.slice(0, 90)).join(" | ")}`);
  }
  return wrong;
}"""


def too_wide(page: Page, pages: list[Any], languages: tuple[str, ...] = LANGUAGES) -> list[str]:
    """Which of `pages` (name, address) are wider than the window, or not in the language that was asked for."""
    chosen = [[name, address] for name, address in pages if not name.startswith(ENGLISH)]
    found = []
    for language in languages:
        page.goto("/leaked/")  # one with the style sheet alone
        found += [f"{language}, {each}" for each in page.evaluate(LAY_OUT, [language, chosen])]
    return found


def test_no_page_is_wider_than_a_phone_in_any_language(browse: Browse, portal: Portal):
    visitor, member, staff = json.loads(portal.manage("shell", "-v0", "-c", PAGES))
    page = browse(width=360)
    found = too_wide(page, visitor)
    people.sign_in(page, portal.demo["users"][0]["email"], portal.demo["users"][0]["password"])
    found += too_wide(page, member)
    page = browse(width=360)
    people.sign_in(page, portal.demo["staff"]["email"], portal.demo["staff"]["password"])
    found += too_wide(page, staff, ("de",))  # the one whose words are longest
    assert not found, "\n".join(found)
