"""What a person does on every page: press a button, sign in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.urls import reverse

if TYPE_CHECKING:
    from playwright.sync_api import Page


def press(page: Page, button: str) -> None:
    """Press the button of this name and wait for the page that comes."""
    with page.expect_navigation():
        page.get_by_role("button", name=button, exact=True).click()


def sign_in(page: Page, email: str, password: str) -> None:
    """Sign in with a password."""
    page.goto(reverse("account_login"))
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(password)
    press(page, "Sign in")
