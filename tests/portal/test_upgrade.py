"""The database of each earlier release is migrated with what is in it, and that release goes on serving on it.

tests/portal/released/ holds those databases (made by `python -m tests.portal.released VERSION`). What the old code does
meanwhile is known without running it: it reads the columns that it knew, and inserts rows with those and no others. The
last release's code is run as well, from the history, while its database is migrated and after.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import sqlite3
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from django.db.migrations import operations
from django.db.migrations.loader import MigrationLoader

from tests.e2e.person import Form
from tests.keys.throwaway import free_port
from tests.portal.released.__main__ import FOLDER, ROOT, SECRETS, manage

pytestmark = pytest.mark.slow
RELEASES = sorted(path.stem for path in FOLDER.glob("*.json"))
OURS = ("keys", "portal")
# The releases' databases have no use in them.
USED = "".join(
    f"INSERT INTO usage_{table} (period, server_id, company_id, key_id, code, tool, client, count) VALUES "
    f"('{period}', 'server', 'company{n % 2}', 'key{n}', 'VALID', 'get_companies', 'Cursor', {n + 1});"
    for table, period in (("usageday", "2026-05-20 00:00:00"), ("usagehour", "2026-05-20 15:00:00"))
    for n in range(5)
)
# A row that the old code reads must be there as it was. These change by themselves.
PASSING = {"django_migrations", "django_session", "django_content_type", "auth_permission"}


def facts(version: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{version}.json").read_text())


@pytest.fixture(scope="module", params=RELEASES)
def upgraded(request, tmp_path_factory) -> tuple[str, sqlite3.Connection, sqlite3.Connection, Path]:
    """A release, its database, the same one migrated by this code, and the folder of the latter."""
    folder = tmp_path_factory.mktemp("upgrade")
    dump = dumped(request.param)
    for name in ("old", "latchkey"):
        made = sqlite3.connect(folder / f"{name}.sqlite3")
        made.executescript(dump + USED)
        made.close()
    manage(folder, "migrate", "-v0", "--noinput")
    return request.param, *(sqlite3.connect(folder / f"{name}.sqlite3") for name in ("old", "latchkey")), folder


def dumped(version: str) -> str:
    """The release's database, as SQL."""
    return gzip.decompress((FOLDER / f"{version}.sql.gz").read_bytes()).decode()


def test_there_is_a_release_to_come_from():
    assert "0.1.0" in RELEASES


def test_everything_that_was_there_is_there_and_reads_as_before(upgraded):
    """The old code's SELECTs: every column that it knew, with the same content."""
    version, old, new, _folder = upgraded
    rows = 0
    for table, columns in facts(version)["columns"].items():
        if table in PASSING:
            continue
        asked = f"SELECT {', '.join(f'{c!r}'.replace(chr(39), chr(34)) for c in columns)} FROM {table} ORDER BY 1"
        before, after = old.execute(asked).fetchall(), new.execute(asked).fetchall()
        assert after == before, table
        rows += len(before)
    assert rows > 20


def test_the_old_code_can_go_on_inserting(upgraded):
    """A new column is one that the old code does not name: it may be empty, or the database fills it in."""
    version, _old, new, _folder = upgraded
    for table, columns in facts(version)["columns"].items():
        for _number, name, _kind, required, default, _key in new.execute(f'PRAGMA table_info("{table}")'):
            assert name in columns or not required or default is not None, f"{table}.{name}"


def test_companies_have_the_use_that_their_keys_had(upgraded):
    _version, old, new, _folder = upgraded
    for by_key, by_company in (("usageday", "companyday"), ("usagehour", "companyhour"), ("usagehour", "outcomehour")):
        used = old.execute(f"SELECT company_id, SUM(count) FROM usage_{by_key} GROUP BY 1 ORDER BY 1").fetchall()
        counted = new.execute(f"SELECT company_id, SUM(count) FROM usage_{by_company} GROUP BY 1 ORDER BY 1").fetchall()
        assert counted == used
        assert used, "or this says nothing"


def test_keys_of_the_old_release_are_good_after(upgraded):
    version, _old, _new, folder = upgraded
    key, credential = ("".join(facts(version)["tokens"][name]) for name in ("key", "server_credential"))
    script = (
        "from keys.verification import Question, verify; "
        f"print(verify({credential!r}, Question({key!r}, 'get_companies'))['code'])"
    )
    assert manage(folder, "shell", "-v0", "-c", script).strip().splitlines()[-1] == "VALID"


