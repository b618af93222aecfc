"""A company and its people: invited by mail, given roles, removed, handed over; its settings, its data, its end."""

from __future__ import annotations

import re
import zipfile
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from tests.browser import people
from tests.browser.conftest import Browse, Portal
from tests.browser.looking import look_at

pytestmark = pytest.mark.browser


def open_link(page: Page, email: str, subject: str) -> None:
    """Open the link of the latest mail to `email` whose subject begins with `subject`."""
    page.goto(f"/mailbox/?to={email}")
    page.get_by_role("table").get_by_role("link", name=re.compile(f"^{re.escape(subject)}")).first.click()
    found = re.search(r"https?://\S+", page.get_by_role("main").inner_text())
    assert found
    page.goto(found[0])


def invite(page: Page, overview: str, email: str, role: str = "Developer") -> None:
    page.goto(f"{overview}team/")
    people.follow(page, "Invite somebody")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_role("radio", name=role).check()
    people.press(page, "Send the invitation")


def sign_up_invited(page: Page, email: str, name: str) -> None:
    people.follow(page, "Create an account")
    expect(page.get_by_label("Company name")).to_have_count(0)
    page.get_by_label("Your name").fill(name)
    page.get_by_label("Password").fill(people.PASSWORD)
    look_at(page, "sign-up by invitation")
    people.press(page, "Create the account")
    people.confirm_address(page, email)


def test_a_colleague_is_invited_joins_gets_a_role_makes_a_key_and_is_removed_with_the_key_handed_over(
    browse: Browse, portal: Portal
):
    owner, email = browse(), people.new_address("nina")
    overview = people.register(owner, people.new_address("owner"), "Team Works")
    owner.goto(f"{overview}team/")
    look_at(owner, "team of one")
    owner.goto(f"{overview}team/invite/")
    look_at(owner, "invite")
    invite(owner, overview, email, "Viewer")
    expect(owner.get_by_role("main")).to_contain_text(email)
    look_at(owner, "team with an invitation")

    stranger = browse()
    people.register(stranger, people.new_address("other"), "Other Works")
    open_link(stranger, email, "Join Team Works")
    expect(stranger.get_by_role("main")).to_contain_text(f"This invitation is for {email}")
    look_at(stranger, "invitation for another address")

    nina = browse()
    open_link(nina, email, "Join Team Works")
    assert nina.url.endswith("/invitation/")
    look_at(nina, "invitation")
    sign_up_invited(nina, email, "Nina New")
    look_at(nina, "invitation, signed in")
    people.press(nina, "Accept the invitation")
    expect(nina.get_by_role("heading", level=1)).to_contain_text("Team Works")
    nina.goto(f"{overview}keys/")
    expect(nina.get_by_role("link", name="Create a key")).to_have_count(0)

    owner.goto(f"{overview}team/")
    owner.get_by_role("link", name="Change the role of Nina New").click()
    look_at(owner, "change a role")
    owner.get_by_role("radio", name="Developer").check()
    people.press(owner, "Save the role")
    expect(owner.get_by_role("row", name="Nina New")).to_contain_text("Developer")
    key = people.create_key(nina, overview, "Nina's assistant")
    assert portal.verdict(key)["user"]["email"] == email

    owner.goto(f"{overview}team/")
    owner.get_by_role("link", name="Remove Nina New").click()
    expect(owner.get_by_role("main")).to_contain_text("1 key in use")
    expect(owner.get_by_role("radio", name="Revoke it now")).to_be_checked()
    look_at(owner, "remove a member")
    owner.get_by_role("radio", name="Hand it to another member").check()
    owner.get_by_label("To whom").select_option(index=1)
    look_at(owner, "remove a member, keys handed over")
    people.press(owner, "Remove the member")
    verdict = portal.verdict(key)
    assert verdict["code"] == "VALID" and verdict["user"]["email"] != email
    # The page that showed her the key still stood open and asked for its first call: it is told that she is out.
    expect(nina.get_by_role("main")).to_contain_text("no longer kept up to date")
    expect(nina.locator("#secret")).to_have_text(key)
    nina.goto(f"{overview}keys/")
    expect(nina.get_by_role("heading", level=1)).to_contain_text("no such page")
    owner.goto(f"{overview}audit/")
    expect(owner.get_by_role("main")).to_contain_text("handed the key Nina's assistant over to another member")


