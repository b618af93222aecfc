"""`manage.py screens`: a picture of every page, wide and narrow, light and dark, to look at.

It starts a portal of its own on free ports with a throw-away data folder, fills it with example data, walks through it
in Chromium as a visitor, a new owner, a member and staff, and stops it. Needs the packages of requirements-dev.lock and
a Chromium on PATH.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess  # nosec B404
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlencode

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import NoReverseMatch, reverse

from keys.models import Key, McpServer
from portal.companies.models import Company
from portal.companies.roles import Role
from portal.management import example_data
from portal.management.commands import demo
from portal.staff.models import RevocationRun
from portal.ui import navigation

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WIDTHS = {"wide": (1280, 800), "narrow": (360, 740)}
THEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")
# What README and docs show.
CHOSEN = {
    "landing-wide-light", "keys-wide-light", "keys-narrow-dark", "new-key-wide-light", "key-created-wide-light",
    "key-wide-light", "key-rotate-wide-light", "card-declined-wide-light", "card-declined-narrow-light",
    "overview-wide-dark", "audit-wide-light", "usage-wide-light", "staff-dashboard-wide-light",
    "staff-key-wide-dark",
}  # fmt: skip
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PAINTED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 60))))"
PASSWORD = "quiet lanterns drift over tin roofs"  # noqa: S105 - of a portal that ends with this command  # nosec B105


class Command(BaseCommand):
    """Takes the pictures."""

    help = "Take pictures of every page: 1280 and 360 pixels wide, light and dark (development only)."

    def add_arguments(self, parser: CommandParser) -> None:
        """Where to, which, and whether of the portal that runs already."""
        parser.add_argument("folder", nargs="?", type=Path, help="default: screens in the data folder")
        parser.add_argument("--chosen", action="store_true", help="only those that README and docs show")
        parser.add_argument(
            "--here", action="store_true", help="of the portal that runs on this data folder; fills in example data"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Start a portal unless told not to, and walk through it."""
        if settings.PRODUCTION:
            raise CommandError("Pictures are taken of example data, in development runs only.")
        folder = (options["folder"] or settings.DATA_DIR / "screens").resolve()
        if not options["here"]:
            with _throw_away_portal() as environment:
                again = [sys.executable, "manage.py", "screens", str(folder), "--here"]
                again += ["--chosen"] if options["chosen"] else []
                done = subprocess.run(again, cwd=settings.BASE_DIR, env=environment, check=False)  # noqa: S603  # nosec
                sys.exit(done.returncode)
        folder.mkdir(parents=True, exist_ok=True)
        camera = Camera(folder, CHOSEN if options["chosen"] else None)
        walk(camera, example_data.load())
        self.stdout.write(f"{len(camera.taken)} pictures in {folder}")


class Camera:
    """Takes one page in every width and theme."""

    def __init__(self, folder: Path, chosen: set[str] | None) -> None:
        self.folder, self.chosen = folder, chosen
        self.taken: list[str] = []

    def take(self, page: Page, name: str) -> None:
        """`page` as it stands, as NAME-WIDTH-THEME.png."""
        for width, (across, down) in WIDTHS.items():
            page.set_viewport_size({"width": across, "height": down})
            for theme in THEMES:
                picture = f"{name}-{width}-{theme}"
                if self.chosen is None or picture in self.chosen:
                    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
                    page.evaluate(PAINTED)
                    page.screenshot(path=self.folder / f"{picture}.png", full_page=self.chosen is None)
                    self.taken.append(picture)
        page.set_viewport_size({"width": 1280, "height": 800})


def walk(camera: Camera, company: Company) -> None:
    """Every page, as the people who see it."""
    from playwright.sync_api import sync_playwright  # a development package

    member, staff = _member_pages(company), _staff_pages(company)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise CommandError("There is no Chromium on PATH: install it, for example apt-get install chromium.")
    # From here on no query: Playwright's loop runs in this thread, and Django refuses queries in one.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = _person(browser)
        for name, address in _visitor_pages():
            page.goto(address, wait_until="networkidle")
            camera.take(page, name)
        _register(page, camera)

        page = _person(browser)
        _sign_in(page, demo.OWNER)
        for name, address in member:
            page.goto(address, wait_until="networkidle")
            camera.take(page, name)
        page.goto(dict(member)["new-key"])
        page.get_by_label("Name", exact=True).fill("Assistant in the office")
        _press(page, "Create the key")
        camera.take(page, "key-created")
        page.get_by_role("button", name="Test this key").click()
        page.locator("#trial .timeline").wait_for()
        camera.take(page, "key-tested")
        page.goto(dict(member)["server-check"])
        _press(page, "Start the test")
        camera.take(page, "server-checked")
        _connect(page, camera, company.slug)

        page = _person(browser)
        _sign_in(page, demo.STAFF)
        for name, address in staff:
            page.goto(address, wait_until="networkidle")
            camera.take(page, name)
        browser.close()


