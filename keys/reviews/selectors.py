"""Reading reviews: the rows as they were, with what has become of each since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet

from keys.models import Key
from keys.oauth.models import Connection
from keys.reviews.models import Review
from keys.reviews.words import ADVICE, KINDS, why
from portal.accounts.models import User
from portal.companies.models import Company


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a review for a page. `revoked_at`: when it was revoked since; `in_force`: whether it can be."""

    id: str
    kind: str
    kind_words: str
    name: str
    hint: str
    person: str
    server: str
    scopes: list[str]
    created_at: datetime | None
    last_used_at: datetime | None
    expires_at: datetime | None
    advice: str
    advice_words: str
    tone: str
    why: str
    revoked_at: datetime | None
    in_force: bool


def company_reviews(company: Company) -> QuerySet[Review]:
    """The reviews of `company`, latest first, without their rows."""
    return company.reviews.select_related("approved_by").defer("rows").order_by("-month", "-id")


def company_review(company: Company, review_id: str) -> Review | None:
    """The review `review_id` of `company`; another company's is as good as none."""
    return company.reviews.select_related("company", "approved_by").filter(pk=review_id).first()


def lines(review: Review, rows: Sequence[dict[str, Any]]) -> list[Line]:
    """`rows` of `review` with names and what has become of them: three queries."""
    ids = {row["id"] for row in rows}
    keys = {one.pk: one for one in Key.objects.filter(company=review.company_id, pk__in=ids).defer("digest")}
    connections = {one.pk: one for one in Connection.objects.filter(company=review.company_id, pk__in=ids)}
    people = User.objects.in_bulk({row["user"] for row in rows})
    found = []
    for row in rows:
        now = keys.get(row["id"]) or connections.get(row["id"])
        words, tone = ADVICE.get(row["advice"], (row["advice"], "neutral"))
        found.append(
            Line(
                row["id"], row["kind"], str(KINDS.get(row["kind"], row["kind"])), row["name"], row["hint"],
                str(people.get(row["user"], "")), row["server"], row["scopes"], _moment(row["created_at"]),
                _moment(row["last_used_at"]), _moment(row["expires_at"]), row["advice"], str(words), tone, why(row),
                now.revoked_at if now else None, bool(now and now.is_usable),
            )
        )  # fmt: skip
    return found


def open_counts() -> list[dict[str, Any]]:
    """Month → how many reviews were made and how many are open, latest first, for staff: one query."""
    months = Review.objects.order_by("-month").values("month")
    counted = months.annotate(made=Count("pk"), open=Count("pk", filter=Q(approved_at=None)))
    return [dict(row) for row in counted[:24]]


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
