"""The life of a key: create, rotate, update, revoke. Every write, each with its audit event in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from keys import alerts, events, feed, hotstore, tokens
from keys.errors import AlreadyRotated, CompanyInactive, LifetimeInvalid, NotUsable
from keys.labels import checked_labels, to_text
from keys.models import CredentialState, Key, McpServer
from keys.policy.selectors import capped_expiry, check_expiry, policy_of
from keys.rules import check_limits, check_maker, check_server, checked_addresses, checked_scopes
from keys.values import new_value
from keys.webhooks.models import EventType
from portal.audit.services import Target, record, record_over
from portal.companies.models import Company
from portal.logs import redact

if TYPE_CHECKING:
    from portal.accounts.models import User
    from portal.audit.actors import Actor

LONGEST_LIFE = timedelta(days=3653)
LONGEST_OVERLAP = timedelta(days=30)
BATCH = 500


@transaction.atomic
def create_key(
    *,
    company: Company,
    server: McpServer,
    user: User,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | None,
    actor: Actor,
    allowed_ips: Iterable[str] | None = None,
    login_client: str = "",
    per_minute: int | None = None,
    per_month: int | None = None,
    labels: Iterable[str] = (),
) -> tuple[Key, tokens.Token]:
    """Make a key of `company` for `server` that acts for the member `user`; the token is returned this once.

    `scopes` as keys/scopes.py; `expires_at` None: never; `allowed_ips`: CIDR ranges, empty: any address, None: what the
    company's policy says; limits None: the plan's; `labels` as keys/labels.py. Raises CompanyInactive,
    ServerUnavailable, ScopeUnknown, ScopeBeyondRights, LifetimeInvalid, AddressInvalid, LimitBeyondPlan, LabelInvalid;
    NotAllowed if the company lets others make keys, or asks the member for a second factor.
    """
    company = Company.objects.select_for_update().get(pk=company.pk)
    if not company.is_active:
        raise CompanyInactive
    check_maker(company, user)
    check_server(server, company)
    check_expiry(company, expires_at)
    if expires_at is not None and not timezone.now() < expires_at <= timezone.now() + LONGEST_LIFE:
        raise LifetimeInvalid
    check_limits(company, {"per_minute": per_minute, "per_month": per_month}, actor)
    key, token = _new_value(
        company=company,
        server=server,
        user=user,
        name=name.strip(),
        scopes=checked_scopes(scopes, server=server, company=company, user=user),
        expires_at=expires_at,
        allowed_ips=checked_addresses(policy_of(company).allowed_ips if allowed_ips is None else allowed_ips),
        login_client=login_client,
        per_minute=per_minute,
        per_month=per_month,
        label_text=to_text(checked_labels(labels)),
    )
    event = record("key:created", actor=actor, company=company, target=target(key), data=_facts(key))
    events.tell(EventType.KEY_CREATED, [key])
    alerts.tell_holders([event], [key], actor)
    return key, token


@transaction.atomic
def rotate_key(*, key: Key, overlap: timedelta, actor: Actor) -> tuple[Key, tokens.Token]:
    """Give `key` a new value, at once; the old one is accepted for `overlap`, never past its own expiry.

    The new value is a key of its own that `replaces` the old one, with its name, scopes, limits and as long a life, or
    a shorter one where the company's policy has a maximum by now.
    Raises AlreadyRotated, NotUsable, CompanyInactive, ServerUnavailable, LifetimeInvalid. Two rotations at once: one
    wins, the other one is AlreadyRotated.
    """
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise LifetimeInvalid(_("The overlap can be at most 30 days."))
    company = Company.objects.select_for_update().get(pk=key.company_id)
    if not company.is_active:
        raise CompanyInactive
    old = Key.objects.select_for_update().get(pk=key.pk)
    if hasattr(old, "replaced_by"):
        raise AlreadyRotated
    if old.state != CredentialState.ACTIVE:
        raise NotUsable
    check_server(old.server, company)
    now = timezone.now()
    login_client, old.login_client = old.login_client, ""
    old.overlap_ends_at = min(filter(None, (now + overlap, old.expires_at)))
    old.save(update_fields=["overlap_ends_at", "login_client"])
    new, token = _new_value(
        company=company,
        server=old.server,
        user=old.user,
        name=old.name,
        scopes=checked_scopes(old.scopes, server=old.server, company=company, user=old.user, kept=old.scopes),
        expires_at=capped_expiry(company, old.expires_at and now + (old.expires_at - old.created_at)),
        allowed_ips=old.allowed_ips,
        login_client=login_client,
        per_minute=old.per_minute,
        per_month=old.per_month,
        label_text=old.label_text,
        replaces=old,
    )
    facts = _facts(new) | {"replaces": old.pk, "overlap_ends_at": old.overlap_ends_at.isoformat()}
    facts |= {"replaced_by": new.pk}
    event = record("key:rotated", actor=actor, company=company, target=target(old), data=facts)
    feed.publish([feed.Forget(old.server_id, key_id=old.pk)])
    events.tell(EventType.KEY_ROTATED, [old], replaced_by=new.pk, overlap_ends_at=old.overlap_ends_at.isoformat())
    alerts.tell_holders([event], [old], actor)
    return new, token


@transaction.atomic
def end_overlap(*, key: Key, actor: Actor) -> Key:
    """Stop accepting the old value `key` now, before its overlap ends by itself. Raises NotUsable if it has ended."""
    key = Key.objects.select_for_update().get(pk=key.pk)
    if key.state != CredentialState.ROTATING:
        raise NotUsable(_("The old value is not accepted any more."))
    key.overlap_ends_at = timezone.now()
    key.save(update_fields=["overlap_ends_at"])
    record("key:overlap_ended", actor=actor, company=key.company_id, target=target(key))
    feed.publish([feed.Forget(key.server_id, key_id=key.pk)])
    events.tell(EventType.KEY_OVERLAP_ENDED, [key], replaced_by=key.replaced_by.pk)
    return key


@transaction.atomic
def update_key(*, key: Key, actor: Actor, **changes: Any) -> Key:
    """Change `name`, `scopes`, `allowed_ips`, `per_minute`, `per_month` or `labels` of a key in use; others stay.

    Raises NotUsable, ScopeUnknown, ScopeBeyondRights, AddressInvalid, LimitBeyondPlan, LabelInvalid; TypeError for any
    other field.
    """
    if unknown := changes.keys() - {"name", "scopes", "allowed_ips", "per_minute", "per_month", "labels"}:
        raise TypeError(f"update_key cannot change {', '.join(sorted(unknown))}")
    key = Key.objects.select_for_update().get(pk=key.pk)
    if not key.is_usable:
        raise NotUsable
    if "scopes" in changes:
        changes["scopes"] = checked_scopes(
            changes["scopes"], server=key.server, company=key.company, user=key.user, kept=key.scopes
        )
    if "allowed_ips" in changes:
        changes["allowed_ips"] = checked_addresses(changes["allowed_ips"])
    if "name" in changes:
        changes["name"] = changes["name"].strip()
    if "labels" in changes:
        changes["labels"] = checked_labels(changes["labels"])
    before = {field: getattr(key, field) for field in changes}
    changed = {field: value for field, value in changes.items() if before[field] != value}
    check_limits(key.company, changed, actor)
    if changed:
        columns = {field: value for field, value in changed.items() if field != "labels"}
        if "labels" in changed:
            columns["label_text"] = to_text(changed["labels"])
        for field, value in columns.items():
            setattr(key, field, value)
        key.save(update_fields=list(columns))
        facts = {field: {"from": before[field], "to": value} for field, value in changed.items()}
        event = record("key:updated", actor=actor, company=key.company_id, target=target(key), data=facts)
        feed.publish([feed.Forget(key.server_id, key_id=key.pk)])
        events.tell(EventType.KEY_UPDATED, [key], changed=sorted(changed))
        alerts.tell_holders([event], [key], actor)
    return key


@transaction.atomic
def revoke_key(*, key: Key, reason: str, actor: Actor, incident_id: str = "") -> Key:
    """Refuse `key`, and an older value of it that is still accepted, from now on and for good. Safe to repeat."""
    revoke_keys(key_ids=accepted_values(key), reason=reason, actor=actor, incident_id=incident_id)
    key.refresh_from_db()
    return key


def accepted_values(key: Key) -> list[str]:
    """The ids of `key` and of the older values of it that are still accepted."""
    ids, older = [key.pk], key.replaces
    while older is not None and older.is_usable:
        ids.append(older.pk)
        older = older.replaces
    return ids


def revoke_keys(*, key_ids: Iterable[str], reason: str, actor: Actor, incident_id: str = "") -> int:
    """Revoke every key of `key_ids` that is not revoked yet; returns how many that were.

    In transactions of 500: a crash in between leaves whole batches done, and calling it again does the rest.
    """
    ids, count = list(key_ids), 0
    for start in range(0, len(ids), BATCH):
        count += _revoke_batch(ids[start : start + BATCH], reason, actor, incident_id)
    return count


@transaction.atomic
def _revoke_batch(ids: list[str], reason: str, actor: Actor, incident_id: str) -> int:
    found = Key.objects.select_for_update().filter(pk__in=ids, revoked_at__isnull=True).order_by("company_id", "pk")
    keys = list(found)
    if repeated := set(ids) - {key.pk for key in keys}:
        # Perhaps the commit of the first time was never answered, and what Redis keeps was not forgotten then.
        transaction.on_commit(lambda: hotstore.forget(key_ids=repeated))
    if not keys:
        return 0
    now = timezone.now()
    Key.objects.filter(pk__in=[key.pk for key in keys]).update(revoked_at=now, revoked_reason=redact(reason)[:300])
    recorded = record_over(
        [(key.company_id, target(key), {"server": key.server_id}) for key in keys],
        "key:revoked", actor=actor, reason=reason, incident_id=incident_id,
    )  # fmt: skip
    feed.publish(feed.Forget(key.server_id, key_id=key.pk) for key in keys)
    events.tell(EventType.KEY_REVOKED, keys, reason=reason)
    alerts.tell_holders(recorded, keys, actor)
    return len(keys)


def target(key: Key) -> Target:
    """The key as an audit event names it."""
    return Target("key", key.pk, key.name)


def _new_value(**fields: Any) -> tuple[Key, tokens.Token]:
    token, stored = new_value(tokens.Kind(settings.KEY_KIND))
    key = Key(**stored, **fields)
    key.full_clean(exclude=["id", "company", "server", "user", "replaces"])
    key.save(force_insert=True)
    return key, token


def _facts(key: Key) -> dict[str, Any]:
    return {
        "server": key.server_id,
        "scopes": key.scopes,
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
        "user": key.user_id,
        "allowed_ips": key.allowed_ips,
        "labels": key.labels,
    }
