"""Telling members what somebody else did to keys of theirs: each act by mail, through the queue."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Final

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils.functional import lazy
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError

from keys.models import Key, ManagementToken
from portal.accounts import mails
from portal.audit.actors import Actor
from portal.audit.models import ActorKind, AuditEvent
from portal.companies.models import Company, Membership
from portal.companies.roles import Role

logger = logging.getLogger(__name__)

# So many keys in one mail; more are counted.
NAMED: Final = 20


def tell_holders(events: Sequence[AuditEvent], keys: Sequence[Key], actor: Actor) -> None:
    """Once the transaction is committed, mail each member for whose key the event of the same place was recorded.

    Nobody is told of what they did themselves, by page or with a management token of their own; nor of what Latchkey
    does by itself, and owners not of an incident: other mails tell of those, and say more.
    """
    if actor.kind == ActorKind.SYSTEM:
        return
    own = _person_of(actor)
    told = _owners_of_incidents(events, keys)
    events_of: defaultdict[str, list[str]] = defaultdict(list)
    for event, key in zip(events, keys, strict=True):
        if key.user_id != own and (key.company_id, key.user_id) not in told:
            events_of[key.user_id].append(str(event.pk))
    for ids in events_of.values():
        transaction.on_commit(partial(_queue, ids), robust=True)


def send(event_ids: Sequence[str]) -> None:
    """Mail the member whose keys the events are about: one mail for all of them."""
    events = list(AuditEvent.objects.filter(pk__in=event_ids).order_by("pk"))
    found = Key.objects.select_related("company", "user").in_bulk([event.target_id for event in events])
    keys = [found[event.target_id] for event in events if event.target_id in found]
    if not keys or not keys[0].user.is_active:
        return
    first, company = keys[0], keys[0].company
    only_one = len(keys) == 1
    mails.to_person(
        "keys/mail/by_somebody_else",
        first.user,
        {
            "action": events[0].action.partition(":")[2],
            "event": events[0],
            "who": lazy(_who, str)(events[0]),
            "key": first,
            "keys": keys[:NAMED],
            "count": len(keys),
            "more": max(0, len(keys) - NAMED),
            "company": company,
            "address": _address(company, first if only_one else None),
        },
        zone=company.time_zone,
    ).send()


def _owners_of_incidents(events: Sequence[AuditEvent], keys: Sequence[Key]) -> set[tuple[str, str]]:
    """(company, user) of the owners among the members whose keys were revoked under an incident."""
    hit = [key for event, key in zip(events, keys, strict=True) if event.incident_id]
    if not hit:
        return set()
    companies, users = {key.company_id for key in hit}, {key.user_id for key in hit}
    owners = Membership.objects.filter(company__in=companies, user__in=users, role=Role.OWNER)
    return set(owners.values_list("company_id", "user_id"))


def _person_of(actor: Actor) -> str:
    if actor.kind == ActorKind.TOKEN:
        return ManagementToken.objects.filter(pk=actor.id).values_list("user_id", flat=True).first() or ""
    return actor.id if actor.kind in {ActorKind.USER, ActorKind.STAFF} else ""


def _who(event: AuditEvent) -> str:
    if event.actor_kind == ActorKind.STAFF:
        return _("The operator of this portal")
    if event.actor_kind == ActorKind.TOKEN:
        return _("The management token “%(name)s”") % {"name": event.actor_label}
    return event.actor_label.partition(" <")[0] or "Latchkey"


def _address(company: Company, key: Key | None) -> str:
    if key is None:
        return settings.PORTAL_URL + reverse("keys:list", kwargs={"slug": company.slug})
    return settings.PORTAL_URL + reverse("keys:detail", kwargs={"slug": company.slug, "key_id": key.pk})


def _queue(event_ids: Sequence[str]) -> None:
    from keys.tasks import tell_holder  # the tasks know this module, not the other way round

    try:
        tell_holder.apply_async(tuple(event_ids), retry=False)
    except (OperationalError, OSError) as error:
        logger.warning("A mail about a key was not queued: %s", type(error).__name__)
