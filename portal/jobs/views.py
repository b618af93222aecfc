"""The staff's page of background work."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from portal import health
from portal.cursors import paginate
from portal.jobs import selectors, services
from portal.jobs.errors import NotReplayable
from portal.jobs.models import DeadLetter
from portal.staff.access import staff_actor, staff_page

PAGE = 25


@staff_page("staff:view")
@require_safe
def jobs(request: HttpRequest) -> HttpResponse:
    """Worker, queues, regular tasks, and what failed for good."""
    show_all = request.GET.get("show") == "all"
    page = paginate(
        selectors.failures(open_only=not show_all),
        order=("-failed_at", "-id"),
        size=PAGE,
        cursor=request.GET.get("cursor", ""),
    )
    context = {
        "heartbeat_age": health.heartbeat_age(),
        "late_after": health.WORKER_LATE_AFTER,
        "queues": selectors.queue_lengths(),
        "regular": selectors.regular_tasks(),
        "open": selectors.open_failures().count(),
        "page": page,
        "failures": [(letter, services.can_replay(letter)) for letter in page.rows],
        "show_all": show_all,
    }
    return render(request, "jobs/jobs.html", context)


@staff_page("job:manage")
@require_POST
def replay(request: HttpRequest, letter_id: str) -> HttpResponse:
    """Run a failed task again."""
    letter = get_object_or_404(DeadLetter, pk=letter_id)
    try:
        services.replay(letter=letter, actor=staff_actor(request))
    except NotReplayable as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("%(task)s runs again.") % {"task": letter.task})
    return redirect("jobs:list")


@staff_page("job:manage")
@require_POST
def dismiss(request: HttpRequest, letter_id: str) -> HttpResponse:
    """Take a failure off the list of what waits for a person."""
    letter = get_object_or_404(DeadLetter, pk=letter_id)
    try:
        services.dismiss(letter=letter, actor=staff_actor(request))
    except NotReplayable as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The failure of %(task)s is dismissed.") % {"task": letter.task})
    return redirect("jobs:list")
