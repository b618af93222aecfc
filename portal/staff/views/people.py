"""People: who is staff, what somebody has, roles, and signing out everywhere."""

from __future__ import annotations

from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from keys.models import Key
from keys.oauth.selectors import all_connections
from portal.accounts.erasure import is_erased
from portal.accounts.models import User
from portal.accounts.reauthentication import recent_sign_in_required
from portal.audit.models import AuditEvent
from portal.audit.sentences import line
from portal.cursors import paginate
from portal.staff import searches
from portal.staff.access import staff_actor, staff_page
from portal.staff.errors import StaffError
from portal.staff.forms import RoleForm, SignOutForm
from portal.staff.people import set_staff_role, sign_out_everywhere, staff_people, staff_role
from portal.staff.roles import StaffRole
from portal.staff.views.acts import act_page, posted
from portal.staff.views.dashboard import target_page

PAGE = 50


@staff_page("staff:view")
@require_safe
def people(request: HttpRequest) -> HttpResponse:
    """The staff; or, searched by e-mail address or name, everybody."""
    query = request.GET.get("q", "").replace("\0", "").strip()[:120]
    found = staff_people()
    if query:
        found = searches.people(query).of(User.objects.select_related("staff_member"))
    page = paginate(found, order=("name", "id"), size=PAGE, cursor=request.GET.get("cursor", ""))
    rows = [(user, _role_of(user)) for user in page.rows]
    return render(request, "staff/people.html", {"page": page, "rows": rows, "query": query})


@staff_page("staff:view")
@require_safe
def person(request: HttpRequest, user_id: str) -> HttpResponse:
    """A person: companies, keys, connections, sessions, and what they did last."""
    found = _user(user_id)
    events = AuditEvent.objects.filter(target_kind="user", target_id=found.pk).order_by("-id")
    erased = is_erased(found)
    context = {
        "person": found,
        "erased": erased,
        "shown_name": _("Erased person") if erased else found.get_full_name(),
        "role": staff_role(found),
        "memberships": found.memberships.select_related("company").order_by("created_at", "pk")[:50],
        "keys": Key.objects.filter(user=found).select_related("company", "server", "user").defer("digest")
        .order_by("-created_at")[:10],
        "connections": all_connections().filter(user=found)[:10],
        "sessions": UserSession.objects.filter(user=found).order_by("-last_seen_at")[:20],
        "events": [line(event, target_page) for event in events[:15]],
    }  # fmt: skip
    return render(request, "staff/person.html", context)


@staff_page("role:manage")
@recent_sign_in_required
def role(request: HttpRequest, user_id: str) -> HttpResponse:
    """Give somebody a role among the staff, or take it."""
    found = _user(user_id)
    form = RoleForm(posted(request), initial={"role": staff_role(found) or ""})
    if request.method == "POST" and form.is_valid():
        try:
            set_staff_role(user=found, role=form.cleaned_data["role"], actor=staff_actor(request))
        except StaffError as error:
            form.add_error(None, str(error.message))
        else:
            messages.success(request, _("The role of %(person)s is changed.") % {"person": found.name})
            # Who gave their own rights away may not see the page any more.
            own = found == request.user and not form.cleaned_data["role"]
            return redirect("home") if own else redirect("staff:person", found.pk)
    return act_page(
        request,
        form,
        heading=_("Staff role of %(person)s") % {"person": found.name},
        lead=_("Staff reach every company. Give a role only to people who work for the operator."),
        submit=_("Save the role"),
        here=_("Staff role"),
        tone="primary",
        back=("staff:person", found.pk, found.name),
    )


@staff_page("session:end")
def sign_out(request: HttpRequest, user_id: str) -> HttpResponseBase:
    """End every session of somebody. Never asks to sign in again: it must be quick."""
    found = _user(user_id)
    form = SignOutForm(posted(request))
    if request.method == "POST" and form.is_valid():
        sign_out_everywhere(user=found, reason=form.cleaned_data["reason"], actor=staff_actor(request))
        messages.success(request, _("%(person)s is signed out everywhere.") % {"person": found.name})
        return redirect("staff:person", found.pk)
    return act_page(
        request,
        form,
        heading=_("Sign out %(person)s") % {"person": found.name},
        lead=_("Every browser of this person is signed out. Keys and connections stay: revoke them apart."),
        submit=_("Sign out everywhere"),
        tone="danger",
        back=("staff:person", found.pk, found.name),
    )


def _user(user_id: str) -> User:
    return get_object_or_404(User.objects.select_related("staff_member"), pk=user_id)


def _role_of(user: User) -> str:
    """The role as `staff_role` finds it, of a user that was read with its row: no query."""
    if not user.is_staff:
        return ""
    if hasattr(user, "staff_member"):
        return user.staff_member.role
    return StaffRole.ADMINISTRATOR if user.is_superuser else StaffRole.VIEWER
