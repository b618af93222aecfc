"""Telling owners that a review waits for them, and once more after two weeks."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.urls import reverse
from django.utils import timezone

from keys.reviews.models import Review
from portal.accounts import mails
from portal.accounts.models import User
from portal.companies.models import CompanyState
from portal.companies.roles import Role

REMINDED_AFTER: Final = timedelta(days=14)
AT_ONCE: Final = 500


def tell_waiting(now: datetime | None = None) -> int:
    """Send what waits: of new reviews, and of those open for two weeks. Each mail goes out once. How many reviews."""
    now = now or timezone.now()
    waiting = Review.objects.filter(approved_at=None, company__state=CompanyState.ACTIVE).select_related("company")
    told = sum(_tell(one, "told_at", now) for one in waiting.filter(told_at=None).order_by("created_at")[:AT_ONCE])
    late = waiting.filter(created_at__lte=now - REMINDED_AFTER, reminded_at=None, told_at__isnull=False)
    return told + sum(_tell(one, "reminded_at", now) for one in late.order_by("created_at")[:AT_ONCE])


def _tell(review: Review, field: str, now: datetime) -> bool:
    # Taken before it is sent: of two workers one sends.
    if not Review.objects.filter(pk=review.pk, approved_at=None, **{field: None}).update(**{field: now}):
        return False
    try:
        for message in messages(review, reminding=field == "reminded_at"):
            message.send()
    except Exception:
        Review.objects.filter(pk=review.pk).update(**{field: None})
        raise
    return True


def messages(review: Review, *, reminding: bool = False) -> list[EmailMultiAlternatives]:
    """One mail for each owner of the company."""
    owners = User.objects.filter(
        memberships__company=review.company, memberships__role=Role.OWNER, is_active=True
    ).order_by("email")
    address = settings.PORTAL_URL + reverse("reviews:one", args=[review.company.slug, review.pk])
    urgent = [row for row in review.rows if row["advice"] != "keep"]
    context = {"review": review, "address": address, "reminding": reminding,
               "number": len(review.rows), "urgent": len(urgent)}  # fmt: skip
    zone = review.company.time_zone
    return [mails.to_person("reviews/mail/review", person, context, zone=zone) for person in owners]
