"""The append-only, hash-chained record of every sensitive act."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

NO_HASH = "0" * 64  # what the first event of a chain follows


class ActorKind(models.TextChoices):
    """Who did it."""

    USER = "user", _("Member")
    STAFF = "staff", _("Staff")
    TOKEN = "token", _("Management token")
    SERVER = "server", _("MCP server")
    SYSTEM = "system", "Latchkey"


class AuditChain(models.Model):
    """The end of one chain: a company's, or the platform's own. Its row is locked while an event is added.

    It also keeps what verifying it found (portal/audit/verifying.py): `verified_*` of the last whole walk, `walked_*`
    of the walk that is under way. `fault` is empty while the chain holds.
    """

    name = models.CharField(primary_key=True, max_length=12)
    length = models.PositiveBigIntegerField(default=0)
    head = models.CharField(max_length=64, default=NO_HASH)
    verified_at = models.DateTimeField(null=True, blank=True)
    # Defaults of the database: the version before these columns goes on adding chains while it is updated.
    verified_number = models.PositiveBigIntegerField(default=0, db_default=0)
    walked_number = models.PositiveBigIntegerField(default=0, db_default=0)
    walked_hash = models.CharField(max_length=64, default=NO_HASH, db_default=NO_HASH)
    fault = models.CharField(max_length=200, blank=True, default="", db_default="")
    fault_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["verified_at"], name="audit_chain_to_verify"),
            models.Index(fields=["name"], name="audit_chain_faulty", condition=~models.Q(fault="")),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.length})"


class AuditEvent(models.Model):
    """One sensitive act. Triggers in the database refuse UPDATE and DELETE.

    `hash` covers everything but the personal columns (`actor_label`, `target_label`, `ip`, `user_agent`); of those it
    covers `personal_digest`, salted, so that a person's data can be erased while the chain still verifies.
    """

    chain = models.CharField(max_length=12)
    number = models.PositiveBigIntegerField(help_text="Place in the chain, from 1.")
    at = models.DateTimeField(default=timezone.now)
    action = models.CharField(max_length=48)
    actor_kind = models.CharField(max_length=8, choices=ActorKind)
    actor_id = models.CharField(max_length=64, blank=True)
    target_kind = models.CharField(max_length=24, blank=True)
    target_id = models.CharField(max_length=64, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    data = models.JSONField(default=dict)
    request_id = models.CharField(max_length=64, blank=True)
    incident_id = models.CharField(max_length=12, blank=True)
    personal_digest = models.CharField(max_length=64)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    personal_salt = models.CharField(max_length=32)
    actor_label = models.CharField(max_length=200, blank=True)
    target_label = models.CharField(max_length=200, blank=True)
    ip = models.GenericIPAddressField(null=True, blank=True)
    user_agent = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["chain", "number"], name="audit_number_once_in_chain")]
        indexes = [
            models.Index(fields=["chain", "-id"], name="audit_chain_latest"),
            models.Index(fields=["target_kind", "target_id", "-id"], name="audit_target"),
            models.Index(fields=["action", "-id"], name="audit_action"),
            models.Index(fields=["at"], name="audit_at"),
            models.Index(fields=["request_id", "-id"], name="audit_request", condition=~models.Q(request_id="")),
            models.Index(fields=["incident_id"], name="audit_incident", condition=~models.Q(incident_id="")),
        ]

    def __str__(self) -> str:
        return f"{self.chain}#{self.number} {self.action}"
