"""`manage.py up`: the whole portal on this machine by one command."""

from __future__ import annotations

import os
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection
from django.urls import NoReverseMatch, reverse
from kombu.exceptions import OperationalError as QueueError

from keys.models import McpServer, ServerCredential
from keys.servers import services as servers
from portal import env, health, tasks
from portal.accounts.models import User
from portal.audit.actors import SYSTEM
from portal.checks import refuse_unsafe_production
from portal.management.commands import demo
from portal.probe import answers
from portal.supervisor import AlreadyRunning, CannotStart, Process, Supervisor, hold

CREDENTIAL = "manage.py up"
START_SECONDS = 90.0


class Command(BaseCommand):
    """Starts web, MCP server and worker, and keeps them running until Ctrl-C."""

    help = "Start the whole portal on this machine: web, MCP server, worker. Ctrl-C stops all."
    requires_system_checks = []  # migrate runs them
    requires_migrations_checks = False

    def handle(self, *args: Any, **options: Any) -> None:
        """Check, prepare, start, show where everything is, and stay."""
        listen = env.text("LATCHKEY_LISTEN", "127.0.0.1")
        try:
            with hold(settings.DATA_DIR, f"process {os.getpid()}, {settings.PORTAL_URL}"):
                for variable, port in (("PORT", settings.PORT), ("MCP_PORT", settings.MCP_PORT)):
                    require_free(variable, port, listen)
                self._run(listen)
        except AlreadyRunning as error:
            sys.exit(
                f"Latchkey already runs on the data folder {settings.DATA_DIR} ({error}): stop it with Ctrl-C there, "
                "or set LATCHKEY_DATA to another folder."
            )
        except CannotStart as error:
            sys.exit(str(error))
        except KeyboardInterrupt:  # before the supervisor listens to signals
            sys.exit("Stopped.")

    def _run(self, listen: str) -> None:
        began = time.monotonic()
        self._say("Preparing the database")
        call_command("migrate", verbosity=0, interactive=False)
        refuse_unsafe_production()
        if settings.PRODUCTION:
            call_command("collectstatic", verbosity=0, interactive=False)
        elif not User.objects.exists():
            self._say("Loading demo data")
            call_command("demo", stdout=open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        server = demo.portal_server()
        processes = make_processes(listen, server)
        connection.close()

        self._say("Starting web, MCP server and worker")
        supervisor = Supervisor(processes, settings.DATA_DIR / "logs", settings.BASE_DIR, self._say)
        try:
            with suppress(QueueError):  # beat sends it too, a few seconds later
                tasks.heartbeat.apply_async(retry=False)
            supervisor.start(START_SECONDS)
            if not supervisor.stopping:
                self.stdout.write(screen(server, time.monotonic() - began))
                self.stdout.flush()
            supervisor.watch()
        finally:
            self._say("Stopping")
            supervisor.stop()
        self._say("Stopped.")

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


def require_free(variable: str, port: int, listen: str) -> None:
    """End the process with a sentence if `port` is taken; `variable` is what sets it."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        taken = probe.connect_ex(("127.0.0.1", port)) == 0  # a listener on all addresses need not collide with ours
    if not taken:
        try:
            with socket.create_server((listen, port), family=_family(listen)):
                return
        except OSError as error:
            if isinstance(error, PermissionError):
                sys.exit(f"Port {port} may not be used by this user: set {variable} to one above 1023.")
            if isinstance(error, socket.gaierror) or "assign" in str(error):
                sys.exit(f"LATCHKEY_LISTEN is {listen!r}, which is no address of this machine.")
    sys.exit(
        f"Port {port} is taken by another program: stop that, or choose another port, for example "
        f"{variable}={port + 1} python3 manage.py up"
    )


def make_processes(listen: str, server: McpServer) -> list[Process]:
    """Web, MCP server and worker. The MCP server gets a new credential; those of earlier starts are revoked."""
    for credential in ServerCredential.objects.usable().filter(server=server, name=CREDENTIAL):
        servers.revoke_credential(credential=credential, reason="Started anew", actor=SYSTEM)
    _, token = servers.create_credential(server=server, name=CREDENTIAL, actor=SYSTEM)
    verifier = settings.BASE_DIR / "keys" / "verifier"
    common = {
        "PYTHONPATH": os.pathsep.join(filter(None, (str(verifier), os.environ.get("PYTHONPATH")))),
        "PYTHONUNBUFFERED": "1",
        "PORT": str(settings.PORT),
        "MCP_PORT": str(settings.MCP_PORT),
        "MCP_HOST": env.text("MCP_HOST", listen),
        "LATCHKEY_URL": settings.PORTAL_URL,
        "LATCHKEY_MCP_URL": settings.MCP_URL,
        "LATCHKEY_DATA": str(settings.DATA_DIR),
    }
    here = "[::1]" if ":" in listen else "127.0.0.1" if listen in {"0.0.0.0", "localhost"} else listen  # noqa: S104
    began = time.time()
    web = [
        "granian", "--interface", "wsgi", "--host", listen, "--port", str(settings.PORT), "--workers", "1",
        "--blocking-threads", "4", "--no-ws", "--http", "1", "--http1-header-read-timeout", "10000",
        "--workers-kill-timeout", "5", "--log-level", "warning", "portal.wsgi:application",
    ]  # fmt: skip
    worker = [
        "celery", "--app", "portal.celery", "worker", "--beat", "--pool", "threads", "--concurrency", "4",
        "--loglevel", env.text("LATCHKEY_LOG_LEVEL", "WARNING"), "--without-gossip", "--without-mingle",
    ]  # fmt: skip

    def worker_is_healthy() -> bool:
        age = health.heartbeat_age()
        return age is not None and age < time.time() - began

    return [
        Process("web", _module(web), lambda: answers(f"http://{here}:{settings.PORT}/healthz/ready"), common),
        Process(
            "mcp",
            _module(["keys.mcp"]),
            lambda: answers(f"http://{here}:{settings.MCP_PORT}/rest/s1/mcp/health"),
            {**common, "LATCHKEY_SERVER_CREDENTIAL": token.text},
        ),
        Process("worker", _module(worker), worker_is_healthy, {**common, "PYTHONWARNINGS": "ignore::UserWarning"}),
    ]


def screen(server: McpServer, seconds: float) -> str:
    """What a person wants to know once everything runs."""
    rows = [("Portal", f"{settings.PORTAL_URL}/"), ("MCP server", server.url)]
    for label, name in (("API", "api-docs"), ("Staff pages", "staff:dashboard"), ("Mailbox", "mailbox")):
        if name != "mailbox" or settings.MAILBOX:
            with suppress(NoReverseMatch):
                rows.append((label, settings.PORTAL_URL + reverse(name)))
    lines = [f"Latchkey is running (started in {seconds:.0f} s).", ""]
    lines += [f"  {label:<14}{value}" for label, value in rows]
    if not settings.PRODUCTION and User.objects.filter(email=demo.OWNER["email"]).exists():
        people = [(p["email"], p["password"], f"{p['role']} of {demo.COMPANY}") for p in demo.PEOPLE]
        people.append((demo.STAFF["email"], demo.STAFF["password"], "staff"))
        lines.append("")
        for number, (email, password, role) in enumerate(people):
            lines.append(f"  {'' if number else 'Sign in as':<14}{email:<20}{password:<19}{role}")
    lines += [
        "",
        f"  {'Next':<14}Open the portal, sign in or register a company, confirm it with a test card,",
        f"  {'':<14}create a key, paste the snippet into your AI client, ask for a company list.",
        "",
        f"  Data in {_short(settings.DATA_DIR)}, logs in {_short(settings.DATA_DIR / 'logs')}. Ctrl-C stops all.",
    ]
    return "\n".join(lines)


def _short(path: Path) -> str:
    with suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)


def _module(arguments: list[str]) -> list[str]:
    return [sys.executable, "-m", *arguments]


def _family(listen: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in listen else socket.AF_INET
