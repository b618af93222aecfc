"""Who the staff are, the revocations by rule that they began, and what was counted for them."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.ids import new_id
from portal.incidents.models import Incident
from portal.staff.roles import StaffRole


class StaffMember(models.Model):
    """The role of somebody of the staff. Whether they are staff at all says `User.is_staff`, for Django's admin too."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE, related_name="staff_member"
    )
    role = models.CharField(max_length=16, choices=StaffRole)
    given_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(role__in=StaffRole.values), name="staff_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.role}"


class RunState(models.TextChoices):
    """`waiting`: for a second person. `stopped`: by a person, with what was done until then."""

    WAITING = "waiting", _("Waiting for approval")
    RUNNING = "running", _("Running")
    STOPPED = "stopped", _("Stopped")
    REFUSED = "refused", _("Refused")
    DONE = "done", _("Done")


class RevocationRun(models.Model):
    """A rule that is carried out: what it was when it began, how far it came, and for whom."""

    LATE_AFTER = timedelta(seconds=20)  # without a batch: nobody works on it

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="runs")
    rule = models.JSONField()
    reason = models.CharField(max_length=300)
    state = models.CharField(max_length=8, choices=RunState, default=RunState.RUNNING)
    expected_keys = models.PositiveIntegerField()
    expected_connections = models.PositiveIntegerField()
    keys_done = models.PositiveIntegerField(default=0)
    connections_done = models.PositiveIntegerField(default=0)
    cursor = models.CharField(max_length=12, blank=True, help_text=_("The last key of this pass."))
    tell_owners = models.BooleanField(default=True)
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    actor_label = models.CharField(max_length=200, blank=True)
    actor_ip = models.GenericIPAddressField(null=True, blank=True)
    actor_agent = models.CharField(max_length=200, blank=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    touched_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "id"]
        indexes = [
            models.Index(fields=["-created_at", "id"], name="run_latest"),
            models.Index(fields=["touched_at"], name="run_running", condition=models.Q(state="running")),
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(state__in=RunState.values), name="run_state_known"),
        ]

    def __str__(self) -> str:
        return f"{self.id} ({self.state})"

    @property
    def expected(self) -> int:
        """How many keys and connections the rule found when the run was made."""
        return self.expected_keys + self.expected_connections

    @property
    def done(self) -> int:
        """How many of them, and of what came since, are revoked."""
        return self.keys_done + self.connections_done

    @property
    def total(self) -> int:
        """For a progress bar: what is done may be more than was expected."""
        return max(self.expected, self.done, 1) if self.state == RunState.RUNNING else max(self.done, 1)

    @property
    def is_late(self) -> bool:
        """Whether it should run and nobody works on it."""
        return self.state == RunState.RUNNING and timezone.now() - self.touched_at > self.LATE_AFTER


class Figure(models.Model):
    """Something that the worker counted over everything (portal/staff/figures.py), and when."""

    name = models.CharField(primary_key=True, max_length=24)
    value = models.JSONField()
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.name} at {self.at:%Y-%m-%d %H:%M:%S}"
