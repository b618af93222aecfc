"""Pictures of pages: which are taken. That they can be taken is seen where there is a Chromium, by `make screens`."""

from __future__ import annotations

from pathlib import Path

from portal.management.commands.screens import CHOSEN
from portal.management.screens import second_factor, walk
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
