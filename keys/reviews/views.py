"""Pages of access reviews: the company's list, one review, its file and its printed form; and the staff's figures."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from keys.reviews import selectors, services
from keys.reviews.forms import DecideForm
from keys.reviews.models import Review
from portal.audit.actors import Actor
from portal.audit.exports import guarded
from portal.companies.access import CompanyRequest, company_page
from portal.cursors import paginate
from portal.staff.access import staff_page

ROWS, REVIEWS = 100, 24
APPROVE = "owner:manage"  # owners answer for who has access
COLUMNS = (
    "kind", "id", "name", "value", "person", "mcp_server", "scopes", "created_at", "last_used_at", "expires_at",
    "recommendation", "reason", "revoked_at",
)  # fmt: skip


@require_safe
@company_page("audit:view")
def review_list(request: CompanyRequest, slug: str) -> HttpResponse:
    """The reviews of the company, latest first."""
    page = Paginator(selectors.company_reviews(request.company), REVIEWS).get_page(request.GET.get("page"))
    return render(request, "reviews/list.html", {"page": page})


@require_http_methods(["GET", "HEAD", "POST"])
@company_page("audit:view")
def review(request: CompanyRequest, slug: str, review_id: str) -> HttpResponse:
    """One review: who has what, and what to do about each. An owner revokes and approves."""
    found = _review_or_404(request, review_id)
    form = DecideForm(request.POST or None)
    if request.method == "POST":
        if not request.membership.may(APPROVE):
            raise PermissionDenied(_("Only an owner of the company can decide about an access review."))
        if form.is_valid():
            return _decide(request, found, form)
    page = Paginator(found.rows, ROWS).get_page(request.GET.get("page"))
    context = {
        "review": found,
        "form": form,
        "page": page,
        "lines": selectors.lines(found, list(page.object_list)),
        "may_approve": request.membership.may(APPROVE),
        "advised": sum(row["advice"] != "keep" for row in found.rows),
    }
    return render(request, "reviews/one.html", context)


def _decide(request: CompanyRequest, found: Review, form: DecideForm) -> HttpResponse:
    ids = form.ticked(request.POST, {row["id"] for row in found.rows})
    act, note = form.cleaned_data["act"], form.cleaned_data["note"]
    here = redirect("reviews:one", slug=request.company.slug, review_id=found.pk)
    if act == "revoke" and not ids:
        messages.info(request, _("Nothing was ticked, so nothing was revoked."))
        return here
    if ids and not form.cleaned_data["confirmed"]:
        rows = [row for row in found.rows if row["id"] in set(ids)]
        context = {"review": found, "lines": selectors.lines(found, rows), "act": act, "note": note}
        return render(request, "reviews/confirm.html", context)
    actor = Actor.user(request.user, request)
    try:
        if act == "approve":
            services.approve(review=found, user=request.user, actor=actor, ids=ids, note=note)
            messages.success(request, _("The review is approved and kept."))
        else:
            count = services.revoke_rows(review=found, ids=ids, actor=actor)
            words = ngettext("%(count)d was revoked.", "%(count)d were revoked.", count)
            messages.success(request, words % {"count": count})
    except services.AlreadyApproved as error:
        messages.info(request, str(error.message))
    return here


@require_safe
@company_page("audit:view")
def printed(request: CompanyRequest, slug: str, review_id: str) -> HttpResponse:
    """The whole review on one page, to print or to file."""
    found = _review_or_404(request, review_id)
    return render(request, "reviews/print.html", {"review": found, "lines": selectors.lines(found, found.rows)})


@require_safe
@company_page("audit:view")  # type: ignore[arg-type]  # a streamed file is no HttpResponse
def export(request: CompanyRequest, slug: str, review_id: str) -> HttpResponseBase:
    """The whole review as CSV."""
    found = _review_or_404(request, review_id)
    response = StreamingHttpResponse(_csv(found), content_type="text/csv; charset=utf-8")
    name = f"{request.company.slug}-access-review-{found.month:%Y-%m}"
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    response["Cache-Control"] = "no-store"
    return response


@staff_page("staff:view")
@require_safe
def staff_reviews(request: HttpRequest) -> HttpResponseBase:
    """How many reviews are open, by month, and which for the longest."""
    waiting = Review.objects.filter(approved_at=None).prefetch_related("company").defer("rows")
    page = paginate(waiting, order=("created_at", "id"), size=50, cursor=request.GET.get("cursor", ""))
    return render(request, "reviews/staff.html", {"months": selectors.open_counts(), "page": page})


class _Echo:
    """A file for csv.writer that hands back each line."""

    def write(self, line: str) -> str:
        return line


def _csv(found: Review) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(COLUMNS)
    for start in range(0, len(found.rows), 1000):
        for line in selectors.lines(found, found.rows[start : start + 1000]):
            moments = (line.created_at, line.last_used_at, line.expires_at)
            yield writer.writerow(
                guarded(value)
                for value in (
                    line.kind, line.id, line.name, line.hint, line.person, line.server, " ".join(line.scopes),
                    *(moment.isoformat(timespec="seconds") if moment else "" for moment in moments), line.advice,
                    line.why, line.revoked_at.isoformat(timespec="seconds") if line.revoked_at else "",
                )
            )  # fmt: skip


def _review_or_404(request: CompanyRequest, review_id: str) -> Review:
    found = selectors.company_review(request.company, review_id)
    if found is None:
        raise Http404
    return found
