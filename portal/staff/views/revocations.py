"""Revoking by rule: the rule with its preview, and the run with its progress."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from keys.models import Key
from keys.oauth.models import Connection
from portal import health
from portal.accounts.reauthentication import recent_sign_in_required
from portal.companies.models import Company, Membership
from portal.companies.roles import Role
from portal.cursors import paginate
from portal.incidents.selectors import open_incidents
from portal.logs import redact
from portal.staff.access import staff_actor, staff_page
from portal.staff.errors import StaffError
from portal.staff.forms import ConfirmForm
from portal.staff.models import RevocationRun, RunState
from portal.staff.revocations import runs
from portal.staff.revocations.finds import FIRST, SAMPLE, Found, look, number_of
from portal.staff.revocations.rules import MOMENTS, Rule, in_words, matches
from portal.staff.rule_forms import QUICK, RuleForm, RunForm
from portal.staff.views.acts import act_page, posted

PAGE: Final = 25
SECONDS: Final = 5.0  # what a page does by itself while the queue is away, at a time


@staff_page("key:revoke")
def revoke_rule(request: HttpRequest) -> HttpResponseBase:
    """The rule in the address, what it finds now, and the form that starts it."""
    form = RuleForm(request.GET or None)
    context: dict[str, Any] = {
        "form": form,
        "of_what": [form[name] for name in ("company", "member", "server")],
        "of_use": [form[name] for name in ("scope", "address")],
        "moments": [form[name] for name in MOMENTS],
    }
    if not form.is_valid() or form.rule is None:
        context["runs"] = RevocationRun.objects.select_related("incident")[:5]
        return render(request, "staff/revoke_rule.html", context, status=400 if form.errors else 200)
    try:
        found = matches(form.rule)
    except StaffError as error:
        form.add_error("address", str(error.message))
        return render(request, "staff/revoke_rule.html", context, status=400)
    keys, connections = look(found.keys.defer("digest")), look(found.connections)
    number = keys.number + connections.number
    view: Any = recent_sign_in_required(_start) if request.method == "POST" and number.count > QUICK else _start
    return view(request, form.rule, context | _preview(form.rule, keys, connections))


def _preview(rule: Rule, keys: Found[Key], connections: Found[Connection]) -> dict[str, Any]:
    companies = keys.companies | connections.companies
    owners = Membership.objects.filter(company__in=companies, role=Role.OWNER)
    return {
        "words": in_words(rule),
        "keys": keys,
        "connections": connections,
        "number": keys.number + connections.number,
        "companies": Company.objects.filter(pk__in=companies).order_by("name")[:SAMPLE],
        "partial": keys.is_wide or connections.is_wide,
        "first": FIRST,
        "company_count": len(companies),
        "owner_count": owners.values("user").distinct().count(),
    }


def _start(request: HttpRequest, rule: Rule, context: dict[str, Any]) -> HttpResponse:
    incidents = open_incidents()
    choices = [(incident.pk, f"{incident.title} ({incident.pk})") for incident in incidents]
    data = posted(request)
    form = RunForm(data, number=context["number"], incidents=choices)
    if data is not None and context["number"].count and form.is_valid():
        chosen = next((one for one in incidents if one.pk == form.cleaned_data.get("incident")), None)
        run = runs.start_run(
            rule=rule,
            reason=form.reason,
            actor=staff_actor(request),
            title=redact(form.cleaned_data["title"]),
            incident=chosen,
            tell_owners=form.cleaned_data["tell_owners"],
        )
        return redirect("staff:run", run.pk)
    return render(request, "staff/revoke_rule.html", context | {"run_form": form}, status=400 if form.errors else 200)


@staff_page("staff:view")
@require_safe
def all_runs(request: HttpRequest) -> HttpResponse:
    """Every revocation by rule, latest first."""
    found = RevocationRun.objects.select_related("incident", "started_by")
    page = paginate(found, order=("-created_at", "id"), size=PAGE, cursor=request.GET.get("cursor", ""))
    return render(request, "staff/runs.html", {"page": page})


@staff_page("staff:view")
@require_safe
def run(request: HttpRequest, run_id: str) -> HttpResponse:
    """How far a run came; asked by htmx, only the part that changes."""
    found = _run(run_id)
    age = health.heartbeat_age()
    context = {
        "run": found,
        "words": in_words(Rule.from_json(found.rule)),
        "worker_away": age is None or age > health.WORKER_LATE_AFTER,
        "may_approve": runs.may_approve(found, request.user),  # type: ignore[arg-type]
    }
    part = bool(getattr(request, "htmx", False))
    return render(request, "staff/_run.html" if part else "staff/run.html", context)


@staff_page("key:revoke")
@require_POST
def go_on(request: HttpRequest, run_id: str) -> HttpResponse:
    """Do some batches in this request: for while the queue or its worker is away."""
    found = _run(run_id)
    if runs.work(found.pk, seconds=SECONDS) == RunState.RUNNING:
        messages.info(request, _("A part is done. Go on until all is."))
    return redirect("staff:run", found.pk)


@staff_page("key:revoke")
@require_POST
def stop(request: HttpRequest, run_id: str) -> HttpResponse:
    """Do no further batch; what is revoked stays so."""
    return _decide(request, run_id, runs.stop)


@staff_page("key:revoke")
@recent_sign_in_required
def approve(request: HttpRequest, run_id: str) -> HttpResponse:
    """Let a waiting run begin, as its second person, who is told what it finds now."""
    found = _run(run_id)
    if request.method == "POST" or found.state != RunState.WAITING:
        return _decide(request, run_id, runs.approve)
    now = matches(Rule.from_json(found.rule))
    number = number_of(now.keys) + number_of(now.connections)
    return act_page(
        request,
        ConfirmForm(),
        heading=_("Approve the revocation"),
        lead=_("%(who)s asks to revoke %(number)s keys and connections, for good. The reason: %(reason)s")
        % {"who": found.actor_label, "number": number, "reason": found.reason},
        submit=_("Approve and revoke"),
        tone="danger",
        back=("staff:run", found.pk, _("Run")),
    )


@staff_page("key:revoke")
@require_POST
def refuse(request: HttpRequest, run_id: str) -> HttpResponse:
    """Drop a waiting run."""
    return _decide(request, run_id, runs.refuse)


def _decide(request: HttpRequest, run_id: str, decision: Any) -> HttpResponse:
    found = _run(run_id)
    try:
        decision(run=found, actor=staff_actor(request))
    except StaffError as error:
        messages.error(request, str(error.message))
    return redirect("staff:run", found.pk)


def _run(run_id: str) -> RevocationRun:
    return get_object_or_404(RevocationRun.objects.select_related("incident", "started_by", "decided_by"), pk=run_id)
