"""Moving digests from an old pepper to the newest one, at the next good use of each token, off the hot path.

A digest can only be made anew from the token itself, and only whoever holds it has that: so it is done when the token
is shown and good. What is kept in memory until then is the new digest, never the token.
docs/decisions/pepper-rotation.md says why this way.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import Count, Q
from django.utils import timezone

from keys import tokens
from keys.once_read import once_read

if TYPE_CHECKING:
    from django.db.models import Model, QuerySet

log = logging.getLogger(__name__)

MOST_WAITING: Final = 10_000


@dataclass(frozen=True, slots=True)
class Use:
    """How many tokens of a kind have a digest under a pepper: those still in force, and those that are over."""

    pepper: str
    kind: str
    in_force: int
    over: int


@once_read
def peppers() -> Mapping[str, bytes]:
    """All peppers by id, the newest first (settings.PEPPERS)."""
    found: Mapping[str, bytes] = settings.PEPPERS
    return found


@once_read
def newest() -> tuple[str, bytes]:
    """The id and the value of the pepper under which digests are made now."""
    return next(iter(peppers().items()))


class Redigests:
    """New digests that wait to be written. Safe to call from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[tuple[str, str], tuple[str, bytes, str, bytes]] = {}

    def note(self, kind: str, identifier: str, text: str, pepper: str, digest: bytes) -> None:
        """`text`, the token with this id, was good under `pepper`: if that is an old one, make the new digest."""
        name, value = newest()
        if pepper == name or (kind, identifier) in self._waiting or len(self._waiting) >= MOST_WAITING:
            return
        new = tokens.digest(text, value)
        with self._lock:
            self._waiting[kind, identifier] = (pepper, bytes(digest), name, new)

    @property
    def is_waiting(self) -> bool:
        """Whether there is anything to write."""
        return bool(self._waiting)

    def flush(self) -> int:
        """Write what waits; how many were. What cannot be written now is noted again at its next use."""
        if not self._waiting:
            return 0
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        try:
            with transaction.atomic():
                return sum(self._write(*place, *values) for place, values in sorted(waiting.items()))
        except DatabaseError:
            log.warning("%s digests stay under an old pepper for now", len(waiting))
            return 0

    @staticmethod
    def _write(kind: str, identifier: str, pepper: str, digest: bytes, newest: str, new: bytes) -> int:
        # Only if it is still the digest that was seen: of two processes one writes.
        rows: Any = _models()[kind].objects.filter(pk=identifier, pepper=pepper, digest=digest)  # type: ignore[attr-defined]
        return int(rows.update(digest=new, pepper=newest))


redigests = Redigests()


def counts() -> list[Use]:
    """Which peppers have digests, by kind: one query a kind."""
    found = []
    for kind in _models():
        rows = _of_kind(kind).values("pepper").annotate(all=Count("pk"), live=Count("pk", filter=_in_force(kind)))
        found += [Use(row["pepper"], kind, row["live"], row["all"] - row["live"]) for row in rows.order_by("pepper")]
    return found


def ids_in_use() -> list[str]:
    """The peppers that something in force needs."""
    return sorted({use.pepper for use in counts() if use.in_force})


def under(pepper: str) -> list[tuple[str, Any]]:
    """What is in force under `pepper`: kind and row, those that were used least lately first."""
    found: list[tuple[str, Any]] = []
    for kind in ("key", "credential", "token"):
        found += [(kind, row) for row in _of_kind(kind).filter(_in_force(kind), pepper=pepper).defer("digest")]
    return sorted(found, key=lambda pair: (pair[1].last_used_at is not None, pair[1].last_used_at or 0))


def _models() -> dict[str, type[Model]]:
    from keys.models import Key, ManagementToken, ServerCredential
    from keys.oauth.models import AccessValue

    return {"key": Key, "credential": ServerCredential, "token": ManagementToken, "access": AccessValue}


def _of_kind(kind: str) -> QuerySet[Any]:
    rows: QuerySet[Any] = _models()[kind]._default_manager.order_by()
    return rows


def _in_force(kind: str) -> Q:
    now = timezone.now()
    if kind == "access":
        return Q(expires_at__gt=now)
    not_over = Q(expires_at=None) | Q(expires_at__gt=now)
    return not_over & (Q(overlap_ends_at=None) | Q(overlap_ends_at__gt=now)) & Q(revoked_at=None)
