"""A passkey from end to end: added, signed in with alone, listed, told by mail, removed. The device is Chromium's own
virtual authenticator, so that the real WebAuthn code of browser and server runs.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Browse
from tests.browser.looking import look_at
from tests.browser.people import PASSWORD, new_address, press, register

pytestmark = pytest.mark.browser


def plug_in(page: Page) -> tuple[object, str]:
    """A device with a built-in authenticator that knows its owner; the DevTools session and the device's id."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    device = devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]
    return devtools, device


def add_passkey(page: Page, name: str) -> None:
    """Add a passkey that signs in alone; who has signed in a moment ago is not asked again."""
    page.goto("/accounts/2fa/webauthn/add/")
    page.get_by_label("Name of the passkey").fill(name)
    page.get_by_label("Sign in with it alone").check()
    press(page, "Add the passkey")


def sign_out(page: Page) -> None:
    page.goto("/accounts/logout/")
    page.get_by_role("main").get_by_role("button", name="Sign out", exact=True).click()
    page.wait_for_url("**/")


def test_a_passkey_is_added_and_signs_in_alone(browse: Browse) -> None:
    page = browse()
    email = new_address("passkey")
    overview = register(page, email, "Key Makers")
    devtools, device = plug_in(page)

    add_passkey(page, "This laptop")
    assert len(devtools.send("WebAuthn.getCredentials", {"authenticatorId": device})["credentials"]) == 1
    page.goto("/accounts/2fa/webauthn/")
    expect(page.get_by_role("main")).to_contain_text("This laptop")
    look_at(page, "passkeys")
    page.goto("/accounts/2fa/recovery-codes/")
    expect(page.locator(".codes li")).to_have_count(10)

    sign_out(page)
    page.goto("/accounts/login/")
    with page.expect_navigation():
        page.get_by_role("button", name="Sign in with a passkey").click()
    page.goto(overview)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Key Makers")

    page.goto("/account/sign-ins/")
    latest = page.locator("tbody tr").first
    expect(latest).to_contain_text("Signed in")
    expect(latest).to_contain_text("Passkey")
    look_at(page, "sign-ins")
    page.goto(f"/mailbox/?to={email}")
    expect(page.get_by_role("table")).to_contain_text("A passkey was added")


def test_the_passkey_is_the_second_step_after_a_password(browse: Browse) -> None:
    page = browse()
    email = new_address("second")
    register(page, email, "Two Steps")
    plug_in(page)
    add_passkey(page, "Security key")
    sign_out(page)
    page.goto("/accounts/login/")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    press(page, "Sign in")
    expect(page.get_by_role("heading", level=1)).to_contain_text("One more step")
    with page.expect_navigation():
        page.get_by_role("button", name="Use a passkey").click()
    page.goto("/account/sign-ins/")
    expect(page.locator("tbody tr").first).to_contain_text("Password and passkey")


def test_a_device_that_does_not_know_its_owner_signs_nobody_in(browse: Browse) -> None:
    page = browse()
    register(page, new_address("refused"), "Not You")
    devtools, device = plug_in(page)
    add_passkey(page, "This laptop")
    sign_out(page)
    devtools.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
    page.goto("/accounts/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.locator("#passkey-error")).to_be_visible()
    page.goto("/account/")
    assert "/accounts/login/" in page.url


def test_a_removed_passkey_opens_nothing(browse: Browse) -> None:
    page = browse()
    email = new_address("removed")
    register(page, email, "Gone Keys")
    plug_in(page)
    add_passkey(page, "Old phone")
    page.goto("/accounts/2fa/webauthn/")
    page.get_by_role("link", name="Remove").click()
    press(page, "Remove it")
    sign_out(page)
    page.goto("/accounts/login/")
    with page.expect_navigation():
        page.get_by_role("button", name="Sign in with a passkey").click()
    page.goto("/account/")
    assert "/accounts/login/" in page.url
    page.goto(f"/mailbox/?to={email}")
    expect(page.get_by_role("table")).to_contain_text("A passkey was removed")
