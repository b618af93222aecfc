"""The walk through the portal in Chromium: as a visitor, a new owner, a member and staff."""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.conf import settings
from django.core.management.base import CommandError
from django.urls import reverse

from portal.companies.models import Company
from portal.management.commands import demo
from portal.management.screens import mistakes, second_factor
from portal.management.screens.acts import press, sign_in
from portal.management.screens.camera import Camera
from portal.management.screens.pages import member_pages, staff_pages, visitor_pages

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PASSWORD = "quiet lanterns drift over tin roofs"  # noqa: S105 - of a portal that ends with this command  # nosec B105
# The pages on the way of a visitor who registers, of a member who makes a key, and of an AI client that connects.
REGISTERING = (
    "sign-up-filled", "check-your-mail", "mail", "card-form", "card-declined", "overview-new", "keys-empty",
)  # fmt: skip
MAKING = ("key-created", "key-tested", "token-created", "credential-created", "server-checked")
CONNECTING = (
    "consent", "device-consent", "device-done", "device-denied", "connection", "connection-revoke",
    "connection-revoke-refused", "machine-created", "connections",
)  # fmt: skip


def walk(camera: Camera, company: Company) -> None:
    """Every page, as the people who see it."""
    from playwright.sync_api import sync_playwright  # a development package

    member, staff = member_pages(company), staff_pages(company)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise CommandError("There is no Chromium on PATH: install it, for example apt-get install chromium.")
    # From here on no query: Playwright's loop runs in this thread, and Django refuses queries in one.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = _person(browser)
        visitor = visitor_pages()
        _visit(page, camera, visitor)
        mistakes.walk(page, camera, dict(visitor), mistakes.VISITOR)
        if camera.wants(*REGISTERING, *second_factor.NAMES):
            email = _register(page, camera)
            if camera.wants(*second_factor.NAMES):
                second_factor.walk(page, camera, email, PASSWORD)

        page = _person(browser)
        if camera.wants(*dict(member), *MAKING, *CONNECTING, *mistakes.names(mistakes.MEMBER)):
            sign_in(page, demo.OWNER["email"], demo.OWNER["password"])
            _visit(page, camera, member)
            mistakes.walk(page, camera, dict(member), mistakes.MEMBER)
            _make(page, camera, dict(member))
            _connect(page, camera, company.slug)

        page = _person(browser)
        if camera.wants(*dict(staff), "staff-found", *mistakes.names(mistakes.STAFF)):
            sign_in(page, demo.STAFF["email"], demo.STAFF["password"])
            _visit(page, camera, staff)
            mistakes.walk(page, camera, dict(staff), mistakes.STAFF)
            _find(page, camera)
        browser.close()


def _visit(page: Page, camera: Camera, pages: list[tuple[str, str]]) -> None:
    for name, address in pages:
        if camera.wants(name):
            page.goto(address, wait_until="networkidle")
            if name == "api-docs":  # draws itself after its schema has come
                page.locator(".opblock").first.wait_for()
            camera.take(page, name)


def _person(browser: Browser) -> Page:
    return browser.new_context(base_url=settings.PORTAL_URL, reduced_motion="reduce").new_page()


def _make(page: Page, camera: Camera, member: dict[str, str]) -> None:
    """A key that is made and tried, a token and a credential that are made, and a server that is tried."""
    if camera.wants("key-created", "key-tested"):
        page.goto(member["new-key"])
        page.get_by_label("Name", exact=True).fill("Assistant in the office")
        press(page, "Create the key")
        camera.take(page, "key-created")
        page.get_by_role("button", name="Test this key").click()
        page.locator("#trial .timeline").wait_for()
        camera.take(page, "key-tested")
    for name, form, button in [("token-created", "new-token", "Create the token"),
                               ("credential-created", "new-credential", "Make the credential")]:  # fmt: skip
        if camera.wants(name):
            page.goto(member[form])
            page.get_by_label("Name", exact=True).fill("Nightly report")
            press(page, button)
            camera.take(page, name)
    if camera.wants("server-checked"):
        page.goto(member["server-check"])
        press(page, "Start the test")
        camera.take(page, "server-checked")


