"""What happens to keys when a company or a membership changes: companies themselves know nothing of keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.utils import timezone

from keys import feed, handover, services
from keys.models import Key
from keys.webhooks.endpoints import delete_endpoint
from portal.audit.actors import Actor
from portal.companies.models import Company, CompanyState, Membership
from portal.companies.signals import company_finalised, company_state_changed, member_removed, role_changed

if TYPE_CHECKING:
    from portal.accounts.models import User


@receiver(company_state_changed, dispatch_uid="keys.company_state_changed")
def company_changed(sender: Any, company: Company, actor: Actor, **kwargs: Any) -> None:
    """Verifiers forget the company; a closed company's keys are revoked for good."""
    if company.state == CompanyState.CLOSED:
        ids = company.keys.filter(revoked_at=None).values_list("pk", flat=True)
        services.revoke_keys(key_ids=ids, reason="The company was closed", actor=actor)
        handover.revoke_tokens(company=company, user=None, reason="The company was closed", actor=actor)
    feed.publish_company(company.pk)


@receiver(member_removed, dispatch_uid="keys.member_removed")
def member_gone(
    sender: Any, company: Company, user: Any, actor: Actor, heir: Membership | None = None, **kwargs: Any
) -> None:
    """The keys that act for a removed member end at once, those apart that are handed over; so do the tokens."""
    if heir is not None:
        handover.hand_over(company=company, user=user, heir=heir, actor=actor)
    ids = Key.objects.filter(company=company, user=user, revoked_at=None).values_list("pk", flat=True)
    services.revoke_keys(key_ids=ids, reason="Its member was removed from the company", actor=actor)
    handover.revoke_tokens(company=company, user=user, reason="Its maker was removed from the company", actor=actor)


@receiver(company_finalised, dispatch_uid="keys.company_finalised")
def company_ended(sender: Any, company: Company, actor: Actor, **kwargs: Any) -> None:
    """Webhook endpoints go, with their secrets. Keys stay as revoked rows: the record and the usage name them."""
    for endpoint in company.webhooks.all():
        delete_endpoint(endpoint=endpoint, actor=actor)


@receiver(role_changed, dispatch_uid="keys.role_changed")
def member_may_other_things(sender: Any, membership: Membership, **kwargs: Any) -> None:
    """What the keys of a member may do changes with the role: nobody goes on with the old rights."""
    _forget_keys(Key.objects.filter(company=membership.company_id, user=membership.user_id))


@receiver(post_save, sender=settings.AUTH_USER_MODEL, dispatch_uid="keys.user_saved")
def user_deactivated(sender: Any, instance: User, created: bool, update_fields: Any, **kwargs: Any) -> None:
    """The keys of somebody who may not sign in any more are refused, by verifiers too."""
    if not created and not instance.is_active and (update_fields is None or "is_active" in update_fields):
        with transaction.atomic():
            _forget_keys(Key.objects.filter(user=instance))


def _forget_keys(keys: QuerySet[Key]) -> None:
    now = timezone.now()
    usable = keys.filter(Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None)
    feed.publish(
        feed.Forget(server_id, key_id=key_id) for key_id, server_id in usable.order_by().values_list("pk", "server_id")
    )