def test_a_page_that_waits_asks_no_more_once_its_person_is_signed_out(browse: Browse, portal: Portal):
    page = browse()
    overview = people.register(page, people.new_address("waiting"), "Waiting Works")
    key = people.create_key(page, overview, "Left alone")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/first-call/" in request.url else None)
    page.context.clear_cookies()
    expect(page.get_by_role("main")).to_contain_text("no longer kept up to date")
    expect(page.locator("#secret")).to_have_text(key)
    assert page.get_by_label("Password").count() == 0, "the page to sign in does not appear within this one"
    asked.clear()
    page.wait_for_timeout(2500)
    assert not asked


def test_the_company_is_handed_over_without_javascript_on_a_phone(browse: Browse, portal: Portal):
    owner, heir, email = browse(javascript=False, width=360), browse(), people.new_address("heir")
    overview = people.register(owner, people.new_address("owner"), "Handed Works")
    people.register(heir, email, "Heir Works")
    invite(owner, overview, email, "Admin")
    open_link(heir, email, "Join Handed Works")
    people.press(heir, "Accept the invitation")
    heir.locator("details.switcher:visible").first.click()
    expect(heir.locator("details.switcher:visible").get_by_role("link", name="Heir Works")).to_be_visible()

    owner.goto(f"{overview}team/leave/")
    expect(owner.get_by_role("main")).to_contain_text("You are its only owner")
    owner.get_by_role("main").get_by_role("link", name="Hand the company over").click()
    owner.get_by_label("New owner").select_option(index=1)
    people.press(owner, "Hand it over")
    expect(owner.get_by_role("main")).to_contain_text("You are an admin")
    owner.goto(f"{overview}team/leave/")
    people.press(owner, "Leave the company")
    owner.goto(f"{overview}team/")
    expect(owner.get_by_role("main")).not_to_contain_text(email)
    heir.goto(f"{overview}team/transfer/")
    look_at(heir, "nobody to hand the company to")


def test_settings_are_changed_data_exported_and_the_company_closed_and_reopened(browse: Browse, portal: Portal):
    page, email = browse(), people.new_address("owner")
    overview = people.register(page, email, "Closing Works")
    key = people.create_key(page, overview, "To end")

    page.goto(f"{overview}settings/")
    look_at(page, "settings")
    page.get_by_label("Time zone").select_option("Asia/Bangkok")
    page.get_by_label("Currency").select_option("THB")
    people.press(page, "Save")
    page.goto(f"{overview}audit/")
    expect(page.get_by_role("main")).to_contain_text("changed the company")
    assert page.locator("html").get_attribute("data-zone") == "Asia/Bangkok"
    shown = page.locator(".timeline-when time").first
    moment = datetime.fromisoformat(str(shown.get_attribute("datetime"))).astimezone(UTC)
    assert f"{(moment.hour + 7) % 12 or 12}:{moment.minute:02}" in shown.inner_text()

    page.goto(f"{overview}settings/security/")
    page.get_by_label("Every member needs a second factor").check()
    people.press(page, "Save")
    expect(page.get_by_role("main")).to_contain_text("lock yourself out")
    look_at(page, "settings: security, refused")

    page.goto(f"{overview}settings/keys/")
    look_at(page, "settings: new keys")
    page.get_by_label("A new key expires after").select_option("30")
    page.get_by_label("It lives at most").select_option("90")
    people.press(page, "Save")
    page.goto(f"{overview}keys/new/")
    expect(page.get_by_role("radio", name="30 days")).to_be_checked()
    expect(page.get_by_text("No expiry", exact=True)).to_have_count(0)

    page.goto(f"{overview}settings/export/")
    look_at(page, "settings: export")
    people.press(page, "Make an export")
    look_at(page, "settings: export that is being made")
    make = "from portal.companies.models import CompanyExport as E; from portal.companies.exports import make_export;"
    portal.manage("shell", "-c", make + "[make_export(e.pk) for e in E.objects.filter(state='waiting')]")
    open_link(page, email, "The export of Closing Works")
    look_at(page, "settings: export")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download").first.click()
    with zipfile.ZipFile(waiting.value.path()) as archive:
        assert "To end" in archive.read("keys.json").decode()
        assert key not in archive.read("keys.json").decode()

    page.goto(f"{overview}settings/close/")
    look_at(page, "settings: close")
    page.get_by_label("Type the company's name").fill("Something else")
    people.press(page, "Close the company")
    expect(page.get_by_role("main")).to_contain_text("not the company's name")
    page.get_by_label("Type the company's name").fill("Closing Works")
    people.press(page, "Close the company")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Closing Works is closed")
    look_at(page, "closed company")
    assert portal.verdict(key)["code"] == "REVOKED"
    people.press(page, "Open it again")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Closing Works Active")
    assert portal.verdict(key)["code"] == "REVOKED"
    people.create_key(page, overview, "A new one")
