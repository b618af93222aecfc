"""Writing down what failed and what ran; running a failed task again; forgetting what is old."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from celery import current_app
from django.contrib.sessions.backends.db import SessionStore
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from portal.audit.services import Target, record
from portal.jobs.errors import AlreadySettled, NotReplayable, QueueAway
from portal.jobs.models import DeadLetter, Outcome, RegularRun
from portal.logs import redact

if TYPE_CHECKING:
    from portal.audit.actors import Actor

KEPT: Final = timedelta(days=30)
# One broken receiver or release must not fill the table: the rest of a flood is in the log.
MOST_OPEN: Final = 1000
_ADDRESS: Final = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"|\([^()]*\)=\([^()]*\)")
_id = re.compile(r"[0-9A-Za-z_-]{1,64}").fullmatch


def note_failure(
    *,
    task: str,
    task_id: str,
    queue: str,
    error: BaseException,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    retries: int = 0,
) -> DeadLetter | None:
    """Write down that `task` failed for good; None if too many of its failures are open already."""
    if DeadLetter.objects.filter(task=task, settled_at=None)[:MOST_OPEN].count() >= MOST_OPEN:
        return None
    letter, _made = DeadLetter.objects.update_or_create(
        task_id=task_id,
        defaults={
            "task": task,
            "queue": queue,
            "arguments": _ids(task, args, kwargs),
            "error": type(error).__name__[:120],
            "message": without_data(str(error))[:500],
            "retries": retries,
            "failed_at": timezone.now(),
            "outcome": "",
            "settled_at": None,
        },
    )
    return letter


def note_run(*, task: str, duration: timedelta, error: str = "", now: datetime | None = None) -> None:
    """Write down that a task of the beat schedule ended; `error` is the name of what went wrong, '' for nothing."""
    now = now or timezone.now()
    facts: dict[str, Any] = {
        "finished_at": now,
        "duration_ms": int(duration.total_seconds() * 1000),
        "error": error[:120],
    }
    if not error:
        facts["succeeded_at"] = now
    RegularRun.objects.update_or_create(task=task, defaults=facts)


@transaction.atomic
def replay(*, letter: DeadLetter, actor: Actor) -> DeadLetter:
    """Run the task again with the same ids. Raises AlreadySettled, NotReplayable, QueueAway."""
    letter = _open(letter)
    if not can_replay(letter):
        raise NotReplayable
    _settle(letter, Outcome.REPLAYED, actor)
    try:
        # In the transaction: with the broker away, nothing happened. Replayable tasks may run twice.
        known_tasks()[letter.task].apply_async(args=letter.arguments, retry=False)
    except (OperationalError, OSError) as error:
        raise QueueAway from error
    return letter


@transaction.atomic
def dismiss(*, letter: DeadLetter, actor: Actor) -> DeadLetter:
    """Note that nothing has to be done about the failure. Raises AlreadySettled."""
    return _settle(_open(letter), Outcome.DISMISSED, actor)


def can_replay(letter: DeadLetter) -> bool:
    """Whether the task exists, says that it can be repeated, and its arguments were kept."""
    return letter.is_open and letter.arguments is not None and _is_replayable(letter.task)


def purge(now: datetime | None = None) -> int:
    """Delete failures older than KEPT, and sessions that ended. Returns how many failures."""
    now = now or timezone.now()
    deleted, _by_model = DeadLetter.objects.filter(failed_at__lt=now - KEPT).delete()
    SessionStore.clear_expired()
    return deleted


def without_data(text: str) -> str:
    """The message of an exception without what may be somebody's: values in quotes, addresses, secrets; one line."""
    return " ".join(redact(_ADDRESS.sub("[address]", _QUOTED.sub("[…]", text))).split())


def _ids(task: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[str] | None:
    if kwargs or not _is_replayable(task):
        return None
    return list(args) if all(isinstance(argument, str) and _id(argument) for argument in args) else None


def _is_replayable(task: str) -> bool:
    return bool(getattr(known_tasks().get(task), "replayable", False))


def known_tasks() -> Mapping[str, Any]:
    """Every task by name. A web process imports them when it first asks; a worker has them from its start."""
    current_app.loader.import_default_modules()
    return current_app.tasks


def _open(letter: DeadLetter) -> DeadLetter:
    letter = DeadLetter.objects.select_for_update().get(pk=letter.pk)
    if not letter.is_open:
        raise AlreadySettled
    return letter


def _settle(letter: DeadLetter, outcome: Outcome, actor: Actor) -> DeadLetter:
    letter.outcome, letter.settled_at = outcome, timezone.now()
    letter.save(update_fields=["outcome", "settled_at"])
    record(f"job:{outcome}", actor=actor, company=None, target=Target("job", letter.pk, letter.task))
    return letter
