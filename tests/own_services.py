"""A database and a Redis of one's own for each portal that tests start."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import psycopg
from psycopg import sql
from pytest import TempPathFactory

from tests import migrated

# 0 to 7 belong to the test processes themselves (tests/conftest.py).
_FIRST_REDIS: Final = {"stack": 8, "portal": 12}


def own_services(portal: str, data: Path, temporary: TempPathFactory) -> dict[str, str]:
    """A migrated database and a Redis database for this `portal` ("stack", "portal") alone, as variables to set.

    On the servers that the environment names; the database in its folder `data`, and no Redis, where it names none.
    Every test process starts a portal of its own; two of them would fill, and empty, the same one.
    """
    own, environment = {}, os.environ
    if environment.get("DATABASE_URL", "").startswith("postgres"):
        name = f"latchkey_{portal}_{os.getpid()}"
        template = sql.Identifier(migrated.database(environment["DATABASE_URL"], temporary))
        with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), template))
        own["DATABASE_URL"] = urlsplit(environment["DATABASE_URL"])._replace(path=f"/{name}").geturl()
    else:
        migrated.copy(data / "latchkey.sqlite3", temporary)
    if environment.get("REDIS_URL"):
        number = _FIRST_REDIS[portal] + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
        own["REDIS_URL"] = urlsplit(environment["REDIS_URL"])._replace(path=f"/{number}").geturl()
    return own
