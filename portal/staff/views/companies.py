"""Companies: list, detail, suspend, reactivate."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from keys.models import Key
from portal.audit.selectors import company_events
from portal.audit.sentences import line
from portal.companies.errors import CompanyError
from portal.companies.models import Company, CompanyState
from portal.companies.services import change_plan, reactivate_company, suspend_company
from portal.cursors import paginate
from portal.staff import selectors
from portal.staff.access import staff_actor, staff_page
from portal.staff.forms import CompanyFilter, ConfirmForm, PlanForm, ReasonForm
from portal.staff.views.acts import act_page, posted
from portal.staff.views.dashboard import target_page

PAGE = 50


@staff_page("staff:view")
@require_safe
def companies(request: HttpRequest) -> HttpResponse:
    """Every company: search, filter by state, sort."""
    form = CompanyFilter(request.GET)
    data = form.cleaned_data if form.is_valid() else {}
    sort = data.get("sort") or "newest"
    found = selectors.companies(query=data.get("q", "").strip(), state=data.get("state", ""))
    page = paginate(found, order=selectors.COMPANY_SORTS[sort], size=PAGE, cursor=request.GET.get("cursor", ""))
    context = {"form": form, "page": page, "filters": [form["state"], form["sort"]], "query": data.get("q", "")}
    return render(request, "staff/companies.html", context)


@staff_page("staff:view")
@require_safe
def company(request: HttpRequest, company_id: str) -> HttpResponse:
    """A company: members, keys, card, servers and the latest of its record."""
    found = get_object_or_404(Company, pk=company_id)
    number, more = selectors.counted(found.keys.all())
    context = {
        "company": found,
        "members": found.memberships.select_related("user").order_by("created_at", "pk")[:100],
        "keys": found.keys.select_related("server", "user").defer("digest").order_by("-created_at", "id")[:10],
        "key_count": number,
        "more_keys": more,
        "usable_count": selectors.counted(Key.objects.usable().filter(company=found))[0],
        "card": found.cards.filter(replaced_at=None).first(),
        "servers": found.servers.order_by("name")[:20],
        "events": [line(event, target_page) for event in company_events(found)[:12]],
    }
    return render(request, "staff/company.html", context)


@staff_page("company:suspend")
def suspend(request: HttpRequest, company_id: str) -> HttpResponse:
    """Refuse all keys of a company from now on, with a reason that it reads."""
    found = get_object_or_404(Company, pk=company_id)
    if not found.is_active:
        return redirect("staff:company", found.pk)
    form = ReasonForm(posted(request))
    if request.method == "POST" and form.is_valid():
        try:
            suspend_company(company=found, reason=form.reason, actor=staff_actor(request))
        except CompanyError as error:
            messages.error(request, str(error.message))
        else:
            messages.success(request, _("%(company)s is suspended: its keys are refused.") % {"company": found.name})
        return redirect("staff:company", found.pk)
    return act_page(
        request,
        form,
        heading=_("Suspend %(company)s") % {"company": found.name},
        lead=_("Every key of the company is refused from now on. Members can still sign in and read the reason."),
        submit=_("Suspend the company"),
        tone="danger",
        back=("staff:company", found.pk, found.name),
    )


@staff_page("plan:manage")
def plan(request: HttpRequest, company_id: str) -> HttpResponse:
    """Give a company another plan: the limits of its keys."""
    found = get_object_or_404(Company, pk=company_id)
    form = PlanForm(posted(request), initial={"plan": found.plan})
    if request.method == "POST" and form.is_valid():
        try:
            change_plan(company=found, plan=form.cleaned_data["plan"], actor=staff_actor(request))
        except CompanyError as error:
            messages.error(request, str(error.message))
        else:
            messages.success(request, _("The plan's limits count from now on."))
        return redirect("staff:company", found.pk)
    return act_page(
        request,
        form,
        heading=_("Plan of %(company)s") % {"company": found.name},
        lead=_("How often each of its keys may be used. Keys with limits of their own keep them."),
        submit=_("Save the plan"),
        here=_("Plan"),
        tone="primary",
        back=("staff:company", found.pk, found.name),
    )


@staff_page("company:suspend")
def reactivate(request: HttpRequest, company_id: str) -> HttpResponse:
    """End a suspension: keys that were not revoked work again."""
    found = get_object_or_404(Company, pk=company_id)
    if found.state != CompanyState.SUSPENDED:
        return redirect("staff:company", found.pk)
    if request.method == "POST":
        try:
            reactivate_company(company=found, actor=staff_actor(request))
        except CompanyError as error:
            messages.error(request, str(error.message))
        else:
            messages.success(request, _("%(company)s is active again.") % {"company": found.name})
        return redirect("staff:company", found.pk)
    return act_page(
        request,
        ConfirmForm(),
        heading=_("Reactivate %(company)s") % {"company": found.name},
        lead=_("Keys that were not revoked and have not expired work again. Revoked keys stay revoked."),
        submit=_("Reactivate the company"),
        tone="primary",
        back=("staff:company", found.pk, found.name),
    )