def test_the_chains_of_the_old_release_verify_after(upgraded):
    _version, _old, _new, folder = upgraded
    script = (
        "from portal.audit.models import AuditChain; from portal.audit.services import verify_chain; "
        "print([verify_chain(c.name).fault for c in AuditChain.objects.all()])"
    )
    told = manage(folder, "shell", "-v0", "-c", script).strip().splitlines()[-1]
    assert told.startswith("[''") and not set(told) - set("['', ]")


def since(version: str) -> list[tuple[str, Any]]:
    """Migrations of ours that the release did not have, with their operations."""
    had = {(app, name) for app, names in facts(version)["migrations"].items() for name in names}
    found = MigrationLoader(None).disk_migrations
    return [
        (f"{app}.{name}", operation)
        for (app, name), migration in sorted(found.items())
        if migration.__module__.startswith(OURS) and (app, name) not in had
        for operation in flat(migration.operations)
    ]


def flat(given: Any) -> list[Any]:
    """Operations, with those that stand within others."""
    found: list[Any] = []
    for operation in given:
        found += [operation, *flat(getattr(operation, "database_operations", []))]
    return found


def breaks(operation: Any) -> str:
    """Why the release before could not serve on a database after `operation`; '' if it could."""
    if isinstance(operation, operations.RemoveField | operations.RenameField):
        return "takes a column away: wait one release"
    if isinstance(operation, operations.DeleteModel | operations.RenameModel | operations.AlterModelTable):
        return "takes a table away: wait one release"
    if isinstance(operation, operations.AddField):
        field = operation.field
        # Django writes its own default in the INSERT, and the old code writes none.
        if not (field.null or field.many_to_many or field.has_db_default()):
            return "adds a column that the old code leaves empty: null=True, or db_default"
    if isinstance(operation, operations.RunSQL) and "DROP" in str(operation.sql).upper().replace("DROP TRIGGER", ""):
        return "drops something by SQL"
    return ""


@pytest.mark.parametrize("version", RELEASES[-1:])
def test_no_migration_takes_away_what_the_release_before_uses(version: str):
    """Expand in one release, contract in a later one (docs/operations.md, "Updating")."""
    found = [
        f"{name}: {operation.describe()}: {why}" for name, operation in since(version) if (why := breaks(operation))
    ]
    assert found == []


def test_the_rule_sees_what_breaks_it():
    from django.db import models

    field = models.CharField(max_length=5, default="x")
    assert breaks(operations.RemoveField("key", "name"))
    assert breaks(operations.RenameField("key", "name", "title"))
    assert breaks(operations.DeleteModel("key"))
    assert breaks(operations.AddField("key", "plan", field))
    assert not breaks(operations.AddField("key", "plan", models.CharField(max_length=5, null=True)))
    assert not breaks(operations.AddField("key", "plan", models.CharField(max_length=5, db_default="x")))
    assert not breaks(operations.CreateModel("new", []))
    assert breaks(operations.RunSQL("ALTER TABLE x DROP COLUMN y"))


