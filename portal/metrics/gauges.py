"""How things stand at the moment somebody asks. A part that cannot be read is left out, and said so."""

from __future__ import annotations

import logging
from collections import Counter as Tally
from collections.abc import Callable, Iterator
from typing import Final

from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone
from redis import Redis
from redis.exceptions import RedisError

from portal import health

log = logging.getLogger(__name__)
Value = tuple[str, tuple[str, ...], float]


def read() -> list[Value]:
    """Every gauge: name, labels, value. Costs a handful of queries by index and one round trip to Redis."""
    values: list[Value] = [("latchkey_info", (settings.VERSION,), 1.0)]
    for part, reader in PARTS.items():
        try:
            values += list(reader())
            failed = 0.0
        except (DatabaseError, RedisError, OSError) as error:
            log.warning("the metrics of %s cannot be read: %s", part, type(error).__name__)
            failed = 1.0
        values.append(("latchkey_scrape_failed", (part,), failed))
    return values


def _components() -> Iterator[Value]:
    for name, state in health.report().components.items():
        yield "latchkey_up", (name,), float(state == health.OK)
    if (age := health.heartbeat_age()) is not None:
        yield "latchkey_worker_heartbeat_age_seconds", (), age


def _queues() -> Iterator[Value]:
    names = sorted({settings.CELERY_TASK_DEFAULT_QUEUE, *(r["queue"] for r in settings.CELERY_TASK_ROUTES.values())})
    if settings.REDIS_URL:
        redis = Redis.from_url(settings.REDIS_URL, socket_connect_timeout=0.5, socket_timeout=0.5)
        try:
            with redis.pipeline(transaction=False) as pipe:
                for name in names:
                    pipe.llen(name)
                lengths = dict(zip(names, pipe.execute(), strict=True))
        finally:
            redis.close()
    else:
        folder = settings.DATA_DIR / "queue" / "messages"
        found = Tally(path.name.split(".")[-2] for path in folder.glob("*.msg")) if folder.is_dir() else Tally()
        lengths = {name: found[name] for name in names}
    for name in names:
        yield "latchkey_queue_length", (name,), float(lengths[name])


def _database() -> Iterator[Value]:
    from keys.models import FeedHead
    from keys.webhooks.models import Delivery, DeliveryState
    from portal.jobs.selectors import open_failures

    now = timezone.now()
    waiting = Delivery.objects.filter(state=DeliveryState.PENDING, endpoint__disabled_at__isnull=True)
    due = waiting.filter(next_attempt_at__lte=now).order_by("next_attempt_at")
    oldest = due.values_list("next_attempt_at", flat=True).first()
    yield "latchkey_webhooks_pending", (), float(waiting.count())
    yield "latchkey_webhooks_overdue_seconds", (), (now - oldest).total_seconds() if oldest else 0.0
    yield "latchkey_failed_tasks", (), float(open_failures().count())
    number = FeedHead.objects.filter(pk=1).values_list("number", flat=True).first()
    yield "latchkey_feed_number", (), float(number or 0)


PARTS: Final[dict[str, Callable[[], Iterator[Value]]]] = {
    "health": _components,
    "queues": _queues,
    "database": _database,
}
