"""`manage.py backup FOLDER`: the database as one archive, while everything runs; see docs/operations.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.management import backups


class Command(BaseCommand):
    """Makes a backup."""

    help = "Write the database into one archive, while everything runs. Peppers and secret key are not in it."

    def add_arguments(self, parser: CommandParser) -> None:
        """Where to, and how many stay."""
        parser.add_argument("folder", type=Path, help="folder for the archive; it is made if it is not there")
        parser.add_argument("--keep", type=int, default=0, metavar="N", help="delete all but the N newest archives")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make it, and say what is not in it."""
        if options["keep"] < 0:
            raise CommandError("--keep takes a number from 1 on.")
        try:
            path = backups.make(options["folder"].resolve(), keep=options["keep"])
        except (backups.BackupError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{path} ({path.stat().st_size:,} bytes)")
        self.stdout.write(backups.SECRETS_NOTE)
