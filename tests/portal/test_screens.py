"""Pictures of pages: which are taken. That they can be taken is seen where there is a Chromium, by `make screens`."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client

from portal.management import example_data
from portal.management.commands.screens import CHOSEN
from portal.management.screens import pages, second_factor, walk
from portal.management.screens.camera import Camera


def test_without_a_choice_every_page_is_wanted(tmp_path: Path) -> None:
    assert Camera(tmp_path, None).wants("landing")


def test_pages_are_chosen_by_their_names(tmp_path: Path) -> None:
    camera = Camera(tmp_path, None, ["passkey*", "sign-in"])
    assert camera.wants("passkey-new") and camera.wants("landing", "sign-in")
    assert not camera.wants("landing", "keys")


def test_the_way_to_pages_that_nobody_wants_is_not_walked(tmp_path: Path) -> None:
    camera = Camera(tmp_path, CHOSEN)
    assert camera.wants(*walk.REGISTERING) and camera.wants(*walk.MAKING)
    assert not camera.wants(*second_factor.NAMES)
    assert not Camera(tmp_path, CHOSEN, ["landing"]).wants(*walk.REGISTERING)


@pytest.mark.django_db
def test_the_usage_of_a_crowd_waits_for_its_count(client: Client) -> None:
    company = example_data.load()
    addresses = dict(pages.member_pages(company))
    client.force_login(company.memberships.get(role="owner").user)
    assert b"The keys are being counted" in client.get(addresses["usage-waiting"]).content
    assert b"The keys are being counted" not in client.get(addresses["usage"]).content
