"""The worst day: a key has leaked. Staff paste it, read its story, revoke all that its member has, and tell who must
know, among ten thousand keys, in a real browser with a real worker."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser import people
from tests.browser.conftest import ROOT, Browse, Portal
from tests.browser.looking import look_at

pytestmark = pytest.mark.browser


@contextmanager
def worker(portal: Portal, log: Path) -> Iterator[None]:
    """The worker of a development run."""
    command = [sys.executable, "-m", "celery", "-A", "portal.celery", "worker", "--pool", "threads", "--concurrency",
               "2", "--loglevel", "WARNING", "--without-gossip", "--without-mingle"]  # fmt: skip
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=portal.environment, stdout=output, stderr=output)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def code_of(portal: Portal, credential: str, key: str) -> str:
    request = urllib.request.Request(
        f"{portal.url}/api/v1/keys/verify",
        json.dumps({"key": key}).encode(),
        {"Authorization": f"Bearer {credential}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        return str(json.load(response)["code"])


def test_a_leaked_key_and_everything_like_it_is_dead_within_minutes(browse: Browse, portal: Portal, tmp_path: Path):
    filled = tmp_path / "filled.json"
    # The sample's keys belong to the first company's only member, who has every tenth key.
    portal.manage("fill", "--companies", "10", "--keys", "10000", "--sample", "10", "--tokens", str(filled))
    made = json.loads(filled.read_text())
    leaked, credential = made["keys"][0], made["credential"]
    assert {code_of(portal, credential, key) for key in made["keys"]} == {"VALID"}

    page = browse()
    people.sign_in(page, **{name: portal.demo["staff"][name] for name in ("email", "password")})
    page.goto("/staff/")
    look_at(page, "staff dashboard")
    page.get_by_role("main").get_by_label("Find").fill(f"found in a repository: {leaked}")
    people.press(page, "Find")

    assert "/staff/keys/" in page.url and leaked.split("_")[3] not in page.content() + page.url
    expect(page.get_by_role("main")).to_contain_text("Owners")
    look_at(page, "story of the key")
    people.follow(page, "All keys of this member")

    expect(page.get_by_role("heading", name="Revoke all of it")).to_be_visible()
    number = int(page.locator(".stat", has_text="Keys").first.locator(".stat-value").inner_text().replace(",", ""))
    assert 900 < number <= 1000
    look_at(page, "preview of the rule")
    page.get_by_label("Reason").select_option("Leaked")
    page.get_by_label("In your words").fill("found in a public repository")
    page.get_by_label("Title of the new incident").fill("Key in a repository")
    page.get_by_label("Type the number to confirm").fill("1")
    people.press(page, "Revoke all of it")
    expect(page.get_by_role("main")).to_contain_text(f"The rule finds {number} now.")
    page.get_by_label("Type the number to confirm").fill(str(number))
    with worker(portal, tmp_path / "worker.log"):
        people.press(page, "Revoke all of it")
        look_at(page, "progress")
        # htmx asks for the part that changes: nobody reloads the page.
        expect(page.locator("#run")).to_contain_text("Nothing that matches is left", timeout=120_000)
        expect(page.locator("#run")).to_contain_text(f"{number:,} of {number:,}")
        assert {code_of(portal, credential, key) for key in made["keys"]} == {"REVOKED"}
        people.follow(page, "The incident")
        expect(page.locator(".stat", has_text="Owners told")).to_be_visible()
        for _again in range(60):
            if page.locator(".stat", has_text="Owners told").locator(".stat-value").inner_text() == "1":
                break
            page.wait_for_timeout(1000)
            page.reload()
    look_at(page, "incident")

    page.get_by_label("Note").fill("The owner was rung up.")
    people.press(page, "Add the note")
    with page.expect_download() as download:
        page.get_by_role("link", name="Report", exact=True).click()
    report = Path(download.value.path()).read_text()
    assert "Key in a repository" in report and "The owner was rung up." in report
    assert leaked.split("_")[2] in report and leaked.split("_")[3] not in report
    with page.expect_download() as download:
        page.get_by_role("link", name="Table (CSV)", exact=True).click()
    assert len(Path(download.value.path()).read_text().splitlines()) == number + 1
    page.goto("/mailbox/")
    expect(page.get_by_role("main")).to_contain_text(f"{number} keys of Company")
