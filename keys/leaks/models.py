"""What was reported as leaked, and what each company wants done then."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.companies.models import Company
from portal.ids import new_id
from portal.prefixes import Folded


class Rule(models.TextChoices):
    """What happens to a token of a company that is reported as leaked."""

    REVOKE = "revoke", _("Revoke it at once")
    TELL = "tell", _("Only tell the owners")


class LeakSettings(models.Model):
    """A company's rule, where it is not the usual one (revoke)."""

    company = models.OneToOneField(Company, primary_key=True, on_delete=models.CASCADE, related_name="leak_settings")
    rule = models.CharField(_("when a token leaks"), max_length=6, choices=Rule, default=Rule.REVOKE)

    def __str__(self) -> str:
        return f"{self.company_id}: {self.rule}"


class Kind(models.TextChoices):
    """What the token is."""

    KEY = "key", _("Key")
    CREDENTIAL = "credential", _("Server credential")
    TOKEN = "token", _("Management token")
    CONNECTION = "connection", _("Connection")


class Source(models.TextChoices):
    """Who reported it."""

    GITHUB = "github", _("GitHub secret scanning")
    HOLDER = "holder", _("Somebody who had it")


class Outcome(models.TextChoices):
    """What was done: `ended` when the token worked no more anyway."""

    REVOKED = "revoked", _("Revoked")
    TOLD = "told", _("Owners told")
    ENDED = "ended", _("Had ended already")


class Leak(models.Model):
    """One token that was reported in one place. Reported again, only the count grows.

    The token itself is nowhere: `subject_id` is the id of the key, credential, management token or connection. Ids
    without foreign keys: the report outlives what it tells of.
    """

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    company = models.ForeignKey(Company, null=True, on_delete=models.CASCADE, related_name="leaks")
    kind = models.CharField(max_length=10, choices=Kind)
    subject_id = models.CharField(max_length=12)
    subject_name = models.CharField(max_length=120)
    hint = models.CharField(max_length=32, help_text=_("What pages show of the value."))
    source = models.CharField(max_length=6, choices=Source)
    url = models.CharField(max_length=500, blank=True, help_text=_("Where it was found."))
    outcome = models.CharField(max_length=7, choices=Outcome)
    incident_id = models.CharField(max_length=12, blank=True)
    count = models.PositiveIntegerField(default=1, help_text=_("How often it was reported."))
    reported_at = models.DateTimeField(default=timezone.now)
    last_reported_at = models.DateTimeField(default=timezone.now)
    told_at = models.DateTimeField(null=True, help_text=_("When its owners were mailed; empty: not yet."))

    class Meta:
        ordering = ["-reported_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "subject_id", "source", "url"], name="leak_once_in_a_place"),
        ]
        indexes = [
            models.Index(fields=["-reported_at", "-id"], name="leak_latest"),
            models.Index(fields=["company", "-reported_at", "-id"], name="leak_company_latest"),
            models.Index(fields=["reported_at"], name="leak_to_tell", condition=models.Q(told_at__isnull=True)),
            models.Index(fields=["subject_id"], name="leak_of_subject"),
            models.Index(fields=["incident_id"], name="leak_of_incident", condition=~models.Q(incident_id="")),
            models.Index(Folded("subject_name"), name="leak_name_begins"),
            models.Index(Folded("url"), name="leak_url_begins"),
        ]

    def __str__(self) -> str:
        return f"{self.hint} ({self.source})"