class OldPortal:
    """The web process of a release, of its own code, on a database of that release."""

    def __init__(self, version: str, folder: Path) -> None:
        self.version, self.folder = version, folder
        self.address = f"http://127.0.0.1:{free_port()}"
        self.browser = httpx.Client(base_url=self.address, timeout=20)

    def start(self) -> None:
        """Take its code from the commit that brought its database; skip the test where there is no such commit."""
        dump = f"tests/portal/released/{self.version}.sql.gz"
        commit = _git("log", "--diff-filter=A", "--format=%H", "--", dump).decode().split()[-1:]
        code = _git("archive", *commit, "portal", "keys", "templates", "static", "docs") if commit else b""
        if not code:
            pytest.skip(f"the history here has no code of {self.version}")
        with tarfile.open(fileobj=io.BytesIO(code)) as archive:
            archive.extractall(self.folder / "code", filter="data")
        made = sqlite3.connect(self.folder / "latchkey.sqlite3")
        made.executescript(dumped(self.version))
        made.close()
        root = self.folder / "code"
        environment = {n: v for n, v in os.environ.items() if not n.startswith(("LATCHKEY_", "DATABASE_", "REDIS_"))}
        environment |= SECRETS | {
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "PYTHONPATH": f"{root}{os.pathsep}{root / 'keys' / 'verifier'}",
            "LATCHKEY_DATA": str(self.folder),
            "LATCHKEY_URL": self.address,
            "DATABASE_URL": f"sqlite://{self.folder}/latchkey.sqlite3",
        }
        command = ["-W", "ignore", "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port",
                   self.address.rpartition(":")[2], "--workers", "1", "--blocking-threads", "2", "--no-ws",
                   "--log-level", "warning", "portal.wsgi:application"]  # fmt: skip
        with (self.folder / "old.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command], cwd=root, env=environment, stdout=log, stderr=log
            )
        end = time.monotonic() + 60
        while True:
            try:
                assert self.browser.get("/healthz/live").status_code == 200
                break
            except httpx.TransportError:
                assert self.process.poll() is None and time.monotonic() < end, "the old code does not start"
                time.sleep(0.2)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)

    def code_for(self, key: str) -> str:
        """The verdict about a key."""
        credential = "".join(facts(self.version)["tokens"]["server_credential"])
        answer = self.browser.post(
            "/api/v1/keys/verify", json={"key": key, "tool": "get_companies"},
            headers={"Authorization": f"Bearer {credential}"},
        )  # fmt: skip
        return answer.json().get("code", str(answer.status_code))

    def get(self, path: str) -> httpx.Response:
        """A page, and whatever it leads to."""
        response = self.browser.get(path, follow_redirects=True)
        assert response.status_code == 200, f"{path}: {self.told()}"
        return response

    def send(self, page: httpx.Response, **typed: str) -> httpx.Response:
        """The page's form as it stands, with what was typed."""
        data: dict[str, Any] = {}
        for name, value in Form(page.text).fields:
            data.setdefault(name, []).append(value)
        address = urljoin(str(page.url), page.url.path)
        answer = self.browser.post(address, data=data | typed, headers={"Referer": address}, follow_redirects=True)
        assert answer.status_code == 200, f"{address}: {self.told()}"
        return answer

    def told(self) -> str:
        """The end of its log."""
        return (self.folder / "old.log").read_text(errors="replace")[-3000:]


def _git(*arguments: str) -> bytes:
    try:
        return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return b""


@pytest.fixture
def old_portal(tmp_path) -> Iterator[OldPortal]:
    made = OldPortal(RELEASES[-1], tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.mark.processes
def test_the_old_code_serves_while_its_database_is_migrated_and_after(old_portal: OldPortal):
    """Not one verdict is missing or wrong meanwhile; after, people sign in, look around, make and revoke a key."""
    key = "".join(facts(old_portal.version)["tokens"]["key"])
    assert old_portal.code_for(key) == "VALID"
    codes, migrated = [], threading.Event()

    def ask() -> None:
        while not migrated.is_set():
            codes.append(old_portal.code_for(key))
            time.sleep(0.15)  # within the limit of its plan

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        manage(old_portal.folder, "migrate", "-v0", "--noinput")
    finally:
        migrated.set()
        asking.join()
    assert len(codes) > 10 and set(codes) == {"VALID"}

    home = old_portal.send(old_portal.get("/accounts/login/"), login="test@example.com", password="qqqqqq9!")
    company = re.search(r"/c/[\w-]+/", home.text + str(home.url))[0]
    for path in ("", "keys/", "usage/", "servers/", "tokens/", "webhooks/", "connections/", "audit/", "team/"):
        old_portal.get(company + path)
    shown = old_portal.send(old_portal.get(f"{company}keys/new/"), name="Made by the old code", lifetime="30")
    made = re.search(r"lk_(?:test|live)_\w{12}_\w{38}", shown.text)[0]
    assert old_portal.code_for(made) == "VALID"
    old_portal.send(old_portal.get(f"{company}keys/{made.split('_')[2]}/revoke/"))
    assert old_portal.code_for(made) == "REVOKED"
    assert old_portal.code_for(key) == "VALID"

    script = (
        "from portal.audit.models import AuditChain, AuditEvent; from portal.audit.services import verify_chain; "
        "print([verify_chain(c.name).fault for c in AuditChain.objects.all()], "
        f"AuditEvent.objects.filter(target_id={made.split('_')[2]!r}).count())"
    )
    faults, events = manage(old_portal.folder, "shell", "-v0", "-c", script).strip().splitlines()[-1].rsplit(" ", 1)
    assert not set(faults) - set("['', ]")
    assert int(events) == 2  # made, revoked
