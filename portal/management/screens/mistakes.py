"""Forms that were sent as they came: what pages say of a mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portal.management.screens.acts import press
from portal.management.screens.camera import Camera

if TYPE_CHECKING:
    from playwright.sync_api import Page

# The page whose form is sent empty, and its button. The picture is called NAME-refused.
VISITOR = {"sign-in": "Sign in", "sign-up": "Create company", "leaked": "Report it"}
MEMBER = {
    "new-token": "Create the token", "new-server": "Register", "new-machine": "Make the client",
    "new-credential": "Make the credential", "new-webhook": "Add endpoint", "invite": "Send the invitation",
    "transfer": "Hand it over", "settings-close": "Close the company", "change-email": "Send a code there",
    "change-password": "Save the password", "card": "Confirm the new card", "device": "Go on",
    "token-revoke": "Revoke the token", "credential-revoke": "Revoke the credential", "key-revoke": "Revoke the key",
}  # fmt: skip
STAFF = {
    "staff-key-revoke": "Revoke the key", "staff-company-suspend": "Suspend the company",
    "staff-new-incident": "Open the incident", "staff-revoke-by-rule": "Show what it finds",
}  # fmt: skip
OTHER_REASON = "Something else"  # asks for words, which are not there


def names(forms: dict[str, str]) -> list[str]:
    """The pictures of `forms`."""
    return [f"{name}-refused" for name in forms]


def walk(page: Page, camera: Camera, pages: dict[str, str], forms: dict[str, str]) -> None:
    """Each of `forms` that is at one of `pages`, sent with nothing filled in."""
    for name, button in forms.items():
        if name not in pages or not camera.wants(f"{name}-refused"):
            continue
        page.goto(pages[name])
        for field in page.get_by_role("main").locator("input:is([type=text], [type=email]):not([readonly])").all():
            field.fill("")
        reason = page.get_by_role("radio", name=OTHER_REASON)
        if reason.count():
            reason.check()
        press(page, button)
        camera.take(page, f"{name}-refused")
