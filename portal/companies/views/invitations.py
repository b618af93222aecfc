"""Inviting people, and accepting an invitation.

The link in the mail holds the token. Its page puts the invitation's id into the session and goes on to an address
without the token, so that it is in no referrer, and an invited person can sign up or sign in on the way.
"""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.accounts.models import User
from portal.accounts.reauthentication import recent_sign_in_required, signed_in_recently
from portal.audit.actors import Actor
from portal.companies import invitations
from portal.companies.access import LAST_COMPANY, CompanyRequest, company_page
from portal.companies.errors import CompanyError
from portal.companies.forms import InviteForm
from portal.companies.in_hand import IN_HAND, opened_invitation
from portal.companies.models import Invitation, InvitationState
from portal.companies.roles import Role, manageable
from portal.companies.selectors import company_invitation
from portal.companies.words import ROLE_WORDS


@require_http_methods(["GET", "HEAD", "POST"])
@company_page("member:manage")
def invite(request: CompanyRequest, slug: str) -> HttpResponse:
    """Invite somebody by mail. Inviting an owner asks for a recent sign-in."""
    form = InviteForm(request.POST or None, roles=manageable(request.membership.role))
    if request.method == "POST" and form.is_valid():
        save = recent_sign_in_required(_invite) if form.cleaned_data["role"] == Role.OWNER else _invite
        return save(request, form)
    return _invite_page(request, form)


def _invite(request: CompanyRequest, form: InviteForm) -> HttpResponse:
    try:
        invitation = invitations.invite(
            company=request.company,
            email=form.cleaned_data["email"],
            role=form.cleaned_data["role"],
            inviter=request.user,
            actor=Actor.user(request.user, request),
        )
    except CompanyError as error:
        form.add_error("email", str(error.message))
        return _invite_page(request, form)
    messages.success(request, _("The invitation is on its way to %(email)s.") % {"email": invitation.email})
    return redirect("team", slug=request.company.slug)


def _invite_page(request: CompanyRequest, form: InviteForm) -> HttpResponse:
    return render(request, "companies/invite.html", {"form": form, "words": ROLE_WORDS})


@require_POST
@company_page("member:manage")
def resend(request: CompanyRequest, slug: str, invitation_id: str) -> HttpResponse:
    """Send the mail again, with a new link. For an owner's invitation a recent sign-in is asked for."""
    invitation = _invitation_or_404(request, invitation_id)
    if invitation.role == Role.OWNER and not signed_in_recently(request):
        messages.info(request, _("Nothing was done yet. Confirm that it is you, then send the mail again."))
        query = urlencode({"next": reverse("team", kwargs={"slug": slug})})
        return redirect(f"{reverse('account_reauthenticate')}?{query}")
    try:
        invitations.resend(invitation=invitation, inviter=request.user, actor=Actor.user(request.user, request))
    except CompanyError as error:
        messages.error(request, str(error.message))
    else:
        messages.success(
            request, _("Sent again to %(email)s. Only the link of this mail works.") % {"email": invitation.email}
        )
    return redirect("team", slug=slug)


@require_POST
@company_page("member:manage")
def withdraw(request: CompanyRequest, slug: str, invitation_id: str) -> HttpResponse:
    """Take an invitation back."""
    invitation = _invitation_or_404(request, invitation_id)
    try:
        invitations.withdraw(invitation=invitation, actor=Actor.user(request.user, request))
    except CompanyError as error:
        messages.error(request, str(error.message))
    else:
        messages.success(request, _("The invitation of %(email)s is withdrawn.") % {"email": invitation.email})
    return redirect("team", slug=slug)


@never_cache
@require_safe
def link(request: HttpRequest, token: str) -> HttpResponse:
    """The address in the mail: notes the invitation in the session, and goes on without the token."""
    invitation = invitations.find(token)
    if invitation is None:
        request.session.pop(IN_HAND, None)
        return render(request, "companies/invitation_unknown.html", status=404)
    request.session[IN_HAND] = invitation.pk
    return redirect("invitation")


@never_cache
@require_safe
def invitation(request: HttpRequest) -> HttpResponse:
    """What the person is invited to, and what to do: accept, sign in, or sign up."""
    found = opened_invitation(request)
    if found is None:
        return render(request, "companies/invitation_unknown.html", status=404)
    user = request.user if request.user.is_authenticated else None
    refusal = invitations.refusal(found, user)
    context = {
        "invitation": found,
        "role": Role(found.role),
        "words": ROLE_WORDS[Role(found.role)],
        "refusal": refusal,
        "is_other_address": bool(user and refusal and not invitations.has_address(user, found.email)),
        "is_open": found.state == InvitationState.OPEN,
    }
    return render(request, "companies/invitation.html", context)


@require_POST
@login_required
def accept(request: HttpRequest) -> HttpResponse:
    """Become a member."""
    found, user = opened_invitation(request), cast(User, request.user)
    if found is None:
        return redirect("home")
    try:
        membership = invitations.accept(invitation=found, user=user, actor=Actor.user(user, request))
    except CompanyError:
        return redirect("invitation")  # which says why
    request.session.pop(IN_HAND, None)
    request.session[LAST_COMPANY] = membership.company_id
    messages.success(request, _("Welcome to %(company)s.") % {"company": membership.company.name})
    return redirect("company", slug=membership.company.slug)


def _invitation_or_404(request: CompanyRequest, invitation_id: str) -> Invitation:
    found = company_invitation(request.company, invitation_id)
    if found is None:
        raise Http404
    return found
