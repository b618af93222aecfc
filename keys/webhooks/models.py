"""Endpoints, the events that they are told, and each delivery with its attempts."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from keys.models import McpServer
from portal.companies.models import Company
from portal.ids import new_id


class EventType(models.TextChoices):
    """What an endpoint can be told. Names are for good: receivers compare them."""

    KEY_CREATED = "key.created", _("A key was created")
    KEY_UPDATED = "key.updated", _("A key's name, tools or limits were changed")
    KEY_ROTATED = "key.rotated", _("A key got a new value")
    KEY_OVERLAP_ENDED = "key.overlap_ended", _("The old value of a key was refused before its overlap ended")
    KEY_REVOKED = "key.revoked", _("A key was revoked")
    KEY_EXPIRING = "key.expiring", _("A key is about to expire")
    KEY_EXPIRED = "key.expired", _("A key expired")
    KEY_LEAKED = "key.leaked", _("A key was reported as leaked")
    COMPANY_ACTIVATED = "company.activated", _("The company became active")
    COMPANY_SUSPENDED = "company.suspended", _("The company was suspended")
    COMPANY_REACTIVATED = "company.reactivated", _("The company is active again")
    COMPANY_CLOSED = "company.closed", _("The company was closed")
    SERVER_STOPPED = "server.stopped", _("An MCP server was stopped")
    SERVER_RESUMED = "server.resumed", _("An MCP server takes keys again")


# Sent by the button on an endpoint's page, whatever the endpoint asked for.
TEST_EVENT = "webhook.test"


class OffReason(models.TextChoices):
    """Why an endpoint is switched off."""

    MANUAL = "manual", _("Switched off by a member")
    GONE = "gone", _("The receiver answered 410 Gone")
    FAILING = "failing", _("Nothing arrived for days")


class Endpoint(models.Model):
    """An address that is told events of one company, or of one MCP server.

    The signing secret must be read back to sign, so it is encrypted (keys/webhooks/signing.py), not hashed. After a
    rotation the previous one signs too, until `previous_until`.
    """

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    company = models.ForeignKey(Company, null=True, blank=True, on_delete=models.CASCADE, related_name="webhooks")
    server = models.ForeignKey(McpServer, null=True, blank=True, on_delete=models.CASCADE, related_name="webhooks")
    url = models.CharField(_("address"), max_length=500)
    description = models.CharField(_("description"), max_length=120, blank=True)
    event_types = models.JSONField(default=list, blank=True, help_text=_("Empty: every event."))
    secret = models.TextField(editable=False)
    previous_secret = models.TextField(blank=True, editable=False)
    previous_until = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    disabled_at = models.DateTimeField(null=True, blank=True)
    disabled_reason = models.CharField(max_length=10, choices=OffReason, blank=True)
    notified_at = models.DateTimeField(null=True, blank=True, help_text=_("When its owners were told that it is off."))
    failing_since = models.DateTimeField(null=True, blank=True, help_text=_("First failure since the last success."))
    failures = models.PositiveIntegerField(default=0, help_text=_("Failed attempts in a row."))

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(company__isnull=False, server__isnull=True) | Q(company__isnull=True, server__isnull=False),
                name="webhook_of_company_or_server",
            ),
            models.CheckConstraint(
                condition=Q(disabled_at__isnull=True, disabled_reason="")
                | Q(disabled_at__isnull=False, disabled_reason__in=OffReason.values),
                name="webhook_off_with_reason",
            ),
        ]
        indexes = [
            models.Index(
                fields=["disabled_at"], name="webhook_to_notify",
                condition=Q(notified_at__isnull=True, disabled_reason__in=["gone", "failing"]),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.description or urlsplit(self.url).netloc

    @property
    def is_enabled(self) -> bool:
        """Whether events are sent to it."""
        return self.disabled_at is None

    @property
    def is_failing(self) -> bool:
        """Whether the last attempt failed."""
        return self.is_enabled and self.failing_since is not None

    def wants(self, event_type: str) -> bool:
        """Whether it asked for events of this type."""
        return not self.event_types or event_type in self.event_types


class Event(models.Model):
    """One thing that happened, as receivers are told it. Its id is the `webhook-id` of every attempt."""

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    type = models.CharField(max_length=32)
    company = models.ForeignKey(Company, null=True, on_delete=models.CASCADE, related_name="+")
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        indexes = [models.Index(fields=["created_at"], name="webhook_event_age")]

    def __str__(self) -> str:
        return f"{self.type} ({self.id})"

    @property
    def payload(self) -> dict[str, Any]:
        """The body of the request (Standard Webhooks, "Payload structure")."""
        return {"type": self.type, "timestamp": self.created_at.isoformat().replace("+00:00", "Z"), "data": self.data}


class DeliveryState(models.TextChoices):
    """`pending` until an attempt succeeds, or the last one failed."""

    PENDING = "pending", _("Pending")
    DELIVERED = "delivered", _("Delivered")
    FAILED = "failed", _("Failed")


class Failure(models.TextChoices):
    """Why an attempt brought no answer at all, or none that counts."""

    ADDRESS = "address", _("The host has a private or reserved address. Webhooks go to public addresses only.")
    URL = "url", _("The endpoint's address cannot be used any more. Edit the endpoint.")
    UNKNOWN_HOST = "unknown_host", _("The host name was not found.")
    UNREACHABLE = "unreachable", _("No connection could be made.")
    TLS = "tls", _("The TLS handshake failed. Check the host's certificate.")
    TIMEOUT = "timeout", _("No answer within 15 seconds.")
    PROTOCOL = "protocol", _("The connection broke, or the answer was no HTTP.")
    REDIRECT = "redirect", _("The receiver answered with a redirect. Redirects are not followed.")
    STATUS = "status", _("The receiver did not answer with a 2xx status.")
    SECRET = "secret", _("The signing secret cannot be read any more. Rotate it.")
    OFF = "off", _("The endpoint was switched off.")


class Delivery(models.Model):
    """One event for one endpoint. The sweep (keys/webhooks/tasks.py) hands out what is pending and due.

    `next_attempt_at` is a lease as well: whoever moves it on makes the attempt. `queued_until` keeps the sweep from
    handing out again what waits in the queue.
    """

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="deliveries")
    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="deliveries")
    state = models.CharField(max_length=10, choices=DeliveryState, default=DeliveryState.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0, help_text=_("Attempts of the present run of retries."))
    next_attempt_at = models.DateTimeField(null=True, default=timezone.now)
    queued_until = models.DateTimeField(null=True, blank=True)
    response_status = models.PositiveSmallIntegerField(null=True, blank=True)
    failure = models.CharField(max_length=16, choices=Failure, blank=True)
    duration_ms = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "deliveries"
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["event", "endpoint"], name="webhook_delivery_once"),
            models.CheckConstraint(
                condition=Q(state="pending", next_attempt_at__isnull=False, finished_at__isnull=True)
                | (~Q(state="pending") & Q(next_attempt_at__isnull=True, finished_at__isnull=False)),
                name="webhook_delivery_pending_or_finished",
            ),
        ]
        indexes = [
            models.Index(fields=["next_attempt_at"], name="webhook_delivery_due", condition=Q(state="pending")),
            models.Index(fields=["endpoint", "-created_at", "-id"], name="webhook_delivery_log"),
        ]

    def __str__(self) -> str:
        return f"{self.event_id} to {self.endpoint_id} ({self.state})"


class Attempt(models.Model):
    """One request, and the beginning of what came back."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="log")
    at = models.DateTimeField(default=timezone.now)
    response_status = models.PositiveSmallIntegerField(null=True, blank=True)
    failure = models.CharField(max_length=16, choices=Failure, blank=True)
    response = models.TextField(blank=True, help_text=_("The first kilobyte of the answer."))
    duration_ms = models.PositiveIntegerField()

    class Meta:
        ordering = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.delivery_id} at {self.at:%Y-%m-%d %H:%M:%S}"
