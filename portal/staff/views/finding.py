"""The one box that takes anything, and the pages of what only it leads to: a management token."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_safe

from keys.management_tokens.services import revoke_token
from keys.models import ManagementToken
from portal.audit.selectors import target_events
from portal.audit.sentences import line
from portal.audit.services import Target
from portal.logs import redact
from portal.staff import finding
from portal.staff.access import staff_actor, staff_page
from portal.staff.forms import FindForm, RevokeForm
from portal.staff.services import note_viewed
from portal.staff.views.acts import act_page, posted
from portal.staff.views.dashboard import target_page


@sensitive_post_parameters("key")
@staff_page("staff:view")
def find(request: HttpRequest) -> HttpResponseBase:
    """What was pasted leads to its page, or finds a few of everything. It travels by POST and goes no further."""
    if request.method != "POST":
        return render(request, "staff/find.html", {"find": FindForm()})
    text = request.POST.get("key", "").replace("\0", "").strip()[:2000]
    if not text:
        return render(request, "staff/find.html", {"find": FindForm(), "problem": "empty"})
    answer = finding.recognise(text)
    if answer.address:
        return redirect(answer.address)
    if answer.problem:
        context = {"find": FindForm(), "problem": answer.problem, "same_id": answer.same_id,
                   "identifier": answer.identifier}  # fmt: skip
        return render(request, "staff/find.html", context, status=404)
    words = redact(text)[:120]
    found = finding.search(words)
    context = {
        "find": FindForm(),
        "words": words,
        "found": found,
        "lines": [line(event, target_page) for event in found.events],
    }
    return render(request, "staff/find.html", context)


@staff_page("staff:view")
@require_safe
def token(request: HttpRequest, token_id: str) -> HttpResponse:
    """All about one management token. The company's record says that staff looked."""
    found = _token(token_id)
    note_viewed("token:viewed_by_staff", company=found.company, target=_target(found), actor=staff_actor(request))
    events = [line(event, target_page) for event in target_events(found.company, "token", found.pk)[:30]]
    return render(request, "staff/token.html", {"token": found, "events": events})


@staff_page("key:revoke")
def token_revoke(request: HttpRequest, token_id: str) -> HttpResponse:
    """Refuse a management token from now on. Never asks to sign in again: it must be quick."""
    found = _token(token_id)
    if found.revoked_at:
        return redirect("staff:token", found.pk)
    form = RevokeForm(posted(request))
    if request.method == "POST" and form.is_valid():
        revoke_token(token=found, reason=form.reason, actor=staff_actor(request))
        messages.success(request, _("%(token)s is revoked: it is refused from now on.") % {"token": found.name})
        return redirect("staff:token", found.pk)
    return act_page(
        request,
        form,
        heading=_("Revoke %(token)s") % {"token": found.name},
        lead=_("Programs that manage the company's keys with it are refused from now on. Keys that it made stay."),
        submit=_("Revoke the token"),
        tone="danger",
        back=("staff:token", found.pk, found.name),
    )


def _token(token_id: str) -> ManagementToken:
    return get_object_or_404(ManagementToken.objects.select_related("company", "user").defer("digest"), pk=token_id)


def _target(token: ManagementToken) -> Target:
    return Target("token", token.pk, token.name)
