"""The invitation whose link a session's person opened: kept by its id while they sign in or sign up for it."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest

from portal.companies.invitations import refusal
from portal.companies.models import Invitation, InvitationState

IN_HAND: Final = "invitation"


def opened_invitation(request: HttpRequest) -> Invitation | None:
    """The invitation that was opened last in this session, in whatever state it is by now."""
    pk = request.session.get(IN_HAND, "")
    return Invitation.objects.select_related("company", "invited_by").filter(pk=pk).first() if pk else None


def invitation_in_hand(request: HttpRequest) -> Invitation | None:
    """The same, if it can still be accepted: by the person who is signed in, or by who signs in or up for it."""
    found = opened_invitation(request)
    user = request.user if request.user.is_authenticated else None
    if found is None or found.state != InvitationState.OPEN or refusal(found, user):
        return None
    return found
