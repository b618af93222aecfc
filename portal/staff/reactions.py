"""Whoever becomes staff by another way than the page of roles (`createsuperuser`, the demo) gets a role too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models.signals import post_save
from django.dispatch import receiver

from portal.staff.models import StaffMember
from portal.staff.roles import StaffRole

if TYPE_CHECKING:
    from portal.accounts.models import User


@receiver(post_save, sender=settings.AUTH_USER_MODEL, dispatch_uid="staff.user_made")
def user_made(sender: Any, instance: User, created: bool, raw: bool = False, **kwargs: Any) -> None:
    """A new user who is staff: a superuser is an administrator, anybody else has the least role."""
    if created and instance.is_staff and not raw:
        role = StaffRole.ADMINISTRATOR if instance.is_superuser else StaffRole.VIEWER
        StaffMember.objects.get_or_create(user=instance, defaults={"role": role})
