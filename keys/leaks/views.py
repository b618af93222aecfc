"""Pages of leaks: for anybody who holds a token, for the company that it belongs to, and for staff."""

from __future__ import annotations

import re

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from keys.leaks import holders, limits, services
from keys.leaks.forms import LeakFilter, ReportForm, RuleForm
from keys.leaks.mails import subject_page
from keys.leaks.models import Kind, Leak, Rule
from keys.tokens import TOKEN_PATTERN
from portal.audit.actors import Actor
from portal.companies.access import CompanyRequest, company_page
from portal.cursors import paginate
from portal.staff import searches
from portal.staff.access import staff_page

PAGE = 50
_TOKEN_PART = re.compile(r"lk_[a-z]{3,4}_([0-9A-Za-z]{12})", re.ASCII)
_WHOLE_TOKEN = re.compile(TOKEN_PATTERN, re.ASCII)


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def leaked(request: HttpRequest) -> HttpResponse:
    """Have a token revoked that somebody found. No account; the answer is the same for every token.

    The answer is to the POST itself: after a redirect there is nothing to show, and what was sent stays out of history.
    """
    form = ReportForm(request.POST or None)
    if request.method == "POST":
        if seconds := limits.wait(request):
            response = render(request, "leaks/leaked.html", {"form": ReportForm(), "seconds": seconds}, status=429)
            response["Retry-After"] = str(seconds)
            return response
        if form.is_valid():
            holders.report(form.cleaned_data["token"])
            return render(request, "leaks/thanks.html", {"number": len(form.cleaned_data["token"])})
        form.data = {}  # what was typed may be half of a secret: it is not sent back
        return render(request, "leaks/leaked.html", {"form": form}, status=400)
    return render(request, "leaks/leaked.html", {"form": form})


@require_http_methods(["GET", "HEAD", "POST"])
@company_page("company:edit")
def company_leaks(request: CompanyRequest, slug: str) -> HttpResponse:
    """What happens to leaked tokens of the company, and what leaked."""
    form = RuleForm(request.POST or None, initial={"rule": services.rule_of(request.company)})
    if request.method == "POST" and form.is_valid():
        services.change_rule(
            company=request.company, rule=form.cleaned_data["rule"], actor=Actor.user(request.user, request)
        )
        messages.success(request, _("The rule is saved. It holds from the next report on."))
        return redirect("leaks:company", slug=slug)
    page = paginate(
        request.company.leaks.select_related("company"), order=("-reported_at", "-id"), size=PAGE,
        cursor=request.GET.get("cursor", ""),
    )  # fmt: skip
    rows = [(leak, subject_page(leak)) for leak in page.rows]
    helps = {
        str(Rule.REVOKE): _("Whoever found it is shut out within a second. So are those of you who still use it."),
        str(Rule.TELL): _("It goes on working until one of you revokes it, for whoever found it too."),
    }
    return render(request, "leaks/company.html", {"form": form, "page": page, "rows": rows, "helps": helps})


@staff_page("staff:view")
@require_safe
def staff_leaks(request: HttpRequest) -> HttpResponseBase:
    """What leaked, of all companies; searched by visible part, id, name or company."""
    if _WHOLE_TOKEN.search(request.GET.get("q", "")):  # somebody pasted a secret: it must not stay in the address
        kept = request.GET.copy()
        kept["q"] = _WHOLE_TOKEN.sub(lambda token: token[2], request.GET["q"])
        return redirect(f"{request.path}?{kept.urlencode()}")
    form = LeakFilter(request.GET)
    found = Leak.objects.select_related("company").filter(**form.chosen())
    if query := form.query:
        part = _TOKEN_PART.search(query)
        identifier = part[1] if part else query
        found = searches.leaks(query, identifier).of(found)
    page = paginate(found, order=("-reported_at", "-id"), size=PAGE, cursor=request.GET.get("cursor", ""))
    filters = [form["kind"], form["source"], form["outcome"]]
    rows = [(leak, reverse("staff:key", args=[leak.subject_id]) if leak.kind == Kind.KEY else "") for leak in page.rows]
    filtered = bool(query or form.chosen())
    context = {"page": page, "rows": rows, "filters": filters, "query": query, "filtered": filtered}
    return render(request, "leaks/staff.html", context)
