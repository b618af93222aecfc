"""A real Chromium before the real web process: Granian on a folder of its own, in development mode."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.own_services import own_services

ROOT = Path(__file__).resolve().parents[2]
# The one that draws no window takes a quarter less of the processor.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser")
CHROMIUM = os.environ.get("LATCHKEY_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START_SECONDS = 120
CLIENT_HOST = "127.0.0.1"  # of AI clients, which the portal sends a person back to; its own name is another one


@dataclass(frozen=True)
class Portal:
    """The running portal: its address, and what `manage.py demo --json` said."""

    url: str
    demo: dict[str, Any]
    manage: Callable[..., str] = field(repr=False)  # runs a command of manage.py beside it; its output
    environment: dict[str, str] = field(repr=False)

    def verdict(self, key: str, **more: str) -> dict[str, Any]:
        """What the verify API says of `key`, asked as the demo's MCP server."""
        request = urllib.request.Request(
            f"{self.url}/api/v1/keys/verify",
            json.dumps({"key": key, **more}).encode(),
            {"Authorization": f"Bearer {self.demo['server_credential']}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            return dict(json.load(response))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(url: str, process: subprocess.Popen[bytes]) -> bool:
    """Whether `url` answers within START_SECONDS and while `process` lives."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=10):
                return True
        except OSError:  # refused, reset or timed out: not yet
            try:
                process.wait(0.2)
                return False
            except subprocess.TimeoutExpired:
                continue
    return False


@pytest.fixture(autouse=True)
def _erasable_audit() -> None:
    """These tests never touch this process's database, which the fixture of this name would set up for each."""


@pytest.fixture(scope="session")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """The web process with the demo data and the mailbox of a development run: on SQLite, or on the services named."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium: install it, or name it in LATCHKEY_CHROMIUM")
    folder = tmp_path_factory.mktemp("portal")
    port = _free_port()
    url = f"http://localhost:{port}"
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("LATCHKEY_") and name not in {"DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"}
    }
    environment = inherited | {
        "LATCHKEY_ENV": "development",
        "LATCHKEY_DATA": str(folder),
        "PORT": str(port),
        "MCP_PORT": "8080",  # as in the published snippet; nothing has to listen there
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "keys" / "verifier")]),
        **own_services("portal", folder, tmp_path_factory),
    }

    def manage(*words: str) -> str:
        command = [sys.executable, "-m", "django", *words, "--settings", "portal.settings"]
        return subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout

    demo = json.loads(manage("demo", "--json"))
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1", "--blocking-threads", "4", "--no-ws", "portal.wsgi:application"]
    log = folder / "web.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        assert _answers(f"{url}/healthz/live", process), f"The web process did not start:\n{log.read_text()[-4000:]}"
        yield Portal(url, demo, manage, environment)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    said = log.read_text()
    assert "Traceback" not in said, said[-4000:]


@pytest.fixture(scope="module")
def chromium(portal: Portal) -> Iterator[Browser]:
    """One Chromium a module. It ends with the module: while it runs, Django's ORM refuses to work in this thread."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Troubles:
    """What a browser complains of while pages are used: none of it may happen."""

    portal: Portal
    found: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """Listen to `page`."""
        page.on("console", lambda message: self._console(message.type, message.text))
        page.on("pageerror", lambda error: self.found.append(f"script error: {error}"))
        page.on("request", lambda request: self._request(request.url))
        page.on("response", lambda response: self._response(response.status, response.url))

    def _console(self, kind: str, text: str) -> None:
        # That a document came with 4xx is no trouble of the page; the response is looked at below. And that a person
        # refuses their passkey is said by allauth's script on the console, and by the page; that nothing answers, by
        # htmx.
        usual = ("Failed to load resource", "NotAllowedError:", "htmx:sendError", "htmx:afterRequest")
        # axe asks every frame whether it is there, a mail in its sandbox too. A Chromium with a process for each frame
        # does not say that the sandbox takes no message; one with the page's process for it does.
        refused = text.startswith("Failed to execute 'postMessage' on 'DOMWindow': The target origin provided") and (
            text.endswith("does not match the recipient window's origin ('null').")
        )
        if kind in {"error", "warning"} and not text.startswith(usual) and not refused:
            self.found.append(f"console {kind}: {text}")

    def _request(self, url: str) -> None:
        if not url.startswith((self.portal.url, f"http://{CLIENT_HOST}:", "data:", "blob:", "about:")):
            self.found.append(f"request to another host: {url}")

    def _response(self, status: int, url: str) -> None:
        if status >= 500 or (status == 404 and "/static/" in url):
            self.found.append(f"{status} {url}")


Browse = Callable[..., Page]


@pytest.fixture
def browse(chromium: Browser, portal: Portal) -> Iterator[Browse]:
    """Opens a browser of its own for a person: `browse(javascript=False, width=360)`. Any trouble fails the test."""
    contexts: list[BrowserContext] = []
    troubles = Troubles(portal)

    def open_browser(*, javascript: bool = True, width: int = 1280) -> Page:
        context = chromium.new_context(
            base_url=portal.url, java_script_enabled=javascript, viewport={"width": width, "height": 900}
        )
        context.set_default_timeout(15_000)
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=portal.url)
        context.on("page", troubles.watch)
        contexts.append(context)
        return context.new_page()

    yield open_browser
    for context in contexts:
        context.close()
    assert not troubles.found
