"""Databases as all migrations leave an empty one, copied from the one that a test run migrates.

Django takes long to migrate (it renders the models of every migration), and a run with several processes needs a
database for each of their portals, and for each of them. Nothing in a migration comes from the secrets of a data
folder: a copy is as good as an own one.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import sql
from pytest import TempPathFactory

ROOT = Path(__file__).resolve().parents[1]
# Without a log beside it, one file is the whole database. It gets its log back where a portal opens it.
_CODE = """
import django
django.setup()
from django.core.management import call_command
from django.db import connection
call_command("migrate", verbosity=0, interactive=False)
if connection.vendor == "sqlite":
    with connection.cursor() as cursor:
        assert cursor.execute("PRAGMA journal_mode=DELETE").fetchone() == ("delete",)
"""


def copy(to: Path, temporary: TempPathFactory) -> None:
    """Put a migrated SQLite database where there is none."""
    assert not to.exists()
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file(temporary), to)


def file(temporary: TempPathFactory) -> Path:
    """The migrated SQLite database of this run. Nothing of it is in another file, and nobody may write to it."""
    folder = _shared(temporary)

    def make() -> None:
        _migrate(f"sqlite://{folder}/migrated.sqlite3", folder)

    _once(folder / "sqlite", make)
    return folder / "migrated.sqlite3"


def database(server: str, temporary: TempPathFactory) -> str:
    """The name of the migrated database of this run on the PostgreSQL `server`, to which nobody is connected."""
    folder = _shared(temporary)
    name = _name(folder)

    def make() -> None:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        _migrate(urlsplit(server)._replace(path=f"/{name}").geturl(), folder)

    _once(folder / "postgresql", make)
    return name


def use_for_tests(connection: BaseDatabaseWrapper, temporary: TempPathFactory) -> None:
    """Let pytest-django's test database begin as a copy of this run's migrated one."""
    test = connection.settings_dict["TEST"]
    test["MIGRATE"] = False
    if connection.vendor == "postgresql":
        test["TEMPLATE"] = database(os.environ["DATABASE_URL"], temporary)
        return
    create = connection.creation._create_test_db

    def create_and_fill(*arguments: Any, **options: Any) -> str:
        name: str = create(*arguments, **options)
        copy(Path(name), temporary)
        return name

    connection.creation._create_test_db = create_and_fill


def drop(temporary: TempPathFactory) -> None:
    """Leave no database behind on the server that DATABASE_URL names. Files go with the folder of the run."""
    server = os.environ.get("DATABASE_URL", "")
    if server.startswith("postgres"):
        with suppress(psycopg.Error), psycopg.connect(server, autocommit=True) as connection:
            name = sql.Identifier(_name(_shared(temporary)))
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(name))


def _shared(temporary: TempPathFactory) -> Path:
    """A folder that all processes of this run have in common."""
    base = temporary.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "migrated"


def _name(folder: Path) -> str:
    return f"latchkey_migrated_{hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]}"


def _once(done: Path, make: Callable[[], None]) -> None:
    """Call `make` in the first process that comes, while the others wait; `done` then tells that it was made."""
    done.parent.mkdir(mode=0o700, exist_ok=True)
    with done.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            make()
            done.touch()


def _migrate(url: str, folder: Path) -> None:
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("LATCHKEY_", "DJANGO_", "REDIS_", "COV_"))}
    environment = kept | {
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "LATCHKEY_DATA": str(folder),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "keys" / "verifier")]),
    }
    command = [sys.executable, "-c", _CODE]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
