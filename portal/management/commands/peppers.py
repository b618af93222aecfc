"""`manage.py peppers`: which peppers are still needed, so that an old one can be removed; and the secret key's part."""

from __future__ import annotations

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from keys import peppers
from keys.webhooks.reencryption import reencrypt

KINDS = {"key": "keys", "credential": "server credentials", "token": "management tokens", "access": "access tokens"}


class Command(BaseCommand):
    """Counts digests by pepper."""

    help = "Tell which peppers tokens in force still need. Exit code 1 if one of those is not configured."

    def add_arguments(self, parser: CommandParser) -> None:
        """What else to do."""
        parser.add_argument("--list", metavar="PEPPER", help="name what is in force under this pepper")
        parser.add_argument(
            "--reencrypt", action="store_true", help="encrypt webhook secrets under the present LATCHKEY_SECRET_KEY"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Count, list, or encrypt anew."""
        if options["reencrypt"]:
            self._reencrypt()
        elif options["list"]:
            for kind, row in peppers.under(options["list"]):
                used = row.last_used_at.date() if row.last_used_at else "never"
                self.stdout.write(f"{kind} {row.pk} {row.name} ({row.hint}), last used: {used}")
        else:
            self._count()

    def _count(self) -> None:
        uses = peppers.counts()
        newest = peppers.newest()[0]
        needed = {use.pepper for use in uses if use.in_force}
        for name in [*settings.PEPPERS, *sorted({use.pepper for use in uses} - set(settings.PEPPERS))]:
            role = "newest" if name == newest else "old" if name in settings.PEPPERS else "not configured"
            self.stdout.write(f"{name} ({role})")
            for use in uses:
                if use.pepper == name:
                    self.stdout.write(f"  {KINDS[use.kind]}: {use.in_force:,} in force, {use.over:,} over")
            if name in settings.PEPPERS and name != newest:
                self.stdout.write(
                    f"  Still needed: see --list {name}." if name in needed
                    else "  Nothing in force needs it: remove it from LATCHKEY_PEPPERS."
                )  # fmt: skip
        if missing := sorted(needed - set(settings.PEPPERS)):
            self.stderr.write(f"LATCHKEY_PEPPERS lacks {', '.join(missing)}: what is under it is refused. Add it.")
            sys.exit(1)

    def _reencrypt(self) -> None:
        done = reencrypt()
        self.stdout.write(f"{done.count} webhook secrets are encrypted under the present secret key.")
        if done.unreadable:
            self.stderr.write(
                f"These cannot be read any more, and their owners must rotate them: {', '.join(done.unreadable)}. "
                "If you still have the secret key of then, add it to LATCHKEY_SECRET_KEY_FALLBACKS and run this again."
            )
            sys.exit(1)
