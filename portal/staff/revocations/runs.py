"""Runs: a rule carried out batch by batch, each batch one transaction that also says how far it came.

Whoever drives it (the worker, the sweep that goes on for one that died, a page while the queue is away) does the same:
lock the run's row, revoke the next batch, note it, commit. Two at once take turns; one killed leaves whole batches.

What a run covers: everything that matches until none is left. Keys go by id, and after the last one the rule is asked
again from the beginning, so that what was made, rotated or changed while it ran is revoked as well. Only what comes
after the end stays: the run's page says so.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from keys.models import Key
from keys.oauth.connections import revoke_many
from keys.services import revoke_keys
from portal.audit.actors import Actor
from portal.audit.models import ActorKind
from portal.incidents.models import Incident
from portal.incidents.notices import ask_for_notices
from portal.incidents.services import note_act, open_incident
from portal.logs import redact
from portal.staff.errors import OwnApproval, RuleTooWide, RunOver
from portal.staff.models import RevocationRun, RunState
from portal.staff.revocations.rules import Matches, Rule, matches

if TYPE_CHECKING:
    from collections.abc import Iterable

    from portal.accounts.models import User

BATCH: Final = 250  # small enough that nobody waits long for the audit chain or the feed


@transaction.atomic
def start_run(
    *,
    rule: Rule,
    reason: str,
    actor: Actor,
    title: str = "",
    incident: Incident | None = None,
    tell_owners: bool = True,
) -> RevocationRun:
    """Begin to revoke what `rule` finds, under `incident` or a new one named `title`.

    Above LATCHKEY_FOUR_EYES_ABOVE keys it waits for a second person of the staff.
    """
    found = matches(rule)
    keys, connections = found.keys.count(), found.connections.count()
    reason = redact(reason)[:300]
    incident = incident or open_incident(title=title or reason, actor=actor, kind="revocation")
    waits = bool(settings.FOUR_EYES_ABOVE) and keys + connections > settings.FOUR_EYES_ABOVE
    run = RevocationRun.objects.create(
        incident=incident,
        rule=rule.as_json(),
        reason=reason,
        state=RunState.WAITING if waits else RunState.RUNNING,
        expected_keys=keys,
        expected_connections=connections,
        tell_owners=tell_owners,
        started_by_id=actor.id or None,
        actor_label=actor.label[:200],
        actor_ip=actor.ip,
        actor_agent=actor.user_agent[:200],
        started_at=None if waits else timezone.now(),
    )
    _note(run, "revocation:requested" if waits else "revocation:started", actor, expected=keys + connections)
    if not waits:
        transaction.on_commit(lambda: hand_over(run))
    return run


@transaction.atomic
def approve(*, run: RevocationRun, actor: Actor) -> RevocationRun:
    """Let a waiting run begin, as its second person. Raises RunOver, OwnApproval."""
    run = _locked(run.pk, RunState.WAITING)
    if run.started_by_id == actor.id:
        raise OwnApproval
    run.state, run.decided_by_id, run.started_at = RunState.RUNNING, actor.id, timezone.now()
    run.save(update_fields=["state", "decided_by", "started_at"])
    _note(run, "revocation:approved", actor)
    transaction.on_commit(lambda: hand_over(run))
    return run


@transaction.atomic
def refuse(*, run: RevocationRun, actor: Actor) -> RevocationRun:
    """Drop a waiting run; whoever asked for it may too. Raises RunOver."""
    run = _locked(run.pk, RunState.WAITING)
    run.state, run.decided_by_id, run.finished_at = RunState.REFUSED, actor.id, timezone.now()
    run.save(update_fields=["state", "decided_by", "finished_at"])
    _note(run, "revocation:refused", actor)
    return run


@transaction.atomic
def stop(*, run: RevocationRun, actor: Actor) -> RevocationRun:
    """Do no further batch. What is revoked stays revoked. Raises RunOver."""
    run = _locked(run.pk, RunState.RUNNING)
    _stop(run, actor)
    return run


def _stop(run: RevocationRun, actor: Actor) -> RunState:
    run.state, run.finished_at = RunState.STOPPED, timezone.now()
    run.save(update_fields=["state", "finished_at"])
    _note(run, "revocation:stopped", actor, keys=run.keys_done, connections=run.connections_done)
    return RunState.STOPPED


def hand_over(run: RevocationRun) -> bool:
    """Give the run to the worker; False if the queue is away. The sweep, or the run's page, then goes on."""
    from portal.staff.tasks import revoke_by_rule

    try:
        revoke_by_rule.apply_async([run.pk], retry=False)
    except (OperationalError, OSError):
        return False
    return True


