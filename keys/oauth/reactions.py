"""What happens to connections when a company, a membership or a person changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.db.models.signals import post_save
from django.dispatch import receiver

from keys import feed
from keys.oauth import connections
from keys.oauth.models import Connection
from portal.audit.actors import Actor
from portal.companies.models import Company, CompanyState, Membership
from portal.companies.signals import company_state_changed, member_removed, role_changed

if TYPE_CHECKING:
    from portal.accounts.models import User


@receiver(company_state_changed, dispatch_uid="oauth.company_state_changed")
def company_changed(sender: Any, company: Company, actor: Actor, **kwargs: Any) -> None:
    """Verifiers forget the company; a closed company's connections are revoked for good."""
    found = Connection.objects.filter(company=company, revoked_at=None)
    servers = set(found.order_by().values_list("server_id", flat=True))
    if company.state == CompanyState.CLOSED:
        connections.revoke_many(connections=found, reason="The company was closed", actor=actor)
    feed.publish(feed.Forget(server_id, company_id=company.pk) for server_id in sorted(servers))


@receiver(member_removed, dispatch_uid="oauth.member_removed")
def member_gone(sender: Any, company: Company, user: Any, actor: Actor, **kwargs: Any) -> None:
    """The connections of a removed member end at once."""
    found = Connection.objects.filter(company=company, user=user, revoked_at=None)
    connections.revoke_many(connections=found, reason="Its member was removed from the company", actor=actor)


@receiver(role_changed, dispatch_uid="oauth.role_changed")
def member_may_other_things(sender: Any, membership: Membership, **kwargs: Any) -> None:
    """What the connections of a member may do changes with the role."""
    found = Connection.objects.usable().filter(company=membership.company_id, user=membership.user_id)
    connections.forget(found)


@receiver(post_save, sender=settings.AUTH_USER_MODEL, dispatch_uid="oauth.user_saved")
def user_deactivated(sender: Any, instance: User, created: bool, update_fields: Any, **kwargs: Any) -> None:
    """The connections of somebody who may not sign in any more are refused, by verifiers too."""
    if not created and not instance.is_active and (update_fields is None or "is_active" in update_fields):
        with transaction.atomic():
            connections.forget(Connection.objects.usable().filter(user=instance))
