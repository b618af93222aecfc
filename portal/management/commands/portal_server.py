"""`manage.py portal_server`: register the portal's own MCP server; `--credential` prints a credential for it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from keys.servers import services as servers
from portal.audit.actors import SYSTEM
from portal.management.commands.demo import portal_server


class Command(BaseCommand):
    """Run it after each migrate: the server's address and tools are then those of this release."""

    help = (
        "Register the portal's own MCP server, or bring its address and tools up to date. --credential makes and "
        "prints a new server credential: give it to the MCP server as LATCHKEY_SERVER_CREDENTIAL."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """`--credential`."""
        parser.add_argument("--credential", action="store_true", help="print a new credential, and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        """Register; print the credential alone, so that a script can take it."""
        server = portal_server()
        if not options["credential"]:
            self.stdout.write(f"{server.name} is registered at {server.url}")
            return
        _, token = servers.create_credential(server=server, name="manage.py portal_server", actor=SYSTEM)
        self.stdout.write(token.text)