def work(run_id: str, *, seconds: float, rest: float = 0.0) -> RunState:
    """Do batches of the run for about `seconds`; returns its state then. Safe to call twice, or at once.

    `rest`: pause for this share of the time that a batch took, holding nothing, so that a small machine's processors
    have turns left for verification.
    """
    deadline = time.monotonic() + seconds
    found: Matches | None = None
    while True:
        began = time.monotonic()
        with transaction.atomic():
            run = RevocationRun.objects.select_for_update().select_related("incident").get(pk=run_id)
            if run.state != RunState.RUNNING:
                return RunState(run.state)
            try:
                if found is None or not run.cursor:
                    found = matches(Rule.from_json(run.rule))  # a new pass looks up the addresses anew
            except RuleTooWide:  # seen from many more addresses since: a person has to narrow the rule
                return _stop(run, actor_of(run))
            _next_batch(run, found)
        if run.state != RunState.RUNNING or time.monotonic() > deadline:
            return RunState(run.state)
        time.sleep(rest * (time.monotonic() - began))


def _next_batch(run: RevocationRun, found: Matches) -> None:
    """Revoke the next batch and note how far the run came, in the transaction that holds the run's row."""
    actor = actor_of(run)
    # Beyond the cursor: what this pass has revoked is not even looked at again.
    ids = list(found.keys.filter(pk__gt=run.cursor).order_by("pk").values_list("pk", flat=True)[:BATCH])
    if ids:
        run.keys_done += revoke_keys(
            key_ids=[*ids, *_older_values(ids)], reason=run.reason, actor=actor, incident_id=run.incident_id
        )
        run.cursor = ids[-1]
    elif run.cursor:
        run.cursor = ""
    elif connections := list(found.connections.order_by("pk")[:BATCH]):
        run.connections_done += revoke_many(
            connections=connections, reason=run.reason, actor=actor, incident_id=run.incident_id
        )
    else:
        run.state, run.finished_at = RunState.DONE, timezone.now()
        _note(run, "revocation:finished", actor, keys=run.keys_done, connections=run.connections_done)
        if run.tell_owners:
            ask_for_notices(incident=run.incident, actor=actor)
    run.touched_at = timezone.now()
    run.save(
        update_fields=["keys_done", "connections_done", "cursor", "state", "finished_at", "touched_at"],
    )


def _older_values(ids: Iterable[str]) -> list[str]:
    """Older values of the keys `ids` that are still accepted: they end with the newer one, whatever the rule."""
    older: list[str] = []
    newer = list(ids)
    while newer:
        newer = list(Key.objects.usable().filter(replaced_by__in=newer).values_list("pk", flat=True))
        older += newer
    return older


def continue_all() -> int:
    """Hand over each run that no batch was done of for a while: its worker died, or the queue was away."""
    late = timezone.now() - RevocationRun.LATE_AFTER
    runs = RevocationRun.objects.filter(state=RunState.RUNNING, touched_at__lt=late)
    return sum(hand_over(run) for run in runs)


def actor_of(run: RevocationRun) -> Actor:
    """Who started the run, as the audit record names them."""
    return Actor(ActorKind.STAFF, run.started_by_id or "", run.actor_label, run.actor_ip, run.actor_agent)


def may_approve(run: RevocationRun, user: User) -> bool:
    """Whether `user` is a second person for the run."""
    return run.state == RunState.WAITING and run.started_by_id != user.pk


def _locked(run_id: str, state: RunState) -> RevocationRun:
    run = RevocationRun.objects.select_for_update().select_related("incident").get(pk=run_id)
    if run.state != state:
        raise RunOver
    return run


def _note(run: RevocationRun, action: str, actor: Actor, **data: object) -> None:
    note_act(run.incident, action, actor, reason=run.reason, run=run.pk, rule=run.rule, **data)
