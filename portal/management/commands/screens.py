"""`manage.py screens`: a picture of every page, wide and narrow, light and dark, to look at.

It starts a portal of its own on free ports with a throw-away data folder, fills it with example data, walks through it
in Chromium as a visitor, a new owner, a member and staff, and stops it. Needs the packages of requirements-dev.lock and
a Chromium on PATH.
"""

from __future__ import annotations

import subprocess  # nosec B404
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.management import example_data
from portal.management.screens.camera import Camera
from portal.management.screens.throwaway import throw_away_portal
from portal.management.screens.walk import walk

# What README and docs show.
CHOSEN = {
    "landing-wide-light", "keys-wide-light", "keys-narrow-dark", "new-key-wide-light", "key-created-wide-light",
    "key-wide-light", "key-rotate-wide-light", "card-declined-wide-light", "card-declined-narrow-light",
    "overview-wide-dark", "audit-wide-light", "usage-wide-light", "staff-dashboard-wide-light",
    "staff-key-wide-dark",
}  # fmt: skip


class Command(BaseCommand):
    """Takes the pictures."""

    help = "Take pictures of every page: 1280 and 360 pixels wide, light and dark (development only)."

    def add_arguments(self, parser: CommandParser) -> None:
        """Where to, which, and whether of the portal that runs already."""
        parser.add_argument("folder", nargs="?", type=Path, help="default: screens in the data folder")
        parser.add_argument(
            "--only",
            action="append",
            default=[],
            metavar="PATTERN",
            help='pages of these names, for example "passkey*"',
        )
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
            with throw_away_portal() as environment:
                again = [sys.executable, "manage.py", "screens", str(folder), "--here"]
                again += ["--chosen"] if options["chosen"] else []
                again += [f"--only={pattern}" for pattern in options["only"]]
                done = subprocess.run(again, cwd=settings.BASE_DIR, env=environment, check=False)  # noqa: S603  # nosec
                sys.exit(done.returncode)
        folder.mkdir(parents=True, exist_ok=True)
        camera = Camera(folder, CHOSEN if options["chosen"] else None, options["only"])
        walk(camera, example_data.load())
        self.stdout.write(f"{len(camera.taken)} pictures in {folder}")
