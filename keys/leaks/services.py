"""What is done about a leaked token: one transaction with its audit event, its incident, and what webhooks are told."""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from keys import events
from keys.leaks.finding import Found
from keys.leaks.models import Kind, Leak, LeakSettings, Outcome, Rule, Source
from keys.webhooks.models import EventType
from portal.audit.actors import Actor
from portal.audit.models import ActorKind
from portal.audit.services import Target, record
from portal.companies.models import Company
from portal.incidents.services import open_incident
from portal.logs import redact

log = logging.getLogger(__name__)

ACTORS = {source: Actor(ActorKind.SYSTEM, "", str(source.label)) for source in Source}


class Incident:
    """The incident of one report: opened when the first token of it is revoked."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._id = ""

    def id(self) -> str:
        """Its id."""
        if not self._id:
            title, actor = f"Leaked: {self.source.label}", ACTORS[self.source]
            self._id = open_incident(title=title, actor=actor, kind="leak").pk
        return self._id


def rule_of(company: Company | None) -> Rule:
    """What `company` wants done with a leaked token; for the operator's own credentials, revoked at once."""
    found = LeakSettings.objects.filter(company=company).first() if company else None
    return Rule(found.rule) if found else Rule.REVOKE


@transaction.atomic
def change_rule(*, company: Company, rule: str, actor: Actor) -> None:
    """Set what happens to leaked tokens of `company`."""
    company = Company.objects.select_for_update().get(pk=company.pk)
    old = rule_of(company)
    if old != Rule(rule):
        LeakSettings.objects.update_or_create(company=company, defaults={"rule": Rule(rule)})
        record(
            "leak:rule_changed", actor=actor, company=company, target=Target("company", company.pk, company.name),
            data={"rule": str(Rule(rule)), "old_rule": str(old)},
        )  # fmt: skip


@transaction.atomic
def note_leak(*, found: Found, source: Source, url: str = "", incident: Incident) -> Leak:
    """Do with `found` what its company's rule says, once for each place: a report that comes again changes nothing.

    `url`: where it was found, only if somebody who is trusted says so; anything but an http address is left out.
    """
    if found.company is not None:  # reports of the same company come one after the other
        Company.objects.select_for_update().get(pk=found.company.pk)
    place = checked_place(url)
    leak, made = Leak.objects.select_for_update().get_or_create(
        kind=found.kind, subject_id=found.id, source=source, url=place,
        defaults={"company": found.company, "subject_name": found.name[:120], "hint": found.hint,
                  "outcome": Outcome.ENDED},
    )  # fmt: skip
    if not made:
        leak.count, leak.last_reported_at = leak.count + 1, timezone.now()
        leak.save(update_fields=["count", "last_reported_at"])
        return leak
    found.subject.refresh_from_db()
    if found.live and found.subject.is_usable:
        leak.outcome = Outcome.REVOKED if rule_of(found.company) == Rule.REVOKE else Outcome.TOLD
    else:
        leak.told_at = leak.reported_at  # nothing is open any more: nobody is woken for it
    if leak.outcome == Outcome.REVOKED:
        leak.incident_id = incident.id()
        reason = f"Leaked: {source.label}" + (f", {place}" if place else "")
        found.revoke(reason=reason, actor=ACTORS[source], incident_id=leak.incident_id)
    leak.save()
    record(
        "leak:reported", actor=ACTORS[source], company=found.company, target=Target(found.kind, found.id, found.name),
        data={"source": str(source), "url": place, "outcome": str(leak.outcome)}, incident_id=leak.incident_id,
    )  # fmt: skip
    if found.kind == Kind.KEY:
        found.subject.refresh_from_db()
        events.tell(
            EventType.KEY_LEAKED, [found.subject], source=str(source), url=place,
            revoked=leak.outcome != Outcome.TOLD, incident_id=leak.incident_id,
        )  # fmt: skip
    if leak.told_at is None:
        transaction.on_commit(_tell_soon, robust=True)
    return leak


def checked_place(url: str) -> str:
    """`url` as it may stand in a mail and a page; '' if it is no address, or could deceive."""
    url = redact(url.strip())[:500]
    if not url.isprintable() or any(character.isspace() for character in url):
        return ""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in {"http", "https"} and parts.netloc and "@" not in parts.netloc else ""


def _tell_soon() -> None:
    from keys.leaks.tasks import tell_owners  # the tasks know the services, not the other way round

    try:
        tell_owners.apply_async(retry=False)
    except (OperationalError, OSError) as error:
        log.warning("mails about leaks wait for the broker: %s", error)