def _visitor_pages() -> list[tuple[str, str]]:
    names = {"landing": "landing", "sign-up": "account_signup", "sign-in": "account_login",
             "reset-password": "account_reset_password", "api-docs": "api-docs", "connect": "connect",
             "styleguide": "styleguide", "mails": "styleguide_mail", "docs": "help:index",
             "leaked": "leaks:leaked"}  # fmt: skip
    pages = [(name, reverse(url)) for name, url in names.items()] + [("not-found", "/nothing-here/")]
    pages += [(f"docs-{name}", reverse("help:page", args=[name])) for name in ("quickstart", "connect", "security")]
    pages.append(("docs-search", f"{reverse('help:search')}?q=rotate"))
    return pages + [(f"error-{status}", reverse("styleguide_error", args=[status])) for status in (403, 429, 500, 503)]


def _member_pages(company: Company) -> list[tuple[str, str]]:
    entries = {str(entry.label).lower().replace(" ", "-"): entry.url_name for entry in navigation.COMPANY}
    pages = [(name, address) for name, url in entries.items() if (address := _address(url, slug=company.slug))]
    rotating = Key.objects.get(company=company, name="Nightly report", overlap_ends_at__isnull=False)
    key = Key.objects.get(company=company, name="Gemini CLI on my laptop")
    revoked = Key.objects.get(company=company, name="Old notebook")
    pages.append(("new-key", reverse("keys:new", args=[company.slug])))
    for name, url, one in [
        ("key", "keys:detail", key), ("key-edit", "keys:edit", key), ("key-rotate", "keys:rotate", key),
        ("key-revoke", "keys:revoke", key), ("key-test", "keys:test", key), ("key-rotating", "keys:detail", rotating),
        ("key-revoked", "keys:detail", revoked),
    ]:  # fmt: skip
        pages.append((name, reverse(url, args=[company.slug, one.pk])))
    listed = reverse("keys:list", args=[company.slug])
    pages.append(("keys-needing", f"{listed}?needs=refused"))
    pages.append(("keys-revoke", f"{reverse('keys:revoke_many', args=[company.slug])}?key={key.pk}&key={rotating.pk}"))
    pages.append(("key-asked-tool", f"{reverse('keys:edit', args=[company.slug, rotating.pk])}?tool=whoami"))
    portal_server = McpServer.objects.get(is_portal=True)
    pages.append(("server", reverse("servers:detail", args=[company.slug, portal_server.pk])))
    pages.append(("server-check", reverse("servers:check", args=[company.slug, portal_server.pk])))
    for name, url in [("account", "account"), ("second-factor", "mfa_index"), ("sessions", "usersessions_list"),
                      ("sign-ins", "sign_ins"), ("delete-account", "account_delete"),
                      ("new-company", "new_company"), ("mailbox", "mailbox")]:  # fmt: skip
        pages.append((name, reverse(url)))
    for name, url in [("invite", "invite"), ("leave", "leave"), ("transfer", "transfer"),
                      ("settings-security", "security"), ("settings-keys", "key_policy"),
                      ("settings-export", "company_export"), ("settings-close", "close_company")]:  # fmt: skip
        pages.append((name, reverse(url, args=[company.slug])))
    member = company.memberships.get(user__email="dev@example.com")
    for name, url in [("member-role", "member_role"), ("member-remove", "member_remove")]:
        pages.append((name, reverse(url, args=[company.slug, member.user_id])))
    endpoint = company.webhooks.first()
    if endpoint is not None:
        pages.append(("webhook", reverse("webhooks:detail", args=[company.slug, endpoint.pk])))
    pages += [("new-machine", reverse("connections:machine_new", args=[company.slug])),
              ("device", reverse("oauth:device") + "?user_code=WDJB-MJHT")]  # fmt: skip
    pages.append(("leaks", reverse("leaks:company", args=[company.slug])))
    review = company.reviews.first()
    if review is not None:
        pages.append(("review", reverse("reviews:one", args=[company.slug, review.pk])))
        pages.append(("review-print", reverse("reviews:print", args=[company.slug, review.pk])))
    pages.append(("new-webhook", reverse("webhooks:new", args=[company.slug])))
    return pages


def _staff_pages(company: Company) -> list[tuple[str, str]]:
    entries = {f"staff-{str(entry.label).lower().replace(' ', '-')}": entry.url_name for entry in navigation.STAFF}
    pages = [(name, address) for name, url in entries.items() if (address := _address(url))]
    key = Key.objects.get(company=company, name="Gemini CLI on my laptop")
    server = McpServer.objects.get(is_portal=True)
    run = RevocationRun.objects.latest("created_at")
    suspended = example_data.neighbour_named(example_data.NEIGHBOURS[1][0])
    leaving = company.memberships.exclude(role=Role.OWNER).order_by("pk")[0]
    for name, url, one in [
        ("company", "staff:company", company.pk), ("company-suspended", "staff:company", suspended.pk),
        ("key", "staff:key", key.pk), ("key-revoke", "staff:key_revoke", key.pk),
        ("server", "staff:server", server.pk), ("server-stop", "staff:server_stop", server.pk),
        ("person", "staff:person", key.user_id), ("person-role", "staff:person_role", key.user_id),
        ("person-erase", "staff:person_erase", leaving.user_id), ("person-held", "staff:person_erase", key.user_id),
        ("run", "staff:run", run.pk), ("incident", "incidents:incident", run.incident_id),
        ("incident-keys", "incidents:keys", run.incident_id),
        ("incident-notices", "incidents:notices", run.incident_id),
    ]:  # fmt: skip
        pages.append((f"staff-{name}", reverse(url, args=[one])))
    pages += [
        ("staff-rule-found", f"{reverse('staff:revoke_rule')}?company={company.slug}"),
        ("staff-find", reverse("staff:find")), ("staff-runs", reverse("staff:runs")),
        ("staff-new-incident", reverse("incidents:new")),
    ]  # fmt: skip
    return [*pages, ("staff-new-server", reverse("staff:server_new")), ("admin", reverse("admin:index"))]


