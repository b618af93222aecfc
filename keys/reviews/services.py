"""What an owner does with a review: revoke what should go, and approve the rest. Each with its audit event."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from keys import services
from keys.errors import LifecycleError
from keys.models import Key
from keys.oauth import connections
from keys.oauth.models import Connection
from keys.reviews.models import Review
from portal.audit.services import Target, record
from portal.logs import redact

if TYPE_CHECKING:
    from portal.accounts.models import User
    from portal.audit.actors import Actor


class AlreadyApproved(LifecycleError):
    """Another owner was first."""

    code = "already_approved"
    default = "This review was approved already."


@transaction.atomic
def revoke_rows(*, review: Review, ids: Collection[str], actor: Actor) -> int:
    """Revoke those keys and connections of the review that `ids` names; returns how many were in force until now.

    Only what stands in the review and belongs to its company is touched. Raises AlreadyApproved.
    """
    review = _open(review)
    wanted = {row["id"] for row in review.rows} & set(ids)
    reason = f"Access review of {review.month:%B %Y}"
    keys = Key.objects.filter(company=review.company_id, pk__in=wanted).order_by("pk").values_list("pk", flat=True)
    count = services.revoke_keys(key_ids=keys, reason=reason, actor=actor)
    found = Connection.objects.filter(company=review.company_id, pk__in=wanted, revoked_at=None)
    return count + connections.revoke_many(connections=found, reason=reason, actor=actor)


@transaction.atomic
def approve(*, review: Review, user: User, actor: Actor, ids: Collection[str] = (), note: str = "") -> Review:
    """Revoke `ids` and approve the whole review, as `user`. Raises AlreadyApproved."""
    review = _open(review)
    revoked = revoke_rows(review=review, ids=ids, actor=actor)
    review.approved_at, review.approved_by, review.note = timezone.now(), user, redact(note.strip())[:500]
    review.save(update_fields=["approved_at", "approved_by", "note"])
    record(
        "review:approved", actor=actor, company=review.company_id, target=target(review), reason=review.note,
        data={"rows": len(review.rows), "revoked": revoked},
    )  # fmt: skip
    return review


def target(review: Review) -> Target:
    """The review as an audit event names it."""
    return Target("review", review.pk, f"{review.month:%B %Y}")


def _open(review: Review) -> Review:
    review = Review.objects.select_for_update().get(pk=review.pk)
    if not review.is_open:
        raise AlreadyApproved(_("This review was approved already. What it says is kept as it is."))
    return review