def _find(page: Page, camera: Camera) -> None:
    """What staff find by an address that keys were seen from."""
    page.goto(reverse("staff:find"))
    page.get_by_role("main").get_by_role("textbox").fill("203.0.113.20")
    press(page, "Find")
    camera.take(page, "staff-found")


def _connect(page: Page, camera: Camera, slug: str) -> None:
    """An AI client asks, by redirect and by code; then a machine client, and the list of all."""
    if not camera.wants(*CONNECTING):
        return
    body = {"client_name": "Desk agent", "redirect_uris": ["http://127.0.0.1:51234/callback"],
            "token_endpoint_auth_method": "none"}  # fmt: skip
    client_id = page.request.post(reverse("oauth:register"), data=body).json()["client_id"]
    query = {"response_type": "code", "client_id": client_id, "redirect_uri": "http://127.0.0.1:51234/callback",
             "scope": "tools:*", "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
             "code_challenge_method": "S256"}  # fmt: skip
    page.goto(f"{reverse('oauth:authorize')}?{urlencode(query)}")
    camera.take(page, "consent")
    for name, button in [("device-denied", "Refuse"), ("device-done", "Let it connect")]:
        form = {"client_id": client_id, "scope": "tools:read"}
        code = page.request.post(reverse("oauth:device_authorization"), form=form).json()["user_code"]
        page.goto(reverse("oauth:device"))
        page.get_by_label("Code").fill(code)
        press(page, "Go on")
        camera.take(page, "device-consent")
        press(page, button)
        camera.take(page, name)
    page.get_by_role("link", name="See the connection").click()
    camera.take(page, "connection")
    page.get_by_role("link", name="Revoke").click()
    camera.take(page, "connection-revoke")
    page.get_by_role("radio", name=mistakes.OTHER_REASON).check()
    press(page, "Revoke the connection")
    camera.take(page, "connection-revoke-refused")
    page.goto(reverse("connections:machine_new", args=[slug]))
    page.get_by_label("Name", exact=True).fill("Nightly report")
    press(page, "Make the client")
    camera.take(page, "machine-created")
    page.goto(reverse("connections:list", args=[slug]))
    camera.take(page, "connections")


def _register(page: Page, camera: Camera) -> str:
    """A new company up to its overview, with a card that is declined on the way; the address of its owner."""
    email = f"ada{os.getpid()}@example.com"
    page.goto(reverse("account_signup"))
    page.get_by_label("Company name").fill("Analytical Engines")
    page.get_by_label("Your name").fill("Ada Lovelace")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    camera.take(page, "sign-up-filled")
    press(page, "Create company")
    camera.take(page, "check-your-mail")
    waiting = page.url
    page.goto(f"{reverse('mailbox')}?to={email}")
    page.get_by_role("table").get_by_role("link").first.click()
    camera.take(page, "mail")
    code = re.search(r"^\s*([A-Z0-9]{3,5}-?[A-Z0-9]{3,5})\s*$", page.get_by_role("main").inner_text(), re.M)
    if code is None:
        raise CommandError("The mail to the new owner holds no code.")
    page.goto(waiting)
    page.get_by_label("Code").fill(code[1])
    press(page, "Confirm")
    camera.take(page, "card-form")
    for number, name in [("4000 0000 0000 0002", "card-declined"), ("4242 4242 4242 4242", "overview-new")]:
        page.get_by_label("Name on the card").fill("Ada Lovelace")
        page.get_by_label("Card number").fill(number)
        page.get_by_label("Expiry").fill("04/33")
        page.get_by_label("Security code").fill("123")
        press(page, "Confirm the card")
        camera.take(page, name)
    page.goto(f"{page.url}keys/")
    camera.take(page, "keys-empty")
    return email
