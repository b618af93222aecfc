"""The database of each earlier release is migrated with what is in it, and that release could go on serving on it.

tests/portal/released/ holds those databases (made by `python -m tests.portal.released VERSION`). What the old code does
meanwhile is known without running it: it reads the columns that it knew, and inserts rows with those and no others.
"""

from __future__ import annotations

import gzip
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from django.db.migrations import operations
from django.db.migrations.loader import MigrationLoader

from tests.portal.released.__main__ import FOLDER, manage

pytestmark = pytest.mark.slow
RELEASES = sorted(path.stem for path in FOLDER.glob("*.json"))
OURS = ("keys", "portal")
# A row that the old code reads must be there as it was. These change by themselves.
PASSING = {"django_migrations", "django_session", "django_content_type", "auth_permission"}


def facts(version: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{version}.json").read_text())


@pytest.fixture(scope="module", params=RELEASES)
def upgraded(request, tmp_path_factory) -> tuple[str, sqlite3.Connection, sqlite3.Connection, Path]:
    """A release, its database, the same one migrated by this code, and the folder of the latter."""
    folder = tmp_path_factory.mktemp("upgrade")
    dump = gzip.decompress((FOLDER / f"{request.param}.sql.gz").read_bytes()).decode()
    for name in ("old", "latchkey"):
        made = sqlite3.connect(folder / f"{name}.sqlite3")
        made.executescript(dump)
        made.close()
    manage(folder, "migrate", "-v0", "--noinput")
    return request.param, *(sqlite3.connect(folder / f"{name}.sqlite3") for name in ("old", "latchkey")), folder


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
