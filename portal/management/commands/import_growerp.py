"""`manage.py import_growerp FILE`: companies and users from CSV or JSON; see docs/moving-from-growerp.md."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.management import importing


class Command(BaseCommand):
    """Imports companies and their users."""

    help = "Make companies and users from a CSV or JSON file, and mail them. Safe to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which file, and how far to go."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="only tell what would be done")
        parser.add_argument("--no-mail", action="store_true", help="tell nobody")

    def handle(self, *args: Any, **options: Any) -> None:
        """Read, check, make, mail; each wrong row is named, and the others are done."""
        outcome = importing.Outcome()
        try:
            people = importing.check(importing.read(options["file"]), outcome)
        except importing.FileWrong as error:
            raise CommandError(str(error)) from error
        importing.run(people, outcome, dry=options["dry_run"])
        would = "Would make" if options["dry_run"] else "Made"
        self.stdout.write(
            f"{would} {outcome.companies} companies, {outcome.users} users and {outcome.memberships} memberships; "
            f"{outcome.there} were there already."
        )
        failed = 0
        if not options["dry_run"] and not options["no_mail"]:
            for user, company in outcome.invited:
                try:
                    importing.invite(user, company)
                except OSError as error:  # SMTP's errors too
                    failed += 1
                    self.stderr.write(f"{user.email} could not be mailed: {type(error).__name__}")
            self.stdout.write(f"{len(outcome.invited) - failed} people were mailed how to begin.")
        for row, words in sorted(outcome.errors):
            self.stderr.write(f"row {row}: {words}")
        if outcome.errors or failed:
            sys.exit(1)
