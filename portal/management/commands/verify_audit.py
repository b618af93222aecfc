"""`manage.py verify_audit`: walks the audit record, every chain or the ones named; exit code 1 if one does not hold."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.audit.models import AuditChain
from portal.audit.verifying import verify_now


class Command(BaseCommand):
    """Verifies chains."""

    help = "Verify the audit record: every chain, or those named. Exit code 1 if one does not hold."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which chains."""
        parser.add_argument("chains", nargs="*", metavar="CHAIN", help="a company's id, or platform; default: all")

    def handle(self, *args: Any, **options: Any) -> None:
        """Walk them, keep what was found, and tell of each fault."""
        names = options["chains"]
        chains = AuditChain.objects.filter(name__in=names) if names else AuditChain.objects.all()
        if missing := set(names) - set(chains.values_list("name", flat=True)):
            raise CommandError(f"There is no chain {', '.join(sorted(missing))}: use a company's id, or platform.")
        held = faults = events = 0
        for name in list(chains.order_by("name").values_list("name", flat=True)):
            walk = verify_now(AuditChain.objects.get(name=name))
            events += walk.number
            if walk.fault:
                faults += 1
                self.stderr.write(f"{name}: {walk.number} events hold; then {walk.fault}")
            else:
                held += 1
                if names or options["verbosity"] > 1:
                    self.stdout.write(f"{name}: {walk.number} events hold")
        self.stdout.write(f"{held} chains hold, {faults} do not; {events} events were verified.")
        if faults:
            sys.exit(1)
