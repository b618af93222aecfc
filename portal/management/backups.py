"""Backups: one archive with the database and a manifest, and restoring it. Never a pepper, never the secret key."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess  # nosec B404
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Final

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

MANIFEST: Final = "manifest.json"
PREFIX: Final = "latchkey-"
SUFFIX: Final = ".tar"
FORMAT: Final = 1
_TOO_LARGE: Final = 1024 * 1024
SECRETS_NOTE: Final = (
    "LATCHKEY_PEPPERS and LATCHKEY_SECRET_KEY are not in this archive, and without its pepper no key can be verified. "
    "Keep them apart from it."
)


class BackupError(Exception):
    """What is wrong, in words for whoever runs the command."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an archive is: `migrations` by app, the peppers that its digests need (ids only), and the file's hash."""

    format: int
    version: str
    made_at: str
    engine: str
    file: str
    size: int
    sha256: str
    migrations: dict[str, list[str]]
    peppers: list[str]
    note: str = SECRETS_NOTE


def make(folder: Path, *, keep: int = 0) -> Path:
    """Write an archive of the database into `folder`, readable by this user alone; its path.

    It is there whole or not at all. `keep`: delete all but the newest so many archives. Raises BackupError.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    now = timezone.now()
    path = folder / f"{PREFIX}{now:%Y%m%dT%H%M%S}Z{SUFFIX}"
    with tempfile.TemporaryDirectory(dir=folder, prefix=".making-") as name:
        engine = connection.vendor
        dump = Path(name) / ("database.sqlite3" if engine == "sqlite" else "database.dump")
        migrations, peppers = applied_migrations(), peppers_in_use()
        _dump_sqlite(dump) if engine == "sqlite" else _dump_postgresql(dump)
        manifest = Manifest(
            FORMAT, settings.VERSION, now.isoformat(timespec="seconds"), engine, dump.name, dump.stat().st_size,
            _hash_of(dump), migrations, peppers,
        )  # fmt: skip
        draft = Path(name) / "archive"
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123
            with tarfile.open(fileobj=file, mode="w") as archive:
                _add_text(archive, Path(name) / MANIFEST, json.dumps(asdict(manifest), indent=2))
                archive.add(dump, arcname=dump.name, filter=_plain)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    if keep:
        for old in archives(folder)[keep:]:
            old.unlink()
    return path


def archives(folder: Path) -> list[Path]:
    """The archives in `folder`, newest first."""
    return sorted(folder.glob(f"{PREFIX}*Z{SUFFIX}"), reverse=True)


def read_manifest(path: Path) -> Manifest:
    """The manifest of the archive at `path`. Raises BackupError if it is none, or of a later format."""
    try:
        with tarfile.open(path) as archive, _member(archive, MANIFEST) as file:
            found: dict[str, Any] = json.loads(file.read(_TOO_LARGE))
        manifest = Manifest(**found)
    except (OSError, tarfile.TarError, ValueError, TypeError, KeyError) as error:
        raise BackupError(f"{path} is no archive of Latchkey: {type(error).__name__}.") from error
    if manifest.format > FORMAT:
        raise BackupError(f"{path} was made by a later version of Latchkey ({manifest.version}). Update first.")
    return manifest


def check_schema(manifest: Manifest) -> None:
    """Raises BackupError if the archive has migrations that this code does not know: its database is newer."""
    known = {f"{app}.{name}" for app, name in MigrationExecutor(connection).loader.disk_migrations}
    ours = {app.split(".")[0] for app in known}
    for app, names in manifest.migrations.items():
        unknown = [name for name in names if app in ours and f"{app}.{name}" not in known]
        if unknown or app not in ours:
            raise BackupError(
                f"The archive's database is newer than this code: it has the migration {app}.{(unknown or names)[0]}, "
                f"made by version {manifest.version}. Update Latchkey first."
            )


def holds_data() -> bool:
    """Whether the present database has anything that a restore would replace."""
    tables = connection.introspection.table_names()
    for table in ("accounts_user", "companies_company", "audit_auditevent"):
        if table in tables:
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT 1 FROM {table} LIMIT 1")  # noqa: S608  (names of ours)
                if cursor.fetchone():
                    return True
    return False


def restore(path: Path, *, force: bool = False) -> Manifest:
    """Replace the database by that of the archive at `path`. Raises BackupError, and nothing is changed then.

    Refuses a database that holds data unless `force`, another engine, a newer schema, and a damaged archive.
    """
    manifest = read_manifest(path)
    if manifest.engine != connection.vendor:
        raise BackupError(f"The archive is of {manifest.engine}, and DATABASE_URL names {connection.vendor}.")
    check_schema(manifest)
    if holds_data() and not force:
        raise BackupError("The database is not empty. Restore into an empty one, or add --force to replace all of it.")
    with tempfile.TemporaryDirectory(prefix="latchkey-restore-") as name:
        dump = Path(name) / "database"
        with tarfile.open(path) as archive, _member(archive, manifest.file) as source, dump.open("wb") as target:
            shutil.copyfileobj(source, target, 1024 * 1024)
        if _hash_of(dump) != manifest.sha256:
            raise BackupError("The archive is damaged: its database has not the hash that the manifest says.")
        _restore_sqlite(dump) if manifest.engine == "sqlite" else _restore_postgresql(dump)
    return manifest


def applied_migrations() -> dict[str, list[str]]:
    """App → names of the migrations that the database has."""
    found: dict[str, list[str]] = {}
    for app, name in MigrationExecutor(connection).loader.applied_migrations:
        found.setdefault(app, []).append(name)
    return {app: sorted(names) for app, names in sorted(found.items())}


def peppers_in_use() -> list[str]:
    """Ids of the peppers under which the database has digests."""
    from keys.peppers import ids_in_use  # the command knows keys; the rest of this module does not

    return ids_in_use()


def _dump_sqlite(target: Path) -> None:
    """SQLite's own online backup: a copy of one moment, while others read and write."""
    connection.ensure_connection()
    with closing(sqlite3.connect(target)) as copy:
        connection.connection.backup(copy, pages=1000, sleep=0.01)
        copy.execute("PRAGMA journal_mode=DELETE")
        _check_sqlite(copy)


