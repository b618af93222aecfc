"""The pages of the second factor: set up, used to sign in, asked for once more, and taken away again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.urls import reverse

from portal.management.screens.acts import press, sign_in
from portal.management.screens.camera import Camera

if TYPE_CHECKING:
    from playwright.sync_api import Page

NAMES = (
    "authenticator", "authenticator-refused", "authenticator-secret", "recovery-codes", "passkey-new", "passkeys-added",
    "passkey-rename", "passkey-remove", "second-factor-on", "recovery-codes-new", "authenticator-off",
    "confirm-password", "confirm-code", "confirm-passkey", "second-step", "second-step-refused", "passkey-refused",
)  # fmt: skip
# A device that is built in and knows its owner, as a telephone or a laptop does.
DEVICE = {
    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
    "isUserVerified": True, "automaticPresenceSimulation": True,
}  # fmt: skip


def walk(page: Page, camera: Camera, email: str, password: str) -> None:
    """Every page of the second factor, as the person with this address who is signed in and has none yet."""
    _authenticator(page, camera)
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    device = devtools.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})["authenticatorId"]
    _passkey(page, camera)
    for name, url in [
        ("second-factor-on", "mfa_index"), ("recovery-codes-new", "mfa_generate_recovery_codes"),
        ("authenticator-off", "mfa_deactivate_totp"), ("confirm-password", "account_reauthenticate"),
        ("confirm-code", "mfa_reauthenticate"), ("confirm-passkey", "mfa_reauthenticate_webauthn"),
    ]:  # fmt: skip
        page.goto(reverse(url), wait_until="networkidle")
        camera.take(page, name)
    page.context.clear_cookies()
    sign_in(page, email, password)
    camera.take(page, "second-step")
    page.get_by_label("Code").fill("000000")
    press(page, "Sign in")
    camera.take(page, "second-step-refused")
    page.context.clear_cookies()
    devtools.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
    page.goto(reverse("account_login"))
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.locator("#passkey-error").wait_for()
    camera.take(page, "passkey-refused")


def _authenticator(page: Page, camera: Camera) -> None:
    page.goto(reverse("mfa_activate_totp"))
    camera.take(page, "authenticator")
    page.get_by_label("Code from the app").fill("000000")
    press(page, "Turn it on")
    camera.take(page, "authenticator-refused")
    page.get_by_text("Type the secret instead").click()
    camera.take(page, "authenticator-secret")
    page.get_by_label("Code from the app").fill(_code(page.locator(".copy-value").inner_text()))
    press(page, "Turn it on")
    camera.take(page, "recovery-codes")


def _passkey(page: Page, camera: Camera) -> None:
    page.goto(reverse("mfa_add_webauthn"), wait_until="networkidle")
    camera.take(page, "passkey-new")
    page.get_by_label("Name of the passkey").fill("This laptop")
    page.get_by_label("Sign in with it alone").check()
    press(page, "Add the passkey")
    page.goto(reverse("mfa_list_webauthn"), wait_until="networkidle")
    camera.take(page, "passkeys-added")
    for name, link in [("passkey-rename", "Rename"), ("passkey-remove", "Remove")]:
        page.goto(reverse("mfa_list_webauthn"))
        page.get_by_role("link", name=link).click()
        camera.take(page, name)


def _code(secret: str) -> Any:
    """What an authenticator app shows now for this secret."""
    return format_hotp_value(hotp_value(secret.strip(), next(yield_hotp_counters_from_time())))
