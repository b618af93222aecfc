"""What people do on the pages, in their words: used with a mouse, without JavaScript, and in narrow windows alike."""

from __future__ import annotations

import re
from itertools import count

from playwright.sync_api import Page, expect

from keys.tokens import TOKEN_PATTERN

PASSWORD = "three green umbrellas dance"
GOOD_CARD = "4242 4242 4242 4242"
EXPIRY = "04/33"
_numbers = count(1)


def new_address(word: str = "person") -> str:
    """An address that nobody has signed up with yet."""
    return f"{word}{next(_numbers)}@example.com"


def press(page: Page, name: str) -> None:
    """Press the button `name` and wait for the page that comes."""
    with page.expect_navigation():
        page.get_by_role("button", name=name, exact=True).click()


def follow(page: Page, name: str) -> None:
    """Follow the first link `name` of the page's content."""
    with page.expect_navigation():
        page.get_by_role("main").get_by_role("link", name=name, exact=True).first.click()


def fill_sign_up(page: Page, email: str, company: str, name: str = "Ada Lovelace") -> None:
    """Fill the sign-up form."""
    page.get_by_label("Company name").fill(company)
    page.get_by_label("Currency").select_option("EUR")
    page.get_by_label("Your name").fill(name)
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(PASSWORD)


def read_code(page: Page, email: str) -> str:
    """The code that was mailed to `email`, read in the mailbox of the development run; leaves the mailbox open."""
    page.goto(f"/mailbox/?to={email}")
    page.get_by_role("table").get_by_role("link").first.click()
    text = page.get_by_role("main").inner_text()
    code = re.search(r"^\s*([A-Z0-9]{3,5}-?[A-Z0-9]{3,5})\s*$", text, re.M)
    assert code, text
    return code[1]


def confirm_address(page: Page, email: str) -> None:
    """Type the code from the mailbox on the page that waits for it."""
    waiting = page.url
    code = read_code(page, email)
    page.goto(waiting)
    page.get_by_label("Code").fill(code)
    press(page, "Confirm")


def fill_card(page: Page, number: str, *, expiry: str = EXPIRY, cvc: str = "123", name: str = "Ada Lovelace") -> None:
    """Fill the card form."""
    page.get_by_label("Name on the card").fill(name)
    page.get_by_label("Card number").fill(number)
    page.get_by_label("Expiry").fill(expiry)
    page.get_by_label("Security code").fill(cvc)


def register(page: Page, email: str, company: str) -> str:
    """From the landing page to an active company; returns the address of its overview."""
    page.goto("/")
    follow(page, "Create your company")
    fill_sign_up(page, email, company)
    press(page, "Create company")
    confirm_address(page, email)
    fill_card(page, GOOD_CARD)
    press(page, "Confirm the card")
    expect(page.get_by_role("heading", level=1)).to_contain_text(company)
    return page.url


def sign_in(page: Page, email: str, password: str) -> None:
    """Sign in by e-mail address and password."""
    page.goto("/accounts/login/")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(password)
    press(page, "Sign in")


def shown_key(page: Page) -> str:
    """The key that the page shows this once."""
    token = page.locator("#secret").inner_text().strip()
    assert re.fullmatch(TOKEN_PATTERN, token)
    return token


def create_key(page: Page, overview: str, name: str) -> str:
    """A key by the form as it is offered; returns its value, with the page that shows it open."""
    page.goto(f"{overview}keys/")
    page.get_by_role("link", name="Create a key").first.click()
    page.get_by_label("Name", exact=True).fill(name)
    press(page, "Create the key")
    return shown_key(page)
