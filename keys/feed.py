"""The invalidation feed: what verifiers must forget. Written in the transaction of the act itself.

Numbers are given out under a lock on one row, so that they become visible in their order: a reader that has seen
number n has seen all that came before, whatever committed when.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from keys import hotstore
from keys.models import FeedEvent, FeedHead, Key
from portal import metrics

KEPT = timedelta(days=1)
MOST_EVENTS = 1000


@dataclass(frozen=True, slots=True)
class Forget:
    """What the verifiers of one server forget: one key, all keys of a company, or (neither given) everything."""

    server_id: str
    key_id: str = ""
    company_id: str = ""


def publish(items: Iterable[Forget]) -> None:
    """Append `items` to the feed. The caller is in the transaction of the act; the lock lasts to its end."""
    items = list(items)
    if not items:
        return
    FeedHead.objects.get_or_create(pk=1)
    head = FeedHead.objects.select_for_update().get(pk=1)
    now = timezone.now()
    FeedEvent.objects.bulk_create(
        [
            FeedEvent(number=head.number + place, server_id=item.server_id, key_id=item.key_id,
                      company_id=item.company_id, at=now)
            for place, item in enumerate(items, 1)
        ],
        batch_size=1000,
    )  # fmt: skip
    head.number += len(items)
    head.save(update_fields=["number"])
    key_ids = {item.key_id for item in items}
    # Before the act returns: from then on no web process believes what Redis kept.
    transaction.on_commit(lambda: hotstore.forget(key_ids=key_ids - {""}, everything="" in key_ids))


def publish_company(company_id: str) -> None:
    """Tell every server for which the company has keys to forget that company."""
    servers = Key.objects.filter(company_id=company_id).order_by().values_list("server_id", flat=True).distinct()
    publish(Forget(server_id, company_id=company_id) for server_id in servers)


@dataclass(frozen=True, slots=True)
class Page:
    """Part of the feed: the cursor to go on from, and what to forget."""

    cursor: str
    events: list[dict[str, str | bool]]


def read(server_id: str, after: str | None) -> Page:
    """What `server_id` has to forget since the cursor `after` (None: nothing, just the present cursor).

    A cursor that is not known (too old, from another database) answers "forget all". Two queries by index.
    """
    head = FeedHead.objects.filter(pk=1).values_list("number", flat=True).first() or 0
    if after is None:
        return Page(str(head), [])
    if not (after.isascii() and after.isdigit() and len(after) < 19) or int(after) > head:
        return Page(str(head), [{"all": True}])
    if int(after) == head:
        return Page(after, [])
    oldest = FeedEvent.objects.order_by("number").values_list("number", flat=True).first() or head + 1
    if int(after) < oldest - 1:
        return Page(str(head), [{"all": True}])
    rows = list(
        FeedEvent.objects.filter(server_id=server_id, number__gt=int(after), number__lte=head)
        .order_by("number")
        .values_list("number", "key_id", "company_id", "at")[: MOST_EVENTS + 1]
    )
    if rows:
        metrics.observe("latchkey_feed_lag_seconds", max(0.0, (timezone.now() - rows[0][3]).total_seconds()))
    if len(rows) > MOST_EVENTS:
        return Page(str(head), [{"all": True}])
    events: list[dict[str, str | bool]] = []
    for _number, key_id, company_id, _at in rows:
        events.append({"key_id": key_id} if key_id else {"company_id": company_id} if company_id else {"all": True})
    return Page(str(head), events)


def purge() -> int:
    """Delete events older than a day; a verifier that slept longer is told to forget all. Returns how many."""
    with transaction.atomic():
        deleted, _ = FeedEvent.objects.filter(at__lt=timezone.now() - KEPT).delete()
    return deleted
