"""Whether this process, and what it needs, works: for load balancers, containers and `manage.py up`.

`/healthz/live` says that the process answers. `/healthz/ready` (and `/healthz/`) says whether it can serve: `ok`;
`degraded` when everything works, more slowly or later (Redis or the worker is away, a task failed for good and waits
for somebody at /staff/jobs/, or a regular one is late), or when an audit chain does not verify; `failing`, with 503,
when it cannot (the database is away, or lacks a migration). Neither tells hosts, names or secrets.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from functools import cache
from typing import Final

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from redis import Redis
from redis.exceptions import RedisError

OK, DEGRADED, FAILING = "ok", "degraded", "failing"
HEARTBEAT_SECONDS: Final = 5
WORKER_LATE_AFTER: Final = 30
_HEARTBEAT_KEY: Final = "latchkey:heartbeat"


@dataclass(frozen=True, slots=True)
class Report:
    """`status` is `ok`, `degraded` or `failing`; `components` says `ok` or what is wrong, by name."""

    status: str
    components: dict[str, str]


def report() -> Report:
    """Look at everything that this process needs. Costs four queries, and one round trip to Redis if there is one."""
    components = {"database": _database()}
    if components["database"] == OK:
        components["migrations"] = _migrations()
    failing = any(state != OK for state in components.values())
    if settings.REDIS_URL:
        components["redis"] = _redis_state()
    components["worker"] = _worker()
    if components.get("migrations") == OK:
        components["jobs"] = _jobs()
        components["audit"] = _audit()
    if failing:
        return Report(FAILING, components)
    return Report(OK if all(state == OK for state in components.values()) else DEGRADED, components)


@never_cache
@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """200 as long as the process answers."""
    return JsonResponse({"status": OK})


@never_cache
@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """200 when requests can be served, though perhaps `degraded`; otherwise 503 with `Retry-After`."""
    found = report()
    body = {
        "status": found.status,
        "version": settings.VERSION,
        "time": timezone.now().isoformat(timespec="seconds"),
        "components": found.components,
    }
    if found.status == FAILING:
        return JsonResponse(body, status=503, headers={"Retry-After": "5"})
    return JsonResponse(body)


def note_heartbeat() -> None:
    """Record that a worker ran a task now. Called by the task `portal.tasks.heartbeat`."""
    if settings.REDIS_URL:
        _redis().set(_HEARTBEAT_KEY, str(time.time()), ex=3600)
    else:
        settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
        draft = settings.DATA_DIR / f"heartbeat.{threading.get_native_id()}"
        draft.write_text(str(time.time()), encoding="ascii")
        draft.replace(settings.DATA_DIR / "heartbeat")  # in one step: nobody reads half a number


def heartbeat_age() -> float | None:
    """Seconds since a worker last ran the heartbeat task; None if never, or if that cannot be known."""
    try:
        if settings.REDIS_URL:
            noted = _redis().get(_HEARTBEAT_KEY)
            text = noted.decode("ascii") if isinstance(noted, bytes) else ""
        else:
            text = (settings.DATA_DIR / "heartbeat").read_text(encoding="ascii")
        return max(0.0, time.time() - float(text))
    except (RedisError, OSError, ValueError):
        return None


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        connection.close()
        return "away"
    return OK


# Migrations only ever become applied while a process lives, so a good answer is kept: reading them costs 50 ms.
_applied: set[str] = set()


def _migrations() -> str:
    if connection.alias not in _applied:
        try:
            executor = MigrationExecutor(connection)
            if executor.migration_plan(executor.loader.graph.leaf_nodes()):
                return "pending"
        except DatabaseError:
            return "unknown"
        _applied.add(connection.alias)
    return OK


def _redis_state() -> str:
    try:
        _redis().ping()
    except RedisError:
        return "away"
    return OK


def _worker() -> str:
    age = heartbeat_age()
    if age is None:
        return "away"
    return OK if age < WORKER_LATE_AFTER else "late"


def _jobs() -> str:
    from portal.jobs import selectors  # needs the models, which this module is imported before

    try:
        return selectors.state()
    except DatabaseError:
        return "unknown"


def _audit() -> str:
    from portal.audit import verifying

    try:
        return "tampered" if verifying.has_fault() else OK
    except DatabaseError:
        return "unknown"


@cache
def _client(url: str) -> Redis:
    return Redis.from_url(url, socket_connect_timeout=0.5, socket_timeout=0.5)


def _redis() -> Redis:
    return _client(settings.REDIS_URL)