def _address(url_name: str, **kwargs: str) -> str:
    """The address of an entry of a sidebar; '' where the page does not exist."""
    try:
        return reverse(url_name, kwargs=kwargs)
    except NoReverseMatch:
        return ""


def _person(browser: Browser) -> Page:
    return browser.new_context(base_url=settings.PORTAL_URL, reduced_motion="reduce").new_page()


def _press(page: Page, button: str) -> None:
    with page.expect_navigation():
        page.get_by_role("button", name=button, exact=True).click()


def _sign_in(page: Page, person: dict[str, Any]) -> None:
    page.goto(reverse("account_login"))
    page.get_by_label("E-mail address").fill(person["email"])
    page.get_by_label("Password").fill(person["password"])
    _press(page, "Sign in")


def _connect(page: Page, camera: Camera, slug: str) -> None:
    """An AI client asks, by redirect and by code; then a machine client, and the list of all."""
    body = {"client_name": "Desk agent", "redirect_uris": ["http://127.0.0.1:51234/callback"],
            "token_endpoint_auth_method": "none"}  # fmt: skip
    client_id = page.request.post(reverse("oauth:register"), data=body).json()["client_id"]
    query = {"response_type": "code", "client_id": client_id, "redirect_uri": "http://127.0.0.1:51234/callback",
             "scope": "tools:*", "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
             "code_challenge_method": "S256"}  # fmt: skip
    page.goto(f"{reverse('oauth:authorize')}?{urlencode(query)}")
    camera.take(page, "consent")
    form = {"client_id": client_id, "scope": "tools:read"}
    code = page.request.post(reverse("oauth:device_authorization"), form=form).json()["user_code"]
    page.goto(reverse("oauth:device"))
    page.get_by_label("Code").fill(code)
    _press(page, "Go on")
    camera.take(page, "device-consent")
    _press(page, "Let it connect")
    camera.take(page, "device-done")
    page.get_by_role("link", name="See the connection").click()
    camera.take(page, "connection")
    page.goto(reverse("connections:machine_new", args=[slug]))
    page.get_by_label("Name", exact=True).fill("Nightly report")
    _press(page, "Make the client")
    camera.take(page, "machine-created")
    page.goto(reverse("connections:list", args=[slug]))
    camera.take(page, "connections")


def _register(page: Page, camera: Camera) -> None:
    """A new company up to its overview, with a card that is declined on the way."""
    email = f"ada{os.getpid()}@example.com"
    page.goto(reverse("account_signup"))
    page.get_by_label("Company name").fill("Analytical Engines")
    page.get_by_label("Your name").fill("Ada Lovelace")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    camera.take(page, "sign-up-filled")
    _press(page, "Create company")
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
    _press(page, "Confirm")
    camera.take(page, "card-form")
    for number, name in [("4000 0000 0000 0002", "card-declined"), ("4242 4242 4242 4242", "overview-new")]:
        page.get_by_label("Name on the card").fill("Ada Lovelace")
        page.get_by_label("Card number").fill(number)
        page.get_by_label("Expiry").fill("04/33")
        page.get_by_label("Security code").fill("123")
        _press(page, "Confirm the card")
        camera.take(page, name)
    page.goto(f"{page.url}keys/")
    camera.take(page, "keys-empty")


@contextmanager
def _throw_away_portal() -> Iterator[dict[str, str]]:
    """A portal of its own that runs; its environment. It is stopped at the end, and its data are gone."""
    with tempfile.TemporaryDirectory(prefix="latchkey-screens-") as data:
        web, mcp = _free_port(), _free_port()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LATCHKEY_")}
        environment |= {"LATCHKEY_DATA": data, "PORT": str(web), "MCP_PORT": str(mcp)}
        environment.pop("DATABASE_URL", None)
        environment.pop("REDIS_URL", None)
        command = [sys.executable, "manage.py", "up"]
        process = subprocess.Popen(  # noqa: S603  # nosec
            command, cwd=settings.BASE_DIR, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        try:
            _wait_for(process, lambda line: "Latchkey is running" in line)
            yield environment
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)


def _wait_for(process: subprocess.Popen[str], wanted: Callable[[str], bool]) -> None:
    assert process.stdout is not None
    shown = []
    for line in process.stdout:
        shown.append(line)
        if wanted(line):
            return
    raise CommandError("The portal did not start:\n" + "".join(shown))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
