"""Failed tasks, and the last run of each regular one."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.ids import new_id


class Outcome(models.TextChoices):
    """What a person did about a failed task."""

    REPLAYED = "replayed", _("Replayed")
    DISMISSED = "dismissed", _("Dismissed")


class DeadLetter(models.Model):
    """A task that failed after its last retry. `open` until a person replays or dismisses it.

    Arguments are kept only of tasks that say of themselves that they can be run again (`replayable=True`), and only if
    each is an id: everything else could be somebody's data.
    """

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    task = models.CharField(max_length=120)
    task_id = models.CharField(max_length=64, unique=True)
    queue = models.CharField(max_length=64, blank=True)
    arguments = models.JSONField(null=True, help_text=_("Ids only; empty: not kept."))
    error = models.CharField(max_length=120)
    message = models.CharField(max_length=500, blank=True)
    retries = models.PositiveIntegerField(default=0)
    failed_at = models.DateTimeField(default=timezone.now)
    outcome = models.CharField(max_length=10, choices=Outcome, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-failed_at", "-id"]
        indexes = [
            models.Index(fields=["-failed_at", "-id"], name="dead_letter_latest"),
            models.Index(fields=["task"], name="dead_letter_open", condition=models.Q(settled_at__isnull=True)),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(outcome="", settled_at__isnull=True)
                | models.Q(outcome__in=Outcome.values, settled_at__isnull=False),
                name="dead_letter_settled_with_outcome",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.task} {self.task_id}"

    @property
    def is_open(self) -> bool:
        """Whether nobody has dealt with it yet."""
        return self.settled_at is None


class RegularRun(models.Model):
    """The last run of a task of the beat schedule."""

    task = models.CharField(primary_key=True, max_length=120)
    finished_at = models.DateTimeField()
    succeeded_at = models.DateTimeField(null=True)
    duration_ms = models.PositiveIntegerField()
    error = models.CharField(max_length=120, blank=True, help_text=_("Empty: the last run succeeded."))

    def __str__(self) -> str:
        return f"{self.task} at {self.finished_at:%Y-%m-%d %H:%M:%S}"
