"""The team: who belongs to a company, and every act on its members."""

from __future__ import annotations

from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from portal.accounts.reauthentication import recent_sign_in_required
from portal.audit.actors import Actor
from portal.companies import mails
from portal.companies.access import CompanyRequest, company_page
from portal.companies.belongings import belongings, heirs
from portal.companies.errors import CompanyError
from portal.companies.forms import RemoveForm, RoleForm, TransferForm
from portal.companies.models import Membership
from portal.companies.roles import Role, manageable, may_manage
from portal.companies.second_factor import FACTORS
from portal.companies.selectors import company_members, company_membership, waiting_invitations
from portal.companies.services import change_role, remove_member, transfer_ownership
from portal.companies.words import ROLE_WORDS, role_table

PAGE = 50
form_page = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
@company_page("member:view")
def team(request: CompanyRequest, slug: str) -> HttpResponse:
    """The members of the company, those who are invited, and what each role may do."""
    company, me = request.company, request.membership
    query = request.GET.get("q", "").replace("\0", "").strip()
    found = company_members(company)
    if query:
        found = found.filter(Q(user__name__icontains=query) | Q(user__email__icontains=query))
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    is_manager = me.may("member:manage")
    rows = [
        {"member": member, "may_manage": member.pk != me.pk and may_manage(me.role, member.role)} for member in page
    ]
    context: dict[str, Any] = {
        "rows": rows,
        "page": page,
        "query": query,
        "roles": [(role, ROLE_WORDS[role]) for role in Role],
        "table": role_table(company),
        "is_manager": is_manager,
        "may_transfer": me.may("company:transfer"),
    }
    if is_manager:
        context["invitations"] = [
            {"invitation": invitation, "may_manage": may_manage(me.role, invitation.role)}
            for invitation in waiting_invitations(company)[:100]
        ]
        factors = Authenticator.objects.filter(user__in=[member.user_id for member in page])
        context["with_factor"] = set(factors.filter(type__in=FACTORS).values_list("user_id", flat=True))
    return render(request, "companies/team.html", context)


@form_page
@company_page("member:manage")
def member_role(request: CompanyRequest, slug: str, user_id: str) -> HttpResponse:
    """Give a member another role. Making an owner, or an owner something else, asks for a recent sign-in."""
    member = _manageable_or_refuse(request, user_id)
    form = RoleForm(request.POST or None, roles=manageable(request.membership.role), initial={"role": member.role})
    if request.method == "POST" and form.is_valid():
        involves_owner = Role.OWNER in (form.cleaned_data["role"], member.role)
        save = recent_sign_in_required(_save_role) if involves_owner else _save_role
        return save(request, member, form)
    return _role_page(request, member, form)


def _save_role(request: CompanyRequest, member: Membership, form: RoleForm) -> HttpResponse:
    old = member.role
    try:
        member = change_role(membership=member, role=form.cleaned_data["role"], actor=Actor.user(request.user, request))
    except CompanyError as error:
        form.add_error("role", str(error.message))
        return _role_page(request, member, form)
    if old != member.role:
        _tell(member, "role_changed", by=request.user, role=Role(member.role).label)
        messages.success(
            request, _("%(name)s is %(role)s now.") % {"name": member.user.name, "role": Role(member.role).label}
        )
    return redirect("team", slug=request.company.slug)


def _role_page(request: CompanyRequest, member: Membership, form: RoleForm) -> HttpResponse:
    context = {"form": form, "member": member, "words": ROLE_WORDS}
    return render(request, "companies/member_role.html", context)


