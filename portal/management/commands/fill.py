"""`manage.py fill`: companies and keys by the hundred thousand, to see how the portal does at size."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction
from django.utils import timezone

from keys import tokens
from keys.models import Key, McpServer
from keys.peppers import newest
from keys.servers import services as servers
from portal.accounts.models import User
from portal.audit.actors import SYSTEM
from portal.companies.models import Company, Membership
from portal.ids import ALPHABET
from portal.management.copying import copy, trusted
from portal.management.history import Filled, History

SERVER = "fill"
ONE_DAY = 86_400
BUSY_OF = 50  # one key in so many is used, and all of the big company's
TOOLS = [{"name": "get_companies", "title": "Companies", "description": "", "read_only": True}]


class Command(BaseCommand):
    """Fills a development database by the database's own bulk loading."""

    help = "Add many companies, each with an owner, and keys (development only)."

    def add_arguments(self, parser: CommandParser) -> None:
        """How many, and where to write some of the keys in clear."""
        parser.add_argument("--companies", type=int, default=100_000)
        parser.add_argument("--keys", type=int, default=1_000_000)
        parser.add_argument("--big", type=int, default=0, help="How many of the keys are all of the first company's.")
        parser.add_argument("--events", type=int, default=0, help="Audit events, with incidents, leaks, sign-ins…")
        parser.add_argument("--usage", type=int, default=0, help="Rows of counted use, with addresses seen.")
        parser.add_argument("--connections", type=int, default=0)
        parser.add_argument("--plan", default="plus", help="The companies' plan, which limits their keys.")
        parser.add_argument("--sample", type=int, default=0, help="How many good keys to write to --tokens.")
        parser.add_argument("--tokens", type=Path, help="A JSON file for a server credential and the sample.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Load, and let the database learn what it has."""
        if settings.PRODUCTION:
            raise CommandError("fill makes invented companies: it runs in development only.")
        began = time.monotonic()
        companies, keys = options["companies"], options["keys"]
        if companies < 1 or keys < 0:
            raise CommandError("Ask for at least one company.")
        with transaction.atomic():
            server = McpServer.objects.filter(name=SERVER).first() or servers.register_server(
                actor=SYSTEM, name=SERVER, url="http://fill.example.com/mcp", tools=TOOLS
            )
            loader = Loader(server, options["plan"], big=min(options["big"], keys))
            with trusted():
                sample = loader.load(companies, keys, options["sample"], used=options["usage"] > 0)
                History(loader.filled).load(
                    events=options["events"], usage=options["usage"], connections=options["connections"]
                )
            _credential, token = servers.create_credential(server=server, name="fill", actor=SYSTEM)
        with connection.cursor() as cursor:
            # PostgreSQL's own vacuum would come by itself, later: counts follow an index alone only after it.
            may = connection.vendor == "postgresql" and not connection.in_atomic_block
            cursor.execute("VACUUM ANALYZE" if may else "ANALYZE")
            if connection.vendor == "sqlite":
                forget_empty_column(cursor)
        if options["tokens"]:
            options["tokens"].write_text(json.dumps({"credential": token.text, "keys": sample}))
            options["tokens"].chmod(0o600)
        self.stdout.write(f"{companies} companies and {keys} keys in {time.monotonic() - began:.0f} s")


def forget_empty_column(cursor: Any) -> None:
    """Take back what SQLite learnt of the column that says which key replaces which.

    No filled key replaces another, and SQLite takes a column without values for one whose one value all rows have: it
    would then read the whole table for each key of a list. What knows nothing of it follows its index.
    """
    cursor.execute(
        "DELETE FROM sqlite_stat1 WHERE tbl = %s AND idx IN (SELECT i.name FROM pragma_index_list(%s) i "
        "JOIN pragma_index_info(i.name) c WHERE c.name = 'replaces_id')",
        [Key._meta.db_table] * 2,
    )


class Loader:
    """Makes companies, people and keys, and loads them. `filled`: what is there then."""

    filled: Filled

    def __init__(self, server: McpServer, plan: str, *, big: int = 0) -> None:
        self.server, self.plan, self.big = server, plan, big
        self.now = timezone.now()
        self.pepper_id, self.pepper = newest()
        # Keys of invented companies, on a development run: speed counts here, and nothing is to be protected.
        self.random = random.Random()  # noqa: S311  # nosec B311
        self.sample: list[str] = []

    def load(self, companies: int, keys: int, sample: int, *, used: bool = False) -> list[str]:
        """Load everything; returns `sample` of the good keys in clear, spread over all. `used`: some keys were."""
        people = [self._id() for _ in range(companies)]
        tenants = [self._id() for _ in range(companies)]
        run = self._id()[:5].lower()
        self.filled = Filled(self.server, tenants, people, [], [])
        self.every_used = BUSY_OF if used else 0
        copy(
            User,
            ("id", "password", "last_login", "is_superuser", "email", "name", "is_active", "is_staff", "date_joined"),
            (
                (user, "!", None, False, f"person{number}@{run}.example.com", f"Person {number}", True, False, self.now)
                for number, user in enumerate(people)
            ),
        )
        copy(
            Company,
            (
                "id", "name", "slug", "state", "currency", "time_zone", "plan", "created_at", "activated_at",
                "suspended_at", "suspended_reason", "closed_at",
            ),
            (
                (company, f"Company {run} {number}", f"{run}-{number}", "active", "USD", "UTC", self.plan,
                 (made := self._moment()), made, None, "", None)
                for number, company in enumerate(tenants)
            ),
        )  # fmt: skip
        copy(
            Membership,
            ("company_id", "user_id", "role", "created_at"),
            ((company, user, "owner", self.now) for company, user in zip(tenants, people, strict=True)),
        )
        copy(
            Key,
            (
                "id", "digest", "pepper", "hint", "name", "created_at", "expires_at", "overlap_ends_at", "revoked_at",
                "revoked_reason", "last_used_at", "replaces_id", "company_id", "server_id", "user_id", "scopes",
                "allowed_ips", "per_minute", "per_month", "login_client", "first_used_at",
            ),
            self._keys(keys, tenants, people, max(1, keys // sample) if sample else 0),
        )  # fmt: skip
        return self.sample[:sample]

    def _keys(self, count: int, tenants: list[str], people: list[str], every: int) -> Iterator[tuple[Any, ...]]:
        kind = tokens.Kind(settings.KEY_KIND)
        for number in range(count):
            letters = "".join(self.random.choices(ALPHABET, k=tokens.ID_LENGTH + tokens.SECRET_LENGTH))
            body = f"lk_{kind}_{letters[: tokens.ID_LENGTH]}_{letters[tokens.ID_LENGTH :]}"
            token = tokens.Token(body + tokens.checksum(body), kind, letters[: tokens.ID_LENGTH])
            made = self._moment()
            picked = bool(every) and number % every == 0
            ended = max(made, self._moment(30)) if not picked and self.random.random() < 0.05 else None
            place = 0 if number < self.big else number % len(tenants)
            self.filled.keys.append((place, token.id))
            used = bool(self.every_used) and (number < self.big or number % self.every_used == 0)
            if used:
                self.filled.busy.append((place, token.id))
            last = max(made, self._moment(30)) if used else None
            if picked:
                self.sample.append(token.text)
            yield (
                token.id, tokens.digest(token.text, self.pepper), self.pepper_id, tokens.hint(token), f"Key {number}",
                made, self.now + timedelta(days=30) + (self.now - made), None, ended, "Filled" if ended else "",
                last, None, tenants[place], self.server.pk, people[place], '["tools:*"]', "[]", None, None, "",
                made if used else None,
            )  # fmt: skip

    def _id(self) -> str:
        return "".join(self.random.choices(ALPHABET, k=tokens.ID_LENGTH))

    def _moment(self, days: int = 300) -> datetime:
        return self.now - timedelta(seconds=self.random.randrange(days * ONE_DAY))
