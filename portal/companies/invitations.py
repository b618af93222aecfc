"""Asking people to join a company: invite, send again, withdraw, accept. Each write with its audit event.

The token in the mail is random and stored only as a hash. It opens nothing by itself: it is accepted by somebody who
is signed in with the address that it was sent to.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.audit.models import AuditEvent
from portal.audit.services import Target, record
from portal.companies import mails
from portal.companies.errors import AlreadyMember, InvitationRefused, NotAllowed, TooManyInvitations, WrongState
from portal.companies.models import Company, CompanyState, Invitation, InvitationState, Membership
from portal.companies.roles import Role, may_manage
from portal.companies.selectors import waiting_invitations
from portal.companies.services import add_member

if TYPE_CHECKING:
    from portal.accounts.models import User
    from portal.audit.actors import Actor

LIFE = timedelta(days=7)
MOST_WAITING = 50
MOST_MAILS, MAILS_PERIOD = 30, timedelta(hours=1)
PAUSE = timedelta(minutes=1)  # between two mails about one invitation


@transaction.atomic
def invite(*, company: Company, email: str, role: str, inviter: User, actor: Actor) -> Invitation:
    """Ask whoever reads the mail of `email` to join `company` as `role`.

    An invitation of this address that expired is replaced. Raises NotAllowed, AlreadyMember, TooManyInvitations (one
    is open already, or too many are), WrongState unless the company is active.
    """
    company, email = _active(company), email.strip().lower()
    _check_inviter(company, inviter, role)
    if company.memberships.filter(user__email__iexact=email).exists():
        raise AlreadyMember
    if earlier := waiting_invitations(company).filter(email=email).first():
        if earlier.state == InvitationState.OPEN:
            raise TooManyInvitations(_("This address is invited already. Send the mail again from the list."))
        earlier.withdrawn_at = timezone.now()
        earlier.save(update_fields=["withdrawn_at"])
    if waiting_invitations(company).count() >= MOST_WAITING:
        raise TooManyInvitations
    _check_mails(company)
    token, now = secrets.token_urlsafe(32), timezone.now()
    invitation = Invitation.objects.create(
        company=company,
        email=email,
        role=Role(role),
        digest=Invitation.digest_of(token),
        invited_by=inviter,
        sent_at=now,
        expires_at=now + LIFE,
    )
    _record("member:invited", invitation, actor)
    _send(invitation, token, inviter)
    return invitation


@transaction.atomic
def resend(*, invitation: Invitation, inviter: User, actor: Actor) -> Invitation:
    """Send another mail with a new link, good for seven days; the link of the mail before leads nowhere any more.

    Raises NotAllowed, TooManyInvitations (a minute has not passed), InvitationRefused (it is not waiting any more).
    """
    company = _active(invitation.company)
    invitation = _waiting(invitation)
    _check_inviter(company, inviter, invitation.role)
    now = timezone.now()
    if invitation.sent_at + PAUSE > now:
        raise TooManyInvitations(_("The mail was sent less than a minute ago. Wait a little."))
    _check_mails(company)
    token = secrets.token_urlsafe(32)
    invitation.digest, invitation.invited_by = Invitation.digest_of(token), inviter
    invitation.sent_at, invitation.expires_at = now, now + LIFE
    invitation.save(update_fields=["digest", "invited_by", "sent_at", "expires_at"])
    _record("member:invitation_resent", invitation, actor)
    _send(invitation, token, inviter)
    return invitation


@transaction.atomic
def withdraw(*, invitation: Invitation, actor: Actor) -> Invitation:
    """Make the link of the mail lead nowhere. Safe to repeat. Raises InvitationRefused if it was accepted meanwhile."""
    _lock(invitation.company)
    invitation = Invitation.objects.select_for_update().get(pk=invitation.pk)
    if invitation.accepted_at:
        raise InvitationRefused(_("The invitation was accepted already. Remove the member instead."))
    if invitation.withdrawn_at is None:
        invitation.withdrawn_at = timezone.now()
        invitation.save(update_fields=["withdrawn_at"])
        _record("member:invitation_withdrawn", invitation, actor)
    return invitation


@transaction.atomic
def accept(*, invitation: Invitation, user: User, actor: Actor) -> Membership:
    """Make `user` a member. Safe to repeat, also at the same moment: there is one membership and one event.

    Raises InvitationRefused, which says why: another address, withdrawn, expired, its sender may not invite any more,
    or the company is closed.
    """
    company = _lock(invitation.company)
    invitation = Invitation.objects.select_for_update(of=("self",)).select_related("invited_by").get(pk=invitation.pk)
    if reason := refusal(invitation, user):
        raise InvitationRefused(reason)
    membership = company.memberships.filter(user=user).first()
    if invitation.accepted_at and membership:
        return membership
    if membership is None:
        membership = add_member(company=company, user=user, role=invitation.role, actor=actor)
    invitation.accepted_at, invitation.accepted_by = timezone.now(), user
    invitation.save(update_fields=["accepted_at", "accepted_by"])
    if invitation.invited_by:
        mails.tell(
            "invitation_accepted",
            [invitation.invited_by],
            company=company,
            member=user,
            role=Role(membership.role).label,
            address=mails.address(reverse("team", kwargs={"slug": company.slug})),
        )
    return membership


def find(token: str) -> Invitation | None:
    """The invitation whose mail holds `token`, in whatever state it is; None if there is none."""
    digest = Invitation.digest_of(token)
    return Invitation.objects.select_related("company", "invited_by").filter(digest=digest).first()


def refusal(invitation: Invitation, user: User | None = None) -> str:
    """Why it cannot be accepted, by `user` if somebody is signed in; '' if it can."""
    if invitation.state == InvitationState.WITHDRAWN:
        return _("This invitation was withdrawn. Ask whoever invited you for another one.")
    if invitation.state == InvitationState.ACCEPTED and (user is None or invitation.accepted_by_id != user.pk):
        return _("This invitation was accepted already.")
    if invitation.state == InvitationState.ACCEPTED and not _is_member(invitation.company, user):
        return _("This invitation was used already. Ask for another one to come back.")
    if invitation.state == InvitationState.EXPIRED:
        return _("This invitation has expired: it was good for seven days. Ask for another one.")
    if invitation.company.state == CompanyState.CLOSED:
        return _("This company is closed. Ask its owner.")
    sender = invitation.company.memberships.filter(user_id=invitation.invited_by_id).first()
    if invitation.accepted_at is None and (sender is None or not may_manage(sender.role, invitation.role)):
        return _("Whoever invited you may not invite any more. Ask another member of the company.")
    if user is not None and not has_address(user, invitation.email):
        return _("This invitation is for %(invited)s, and you are signed in as %(email)s.") % {
            "invited": invitation.email,
            "email": user.email,
        }
    return ""


def has_address(user: User, email: str) -> bool:
    """Whether `email` is a confirmed address of `user`."""
    return bool(user.emailaddress_set.filter(email__iexact=email, verified=True).exists())  # type: ignore[attr-defined]


def _is_member(company: Company, user: User | None) -> bool:
    return company.memberships.filter(user=user).exists()


def _lock(company: Company) -> Company:
    return Company.objects.select_for_update().get(pk=company.pk)


def _active(company: Company) -> Company:
    company = _lock(company)
    if not company.is_active:
        raise WrongState(_("The company is not active, so it cannot invite. Confirm a card first, or ask support."))
    return company


def _waiting(invitation: Invitation) -> Invitation:
    found = Invitation.objects.select_for_update().get(pk=invitation.pk)
    if found.accepted_at or found.withdrawn_at:
        raise InvitationRefused(_("The invitation is not waiting any more. Load the page again."))
    return found


def _check_inviter(company: Company, inviter: User, role: str) -> None:
    sender = company.memberships.filter(user=inviter).first()
    if sender is None or not may_manage(sender.role, role):
        raise NotAllowed


def _check_mails(company: Company) -> None:
    """Hold the record against the limit, so that it counts with or without a cache."""
    sent = AuditEvent.objects.filter(
        chain=company.pk,
        action__in=("member:invited", "member:invitation_resent"),
        at__gt=timezone.now() - MAILS_PERIOD,
    )
    if sent.count() >= MOST_MAILS:
        raise TooManyInvitations(_("Too many invitations were sent within an hour. Wait a while."))


def _send(invitation: Invitation, token: str, inviter: User) -> None:
    mails.send(
        "invitation",
        invitation.email,
        company=invitation.company,
        inviter=inviter,
        role=Role(invitation.role).label,
        expires_at=invitation.expires_at,
        address=mails.address(reverse("invitation_link", kwargs={"token": token})),
    )


def _record(action: str, invitation: Invitation, actor: Actor) -> None:
    record(
        action,
        actor=actor,
        company=invitation.company_id,
        target=Target("invitation", invitation.pk, invitation.email),
        data={"role": str(invitation.role)},
    )
