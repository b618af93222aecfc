"""`manage.py restore ARCHIVE`: replaces the database by that of a backup; see docs/operations.md."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from keys import hotstore
from portal.audit.models import AuditChain
from portal.audit.verifying import verify_now
from portal.management import backups


class Command(BaseCommand):
    """Restores a backup."""

    help = "Replace the database by that of an archive of `manage.py backup`. Stop web, worker and beat first."
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        """Which archive, and whether over data."""
        parser.add_argument("archive", type=Path)
        parser.add_argument("--force", action="store_true", help="replace a database that is not empty")

    def handle(self, *args: Any, **options: Any) -> None:
        """Restore, migrate to this version, and verify the audit record."""
        try:
            manifest = backups.restore(options["archive"], force=options["force"])
        except backups.BackupError as error:
            raise CommandError(str(error)) from error
        call_command("migrate", interactive=False, verbosity=0)
        hotstore.forget(everything=True)  # what Redis kept is of another database
        self.stdout.write(f"Restored the state of {manifest.made_at}, made by version {manifest.version}.")
        self.stdout.write(
            "What was revoked after that is in force again: revoke it once more before you start the portal. "
            "An audit export, webhooks that were received, and mails tell what it was."
        )
        if missing := sorted(set(manifest.peppers) - set(settings.PEPPERS)):
            self.stderr.write(
                f"LATCHKEY_PEPPERS lacks {', '.join(missing)}: keys made under it cannot be verified. Add it."
            )
        faults = 0
        for name in list(AuditChain.objects.order_by("name").values_list("name", flat=True)):
            walk = verify_now(AuditChain.objects.get(name=name))
            if walk.fault:
                faults += 1
                self.stderr.write(f"The audit chain {name}: {walk.number} events hold; then {walk.fault}")
        if faults or missing:
            sys.exit(1)
        self.stdout.write("Every chain of the audit record holds.")
