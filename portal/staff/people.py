"""Roles of staff, and people's sessions. Every write with its audit event in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.usersessions.models import UserSession
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from portal.accounts.erasure import erase_user
from portal.accounts.models import User
from portal.accounts.services import note
from portal.audit.services import Target, record
from portal.staff.errors import LastAdministrator, OwnErasure
from portal.staff.models import StaffMember
from portal.staff.roles import StaffRole

if TYPE_CHECKING:
    from portal.audit.actors import Actor


def staff_role(user: User) -> StaffRole | None:
    """The role of `user` among the staff, None for who is not staff: one query at most.

    A superuser without a row came from `createsuperuser`; anybody else without one gets the least.
    """
    if not (user.is_staff and user.is_active):
        return None
    role = StaffMember.objects.filter(user=user.pk).values_list("role", flat=True).first()
    if role is not None:
        return StaffRole(role)
    return StaffRole.ADMINISTRATOR if user.is_superuser else StaffRole.VIEWER


def staff_people() -> QuerySet[User]:
    """The staff with their roles, by name: two queries."""
    # By the rows of roles: they are few, and the flag has no index.
    roles = list(StaffMember.objects.values_list("pk", flat=True))
    return User.objects.filter(pk__in=roles, is_staff=True).select_related("staff_member").order_by("name", "pk")


@transaction.atomic
def set_staff_role(*, user: User, role: str, actor: Actor) -> User:
    """Give `user` the staff role `role`, or ('') take every one. Raises LastAdministrator.

    Django's own flags follow: an administrator is a superuser of Django's admin, nobody else is.
    """
    # One lock for all of them: two administrators cannot each remove the other at the same moment.
    staff = {one.pk: one for one in User.objects.select_for_update().filter(is_staff=True).order_by("pk")}
    user = staff.get(user.pk) or User.objects.select_for_update().get(pk=user.pk)
    old, new = staff_role(user), StaffRole(role) if role else None
    if old == new:
        return user
    others = [staff_role(one) for pk, one in staff.items() if pk != user.pk]
    if old == StaffRole.ADMINISTRATOR and StaffRole.ADMINISTRATOR not in others:
        raise LastAdministrator
    user.is_staff, user.is_superuser = new is not None, new == StaffRole.ADMINISTRATOR
    user.save(update_fields=["is_staff", "is_superuser"])
    if new is None:
        StaffMember.objects.filter(user=user).delete()
        note(user, "staff:role_removed", actor, old_role=str(old))
    else:
        StaffMember.objects.update_or_create(user=user, defaults={"role": new, "given_at": timezone.now()})
        note(user, "staff:role_changed", actor, role=str(new), old_role=str(old or ""))
    return user


@transaction.atomic
def sign_out_everywhere(*, user: User, reason: str, actor: Actor) -> int:
    """End every session of `user`, also of those that are staff; returns how many. Keys and connections stay."""
    sessions = list(UserSession.objects.filter(user=user))
    for session in sessions:
        session.end()
    record(
        "account:sessions_ended", actor=actor, company=None, reason=reason, data={"count": len(sessions)},
        target=Target("user", user.pk, f"{user.name} <{user.email}>"),
    )  # fmt: skip
    return len(sessions)


@transaction.atomic
def erase_person(*, user: User, reason: str, actor: Actor) -> int:
    """Erase everything that names `user`; returns how many audit events lost their names. Raises OwnErasure,
    LastAdministrator, CompaniesWithoutOwner. What it does to companies and keys: portal/accounts/erasure.py.
    """
    if user.pk == actor.id:
        raise OwnErasure
    if staff_role(user):
        set_staff_role(user=user, role="", actor=actor)
    return erase_user(user=user, actor=actor, reason=reason)