def _check_sqlite(database: sqlite3.Connection) -> None:
    found = [row[0] for row in database.execute("PRAGMA integrity_check(1)")]
    if found != ["ok"]:
        raise BackupError(f"The copy does not pass SQLite's integrity check: {found[0]}")


def _restore_sqlite(dump: Path) -> None:
    with closing(sqlite3.connect(f"file:{dump}?mode=ro", uri=True)) as source:
        _check_sqlite(source)
        connection.ensure_connection()
        source.backup(connection.connection, pages=1000)


def _dump_postgresql(target: Path) -> None:
    _run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={target}")


def _restore_postgresql(dump: Path) -> None:
    connection.close()  # the tables are dropped and made anew
    _run(
        "pg_restore", "--clean", "--if-exists", "--no-owner", "--no-privileges", "--single-transaction",
        "--exit-on-error", str(dump), database=True,
    )  # fmt: skip


def _run(program: str, *arguments: str, database: bool = False) -> None:
    """One of PostgreSQL's own programs on the database of the settings; the password goes by the environment."""
    path = find_program(program)
    values = connection.settings_dict
    named = {"PGHOST": values["HOST"], "PGPORT": values["PORT"], "PGUSER": values["USER"], "PGDATABASE": values["NAME"],
             "PGPASSWORD": values["PASSWORD"], "PGSSLMODE": values["OPTIONS"].get("sslmode", "")}  # fmt: skip
    environment = os.environ | {name: str(value) for name, value in named.items() if value}
    more = [f"--dbname={values['NAME']}"] if database else []
    done = subprocess.run(  # noqa: S603  # nosec B603
        [path, *more, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise BackupError(f"{program} failed: {lines[-1] if lines else done.returncode}")


def find_program(name: str) -> str:
    """The path of `name`: on PATH, or of the newest PostgreSQL where Debian keeps it. Raises BackupError."""
    found = shutil.which(name)
    if found is None:
        places = Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
        versions = {int(place.parts[-3]): str(place) for place in places if place.parts[-3].isdigit()}
        found = versions[max(versions)] if versions else None
    if found is None:
        raise BackupError(f"{name} is not on PATH: install PostgreSQL's client programs, of the server's version.")
    return found


def _hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _add_text(archive: tarfile.TarFile, path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    archive.add(path, arcname=path.name, filter=_plain)


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o600
    return entry


@contextmanager
def _member(archive: tarfile.TarFile, name: str) -> Iterator[IO[bytes]]:
    """One file of an archive, read as a stream: nothing is ever unpacked to where an archive says."""
    entry = archive.getmember(name)
    file = archive.extractfile(entry) if entry.isfile() else None
    if file is None:
        raise KeyError(name)
    with file:
        yield file
