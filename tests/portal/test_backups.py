"""Backups are whole, hold no secret, and come back: on SQLite, and on PostgreSQL where it is installed."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from tests import migrated
from tests.keys.throwaway import ThrowawayPostgres, has_postgres

ROOT = Path(__file__).resolve().parent.parent.parent
pytestmark = pytest.mark.processes


class Portal:
    """A data folder, a database, and the commands on both."""

    def __init__(self, folder: Path, url: str = "") -> None:
        self.folder = folder
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("LATCHKEY_")}
        self.environment |= {"LATCHKEY_DATA": str(folder), "PYTHONPATH": str(ROOT)}
        self.environment.pop("REDIS_URL", None)
        self.environment["DATABASE_URL"] = url or f"sqlite://{folder}/latchkey.sqlite3"

    def run(self, *arguments: str, code: int = 0) -> str:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def is_valid(self, key: str, credential: str) -> bool:
        script = (
            "import django; django.setup()\n"
            "from keys.verification import Question, verify\n"
            f"print(verify({credential!r}, Question({key!r}))['code'])"
        )
        environment = self.environment | {"DJANGO_SETTINGS_MODULE": "portal.settings"}
        done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True)
        return done.stdout.strip() == "VALID"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Portal, str, str]:
    """A portal on SQLite with demo data, a key and a credential."""
    portal = Portal(tmp_path_factory.mktemp("filled"))
    migrated.copy(portal.folder / "latchkey.sqlite3", tmp_path_factory)
    return portal, *fill(portal)


def fill(portal: Portal) -> tuple[str, str]:
    facts = portal.run("demo", "--json")
    tokens = {part for part in facts.replace('"', " ").split() if part.startswith("lk_")}
    return (next(one for one in tokens if one.startswith("lk_test_")),
            next(one for one in tokens if one.startswith("lk_srv_")))  # fmt: skip


@pytest.fixture(scope="module")
def archive(filled: tuple[Portal, str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archives")
    out = filled[0].run("backup", str(folder))
    assert "LATCHKEY_PEPPERS and LATCHKEY_SECRET_KEY are not in this archive" in out
    (path,) = folder.iterdir()
    return path


def empty(tmp_path: Path, like: Portal) -> Portal:
    """Another portal with the same secrets and no database."""
    folder = tmp_path / "empty"
    folder.mkdir()
    shutil.copy(like.folder / "secrets.json", folder)
    return Portal(folder)


def test_a_backup_comes_back_on_sqlite(filled, archive, tmp_path):
    portal, key, credential = filled
    restored = empty(tmp_path, portal)
    out = restored.run("restore", str(archive))
    assert "Every chain of the audit record holds." in out
    assert "is in force again" in out
    assert restored.is_valid(key, credential)
    assert "0 do not" in restored.run("verify_audit")


def test_an_archive_is_for_its_owner_alone_and_holds_no_secret(filled, archive):
    portal, key, _credential = filled
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    everything = archive.read_bytes()
    for secret in json.loads((portal.folder / "secrets.json").read_text()).values():
        assert secret.partition(":")[2].encode() not in everything or not secret.partition(":")[2]
        assert secret.encode() not in everything
    assert key.encode() not in everything
    with tarfile.open(archive) as opened:
        assert opened.getnames() == ["manifest.json", "database.sqlite3"]
        manifest = json.load(opened.extractfile("manifest.json"))
    assert manifest["engine"] == "sqlite"
    assert manifest["peppers"] == ["dev"]
    assert "0002_append_only" in manifest["migrations"]["audit"]


def test_a_database_that_is_not_empty_is_replaced_only_by_force(filled, archive, tmp_path):
    portal, key, credential = filled
    copy = empty(tmp_path, portal)
    with (
        sqlite3.connect(portal.folder / "latchkey.sqlite3") as source,
        sqlite3.connect(copy.folder / "latchkey.sqlite3") as target,
    ):
        source.backup(target)
        target.execute("UPDATE keys_key SET revoked_at = '2026-01-01 00:00:00'")
        target.commit()
    assert not copy.is_valid(key, credential)
    assert "not empty" in copy.run("restore", str(archive), code=1)
    assert not copy.is_valid(key, credential)
    copy.run("restore", str(archive), "--force")
    assert copy.is_valid(key, credential)


def changed(archive: Path, to: Path, *, manifest: dict | None = None, damage: bool = False) -> Path:
    """A copy of the archive with another manifest, or a byte of the database flipped."""
    with tarfile.open(archive) as source, tarfile.open(to, "w") as target:
        for entry in source:
            data = source.extractfile(entry).read()
            if entry.name == "manifest.json":
                data = json.dumps(json.loads(data) | (manifest or {})).encode()
            elif damage:
                data = data[:5000] + bytes([data[5000] ^ 1]) + data[5001:]
            entry.size = len(data)
            target.addfile(entry, BytesIO(data))
    return to


def test_what_does_not_fit_is_refused_and_nothing_is_changed(filled, archive, tmp_path):
    restored = empty(tmp_path, filled[0])
    newer = {"audit": ["0001_initial", "0999_of_next_year"]}
    for name, change, words in [
        ("damaged.tar", {"damage": True}, "is damaged"),
        ("newer.tar", {"manifest": {"migrations": newer}}, "newer than this code"),
        ("foreign.tar", {"manifest": {"migrations": {"nobodys": ["0001_initial"]}}}, "newer than this code"),
        ("later.tar", {"manifest": {"format": 2}}, "later version"),
        ("other.tar", {"manifest": {"engine": "postgresql"}}, "is of postgresql"),
    ]:
        assert words in restored.run("restore", str(changed(archive, tmp_path / name, **change)), code=1)
    (tmp_path / "none.tar").write_text("nothing")
    assert "no archive of Latchkey" in restored.run("restore", str(tmp_path / "none.tar"), code=1)
    assert "no archive of Latchkey" in restored.run("restore", str(tmp_path / "missing.tar"), code=1)


def test_a_tampered_record_and_a_missing_pepper_are_told_after_restoring(filled, tmp_path):
    portal, _key, _credential = filled
    tampered = empty(tmp_path, portal)
    with (
        sqlite3.connect(portal.folder / "latchkey.sqlite3") as source,
        sqlite3.connect(tampered.folder / "latchkey.sqlite3") as target,
    ):
        source.backup(target)
        target.execute("DROP TRIGGER audit_no_update")
        target.execute("UPDATE audit_auditevent SET reason = 'harmless' WHERE number = 1 AND chain = 'platform'")
        target.commit()
    tampered.run("backup", str(tmp_path / "out"))
    (path,) = (tmp_path / "out").iterdir()
    other = Portal(tmp_path / "other")
    other.folder.mkdir()
    (other.folder / "secrets.json").write_text(
        json.dumps({"secret_key": "x" * 60, "peppers": "new:" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="})
    )
    out = other.run("restore", str(path), code=1)
    assert "platform: 0 events hold; then event 1 was changed" in out
    assert "LATCHKEY_PEPPERS lacks dev" in out


def test_only_the_newest_are_kept(filled, tmp_path):
    for day in range(1, 5):
        (tmp_path / f"latchkey-2026010{day}T000000Z.tar").write_text("old")
    (tmp_path / "something-else.tar").write_text("mine")
    filled[0].run("backup", str(tmp_path), "--keep", "2")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 3
    assert names[0] == "latchkey-20260104T000000Z.tar"
    assert names[-1] == "something-else.tar"


@pytest.mark.skipif(not has_postgres(), reason="PostgreSQL is not installed")
def test_a_backup_comes_back_on_postgresql(tmp_path):
    postgres = ThrowawayPostgres(tmp_path)
    try:
        postgres.make()
        portal = Portal(tmp_path / "data", postgres.url)
        portal.folder.mkdir()
        portal.run("migrate", "-v", "0")
        key, credential = fill(portal)
        portal.run("backup", str(tmp_path / "out"))
        (path,) = (tmp_path / "out").iterdir()
        postgres.create("another")
        restored = Portal(portal.folder, postgres.url_of("another"))
        out = restored.run("restore", str(path))
        assert "Every chain of the audit record holds." in out
        assert restored.is_valid(key, credential)
        assert "not empty" in restored.run("restore", str(path), code=1)
        restored.run("restore", str(path), "--force")
        assert restored.is_valid(key, credential)
    finally:
        postgres.remove()
