"""`manage.py recount_usage`: counts by company made anew from those by key, after an older version has run for long."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from keys.usage.recounting import DAYS, recount_days


class Command(BaseCommand):
    """Counts days again."""

    help = "Add up the use of companies from that of their keys again, for the last days (UTC)."

    def add_arguments(self, parser: CommandParser) -> None:
        """How far back."""
        parser.add_argument("--days", type=int, default=DAYS)

    def handle(self, *args: Any, **options: Any) -> None:
        """Count one day after the other."""
        recount_days(options["days"], timezone.now())
        if options["verbosity"]:
            self.stdout.write(f"{options['days']} days counted again.")
