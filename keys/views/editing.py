"""The page that changes a key; an AI client that was refused a tool sends people here, with the tool in the address."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from keys import scopes, services
from keys.errors import LifecycleError
from keys.forms import EditKeyForm
from keys.models import Key
from keys.pages import explain, form_page, key_or_404, may_manage
from keys.selectors import company_labels
from portal.accounts.reauthentication import recent_sign_in_required
from portal.audit.actors import Actor
from portal.companies.access import CompanyRequest, company_page
from portal.companies.roles import ACTS

MOST_NAMES = 5


@dataclass(frozen=True, slots=True)
class Asked:
    """The tool that an AI client asked for, as the address names it. `is_offered`: by the server, to the portal's
    knowledge; `is_permitted`: the key may use it already."""

    tool: str
    is_offered: bool
    is_permitted: bool

    @property
    def is_new(self) -> bool:
        """Whether saving the form as it is shown would give the key the tool."""
        return self.is_offered and not self.is_permitted


@form_page
@company_page("key:view")
def edit(request: CompanyRequest, slug: str, key_id: str) -> HttpResponse:
    """Change a key's name, labels, scopes, addresses and limits. Giving it more asks for a recent sign-in.

    `?tool=`: an AI client asked for this tool; it is ticked, and the page says why. Who may not change the key reads
    whom to ask.
    """
    key = key_or_404(request, key_id)
    asked = _asked(request, key)
    if not may_manage(request, key):
        return _whom_to_ask(request, key, asked)
    if not key.is_usable:
        messages.info(request, _("This key is no longer in use, so there is nothing to change."))
        return redirect("keys:detail", slug=slug, key_id=key.pk)
    form = EditKeyForm(request.POST or None, key=key, tool=asked.tool if asked and asked.is_new else "")
    if request.method == "POST" and form.is_valid():
        save = recent_sign_in_required(_save) if form.widens() else _save
        return save(request, form, asked)
    return _edit_page(request, form, asked)


def _save(request: CompanyRequest, form: EditKeyForm, asked: Asked | None) -> HttpResponse:
    try:
        services.update_key(key=form.key, actor=Actor.user(request.user, request), **form.changes())
    except LifecycleError as error:
        explain(form, error)
        return _edit_page(request, form, asked)
    if asked and asked.is_new and scopes.allows(form.changes()["scopes"], asked.tool, form.key.server.read_only_tools):
        messages.success(request, _("The key may use %(tool)s now: tell your AI to try again.") % {"tool": asked.tool})
    else:
        messages.success(request, _("The key was changed. Its value stays the same."))
    return redirect("keys:detail", slug=request.company.slug, key_id=form.key.pk)


def _edit_page(request: CompanyRequest, form: EditKeyForm, asked: Asked | None) -> HttpResponse:
    context = {"form": form, "key": form.key, "asked": asked, "labels": company_labels(request.company)}
    return render(request, "keys/edit.html", context)


def _asked(request: CompanyRequest, key: Key) -> Asked | None:
    tool = request.GET.get("tool", "").removeprefix(scopes.TOOL_PREFIX)[:128]
    if not tool.isprintable() or not tool:
        return None
    permitted = scopes.allows(key.scopes, tool, key.server.read_only_tools)
    return Asked(tool, tool in key.server.tool_names, permitted)


def _whom_to_ask(request: CompanyRequest, key: Key, asked: Asked | None) -> HttpResponse:
    """403, with the names of those who may: the member whom the key acts for, and the managers of the company."""
    managers = request.company.memberships.filter(role__in=ACTS["key:manage_any"], user__is_active=True)
    members = managers.select_related("user").order_by("created_at")[:MOST_NAMES]
    people = [member.user for member in members if member.user_id != key.user_id]
    own = request.company.memberships.filter(user=key.user_id, role__in=ACTS["key:manage_own"]).exists()
    context = {"key": key, "asked": asked, "holder": key.user if own else None, "people": people}
    return render(request, "keys/ask.html", context, status=403)