@form_page
@company_page("member:manage")
def member_remove(request: CompanyRequest, slug: str, user_id: str) -> HttpResponse:
    """Remove a member, and say what becomes of what acts for them. Removing an owner asks for a recent sign-in."""
    member = _manageable_or_refuse(request, user_id)
    found = belongings(member)
    form = RemoveForm(
        request.POST if request.method == "POST" else None,
        heirs=heirs(member),
        number=sum(belonging.to_hand_over for belonging in found),
    )
    if request.method == "POST" and form.is_valid():
        save = recent_sign_in_required(_remove) if member.role == Role.OWNER else _remove
        return save(request, member, form)
    context = {"form": form, "member": member, "belongings": found, "number": form.number}
    return render(request, "companies/member_remove.html", context)


def _remove(request: CompanyRequest, member: Membership, form: RemoveForm) -> HttpResponse:
    heir, user = form.chosen_heir, member.user
    try:
        remove_member(membership=member, heir=heir, actor=Actor.user(request.user, request))
    except CompanyError as error:
        messages.error(request, str(error.message))
        return redirect("team", slug=request.company.slug)
    mails.tell("member_removed", [user], company=request.company, by=request.user)
    if heir is not None:
        _tell(heir, "handed_over", by=request.user, giver=user)
        messages.success(
            request,
            ngettext(
                "%(name)s is removed, and %(heir)s has the key. Rotate it if %(name)s may still hold its value.",
                "%(name)s is removed, and %(heir)s has the keys. Rotate those whose values %(name)s may still hold.",
                form.number,
            )
            % {"name": user.name, "heir": heir.user.name},
        )
    else:
        messages.success(request, _("%(name)s is removed, and what acted for them has ended.") % {"name": user.name})
    return redirect("team", slug=request.company.slug)


@form_page
@company_page("member:leave")
def leave(request: CompanyRequest, slug: str) -> HttpResponse:
    """Leave the company. What acts for the member ends; the last owner cannot go."""
    if request.method == "POST":
        try:
            remove_member(membership=request.membership, actor=Actor.user(request.user, request))
        except CompanyError as error:
            messages.error(request, str(error.message))
            return redirect("team", slug=slug)
        messages.success(request, _("You have left %(company)s.") % {"company": request.company.name})
        return redirect("home")
    others = request.company.memberships.filter(role=Role.OWNER).exclude(pk=request.membership.pk)
    context = {
        "belongings": belongings(request.membership),
        "is_last_owner": request.membership.role == Role.OWNER and not others.exists(),
    }
    return render(request, "companies/leave.html", context)


@form_page
@company_page("company:transfer")
@recent_sign_in_required
def transfer(request: CompanyRequest, slug: str) -> HttpResponse:
    """Make another member the owner in one's own place."""
    others = list(company_members(request.company).exclude(pk=request.membership.pk))
    form = TransferForm(request.POST or None, members=others)
    if request.method == "POST" and form.is_valid():
        try:
            heir = transfer_ownership(
                membership=request.membership, to=form.cleaned_data["to"], actor=Actor.user(request.user, request)
            )
        except CompanyError as error:
            form.add_error(None, str(error.message))
        else:
            _tell(heir, "transferred", by=request.user, role=Role.OWNER.label)
            messages.success(request, _("%(name)s owns the company now. You are an admin.") % {"name": heir.user.name})
            return redirect("team", slug=slug)
    return render(request, "companies/transfer.html", {"form": form, "others": others})


def _manageable_or_refuse(request: CompanyRequest, user_id: str) -> Membership:
    """The member `user_id`. Raises Http404; PermissionDenied for owners unless an owner asks, and for oneself."""
    member = company_membership(request.company, user_id)
    if member is None:
        raise Http404
    if member.pk == request.membership.pk:
        raise PermissionDenied(_("You cannot change your own membership here. Leave the company, or hand it over."))
    if not may_manage(request.membership.role, member.role):
        raise PermissionDenied(_("Only an owner changes what owners may. Ask one of them."))
    return member


def _tell(member: Membership, mail: str, **context: Any) -> None:
    address = mails.address(reverse("team", kwargs={"slug": member.company.slug}))
    mails.tell(mail, [member.user], company=member.company, address=address, **context)
