"""The life of an endpoint: every write, each with its audit event in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from keys.models import McpServer
from keys.webhooks import outgoing, signing
from keys.webhooks.errors import EventUnknown, TooManyEndpoints
from keys.webhooks.models import Delivery, DeliveryState, Endpoint, EventType, Failure, OffReason
from portal.audit.services import Target, record
from portal.companies.models import Company

if TYPE_CHECKING:
    from portal.audit.actors import Actor

MOST_ENDPOINTS = 20
OVERLAP = timedelta(hours=24)
LONGEST_OVERLAP = timedelta(days=7)


@transaction.atomic
def create_endpoint(
    *,
    url: str,
    actor: Actor,
    company: Company | None = None,
    server: McpServer | None = None,
    description: str = "",
    event_types: Sequence[str] = (),
) -> tuple[Endpoint, str]:
    """Add an endpoint of `company` or of `server`; its signing secret is returned this once, and stored encrypted.

    `event_types` empty: every event. Raises AddressUnusable, EventUnknown, TooManyEndpoints.
    """
    if company is not None:
        Company.objects.select_for_update().get(pk=company.pk)
        if company.webhooks.count() >= MOST_ENDPOINTS:
            raise TooManyEndpoints
    if server is not None:
        McpServer.objects.select_for_update().get(pk=server.pk)
        if server.webhooks.count() >= MOST_ENDPOINTS:
            raise TooManyEndpoints
    secret = signing.new_secret()
    endpoint = Endpoint(
        company=company,
        server=server,
        url=checked_url(url),
        description=description.strip(),
        event_types=checked_types(event_types),
        secret=signing.encrypt(secret),
    )
    endpoint.full_clean(exclude=["id", "company", "server"])
    endpoint.save(force_insert=True)
    _record("webhook:created", endpoint, actor, {"url": endpoint.url, "event_types": endpoint.event_types})
    return endpoint, secret


@transaction.atomic
def update_endpoint(*, endpoint: Endpoint, actor: Actor, **changes: Any) -> Endpoint:
    """Change `url`, `description` or `event_types`; others stay. Raises AddressUnusable, EventUnknown."""
    if unknown := changes.keys() - {"url", "description", "event_types"}:
        raise TypeError(f"update_endpoint cannot change {', '.join(sorted(unknown))}")
    endpoint = _locked(endpoint)
    if "url" in changes:
        changes["url"] = checked_url(changes["url"])
    if "event_types" in changes:
        changes["event_types"] = checked_types(changes["event_types"])
    if "description" in changes:
        changes["description"] = changes["description"].strip()
    changed = {field: value for field, value in changes.items() if getattr(endpoint, field) != value}
    if changed:
        facts = {field: {"from": getattr(endpoint, field), "to": value} for field, value in changed.items()}
        for field, value in changed.items():
            setattr(endpoint, field, value)
        endpoint.save(update_fields=list(changed))
        _record("webhook:updated", endpoint, actor, facts)
    return endpoint


@transaction.atomic
def rotate_secret(*, endpoint: Endpoint, actor: Actor, overlap: timedelta = OVERLAP) -> tuple[Endpoint, str]:
    """Give `endpoint` a new signing secret, returned this once. For `overlap` every event carries two signatures.

    `overlap` zero: the old secret signs nothing more from now on.
    """
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise ValueError("The overlap can be at most 7 days.")
    endpoint = _locked(endpoint)
    secret = signing.new_secret()
    if overlap and _is_readable(endpoint.secret):
        endpoint.previous_secret, endpoint.previous_until = endpoint.secret, timezone.now() + overlap
    else:
        endpoint.previous_secret, endpoint.previous_until = "", None
    endpoint.secret = signing.encrypt(secret)
    endpoint.save(update_fields=["secret", "previous_secret", "previous_until"])
    until = endpoint.previous_until
    _record("webhook:secret_rotated", endpoint, actor, {"overlap_ends_at": until.isoformat() if until else None})
    return endpoint, secret


@transaction.atomic
def disable_endpoint(*, endpoint: Endpoint, actor: Actor, reason: OffReason = OffReason.MANUAL) -> Endpoint:
    """Send nothing more to `endpoint`; what was pending has failed and can be replayed later. Safe to repeat."""
    endpoint = _locked(endpoint)
    if endpoint.is_enabled:
        now = timezone.now()
        endpoint.disabled_at, endpoint.disabled_reason, endpoint.notified_at = now, reason, None
        endpoint.save(update_fields=["disabled_at", "disabled_reason", "notified_at"])
        endpoint.deliveries.filter(state=DeliveryState.PENDING).update(
            state=DeliveryState.FAILED, failure=Failure.OFF, next_attempt_at=None, finished_at=now
        )
        _record("webhook:disabled", endpoint, actor, {"reason": str(reason)})
    return endpoint


@transaction.atomic
def enable_endpoint(*, endpoint: Endpoint, actor: Actor) -> Endpoint:
    """Send events to `endpoint` again, with its failures forgotten. Safe to repeat."""
    endpoint = _locked(endpoint)
    if not endpoint.is_enabled:
        endpoint.disabled_at, endpoint.disabled_reason, endpoint.notified_at = None, "", None
        endpoint.failing_since, endpoint.failures = None, 0
        endpoint.save(
            update_fields=["disabled_at", "disabled_reason", "notified_at", "failing_since", "failures"]
        )  # fmt: skip
        _record("webhook:enabled", endpoint, actor, {})
    return endpoint


@transaction.atomic
def delete_endpoint(*, endpoint: Endpoint, actor: Actor) -> None:
    """Take `endpoint` away, with its secret and its delivery log."""
    endpoint = _locked(endpoint)
    _record("webhook:deleted", endpoint, actor, {"url": endpoint.url})
    Delivery.objects.filter(endpoint=endpoint).delete()
    endpoint.delete()


def checked_url(text: str) -> str:
    """`text` in normal form, if this installation sends events there: in production https and no private address.

    Raises AddressUnusable. Names are resolved, and their addresses checked, at each request.
    """
    return outgoing.checked_url(text.strip(), private_allowed=not settings.PRODUCTION)


def checked_types(event_types: Sequence[str]) -> list[str]:
    """`event_types` in the order of the list, without repetition. Raises EventUnknown."""
    wanted = set(event_types)
    if wanted - set(EventType.values):
        raise EventUnknown
    return [value for value in EventType.values if value in wanted]


def target(endpoint: Endpoint) -> Target:
    """The endpoint as an audit event names it."""
    return Target("webhook", endpoint.pk, str(endpoint))


def _locked(endpoint: Endpoint) -> Endpoint:
    # Without blocking the events that are written for it meanwhile.
    return Endpoint.objects.select_for_update(no_key=True).get(pk=endpoint.pk)


def _is_readable(stored: str) -> bool:
    try:
        signing.decrypt(stored)
    except signing.SecretUnreadable:
        return False
    return True


def _record(action: str, endpoint: Endpoint, actor: Actor, data: dict[str, Any]) -> None:
    company: str | None = endpoint.company_id
    if company is None and endpoint.server is not None:
        company = endpoint.server.company_id
    record(action, actor=actor, company=company, target=target(endpoint), data=data)
