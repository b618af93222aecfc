"""Reading runs, failures and queues."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from celery import current_app
from celery.schedules import crontab
from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from kombu.exceptions import ChannelError, OperationalError
from redis.exceptions import RedisError

from portal.jobs.models import DeadLetter, RegularRun

FAILED, LATE, FINE = "failed", "late", "ok"
# A run may be this much later than due: a busy queue is no fault yet.
PATIENCE: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Regular:
    """A task of the beat schedule: its name, how often it runs, and its last run."""

    task: str
    often: str
    interval: timedelta
    run: RegularRun | None

    def is_late(self, now: datetime) -> bool:
        """Whether it ran once, and should have run again by now."""
        return self.run is not None and now - self.run.finished_at > 2 * self.interval + PATIENCE

    @property
    def state(self) -> str:
        """`failed`, `late` or `ok`; '' before its first run."""
        if self.run is None:
            return ""
        if self.run.error:
            return FAILED
        return LATE if self.is_late(timezone.now()) else FINE


def open_failures() -> QuerySet[DeadLetter]:
    """Failures that nobody has dealt with."""
    return DeadLetter.objects.filter(settled_at=None)


def failures(*, open_only: bool = False) -> QuerySet[DeadLetter]:
    """Failures, the latest first."""
    return open_failures() if open_only else DeadLetter.objects.all()


def regular_tasks() -> list[Regular]:
    """The beat schedule with the last run of each task: one query."""
    runs = RegularRun.objects.in_bulk()
    return [
        Regular(entry["task"], _often(entry["schedule"]), _interval(entry["schedule"]), runs.get(entry["task"]))
        for entry in settings.CELERY_BEAT_SCHEDULE.values()
    ]


def state() -> str:
    """For health: `failed` while a failure waits for a person, `late` if a regular task is overdue, else `ok`."""
    if open_failures().exists():
        return FAILED
    now = timezone.now()
    return LATE if any(regular.is_late(now) for regular in regular_tasks()) else FINE


def queue_lengths() -> dict[str, int | None]:
    """Queue → messages that wait in it; None where the broker does not say."""
    names = [queue.name for queue in current_app.conf.task_queues or ()]
    try:
        with current_app.connection_for_read() as connection, connection.channel() as channel:
            return {name: _length(channel, name) for name in names}
    except (OperationalError, RedisError, OSError):
        return dict.fromkeys(names)


def _length(channel: Any, name: str) -> int:
    try:
        return int(channel.queue_declare(queue=name, passive=True).message_count)
    except ChannelError:  # Redis has no list for a queue in which nothing waits
        return 0


def _interval(schedule: float | crontab) -> timedelta:
    if not isinstance(schedule, crontab):
        return timedelta(seconds=schedule)
    return timedelta(hours=1) if len(schedule.hour) == 24 else timedelta(days=1)


def _often(schedule: float | crontab) -> str:
    if not isinstance(schedule, crontab):
        seconds = int(schedule)
        if seconds % 60:
            return _("every %(number)s s") % {"number": seconds}
        return _("every %(number)s min") % {"number": seconds // 60}
    minute = f"{min(schedule.minute):02}"
    if len(schedule.hour) == 24:
        return _("every hour at :%(minute)s") % {"minute": minute}
    return _("every day at %(time)s UTC") % {"time": f"{min(schedule.hour):02}:{minute}"}
