"""Incidents, the notes on them, and who was told.

What was done to keys stands in the audit record, each event under the incident's id: it is written once, there.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.ids import new_id


class IncidentState(models.TextChoices):
    """`closed`: dealt with; it can be reopened."""

    OPEN = "open", _("Open")
    CLOSED = "closed", _("Closed")


class Incident(models.Model):
    """One leak or misuse, and what was done about it. Its id is the `incident_id` of audit events."""

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    title = models.CharField(_("title"), max_length=160)
    # What began it, as a word: manual, revocation, leak…
    kind = models.CharField(max_length=24, default="manual")
    state = models.CharField(max_length=8, choices=IncidentState, default=IncidentState.OPEN)
    opened_at = models.DateTimeField(default=timezone.now, editable=False)
    # Empty: the portal itself, or whoever reported a leak without an account.
    opened_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    opened_by_label = models.CharField(max_length=200, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    # Somebody asked for the owners to be told; empty again when all of them were.
    notices_asked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-opened_at", "id"]
        indexes = [
            models.Index(fields=["-opened_at", "id"], name="incident_latest"),
            models.Index(
                fields=["notices_asked_at"],
                name="incident_notices_due",
                condition=models.Q(notices_asked_at__isnull=False),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state=IncidentState.OPEN, closed_at__isnull=True)
                | models.Q(state=IncidentState.CLOSED, closed_at__isnull=False),
                name="incident_closed_with_time",
            )
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_open(self) -> bool:
        """Whether more may be added."""
        return self.state == IncidentState.OPEN


class IncidentNote(models.Model):
    """What somebody of staff wrote down. Notes are added, never changed."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="notes")
    text = models.TextField(_("note"), max_length=4000)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    author_label = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return f"{self.incident_id} {self.at:%Y-%m-%d %H:%M}"


class IncidentNotice(models.Model):
    """A mail about an incident that went to an owner of an affected company: each gets it once."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="notices")
    # Ids without foreign keys: that somebody was told outlives them.
    company_id = models.CharField(max_length=12)
    user_id = models.CharField(max_length=12)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["incident", "company_id", "user_id"], name="incident_notice_once")
        ]

    def __str__(self) -> str:
        return f"{self.incident_id} → {self.company_id}"
