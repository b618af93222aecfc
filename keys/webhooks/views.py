"""A company's webhook pages. Owners and admins only."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from keys.models import McpServer
from keys.webhooks import endpoints, selectors, services
from keys.webhooks.errors import EndpointOff, TooManyEndpoints
from keys.webhooks.forms import EndpointForm, LogForm, RotateForm
from keys.webhooks.models import Delivery, DeliveryState, Endpoint
from portal.accounts.reauthentication import recent_sign_in_required
from portal.audit.actors import Actor
from portal.companies.access import CompanyRequest, company_page

PAGE = 25
# How receivers check a signature, shown beside the secret.
EXAMPLES = [
    (
        "Python",
        "from standardwebhooks import Webhook\n\npayload = Webhook(secret).verify(request.body, dict(request.headers))",
    ),
    (
        "TypeScript",
        'import { Webhook } from "standardwebhooks";\n\nconst payload = new Webhook(secret).verify(body, headers);',
    ),
]


@company_page("webhook:manage")
@require_GET
def endpoint_list(request: CompanyRequest, slug: str) -> HttpResponse:
    """The company's endpoints and how they fare."""
    found = list(selectors.company_endpoints(request.company))
    full = len(found) >= endpoints.MOST_ENDPOINTS
    return render(request, "webhooks/list.html", {"endpoints": found, "full": full, "most": endpoints.MOST_ENDPOINTS})


@company_page("webhook:manage")
@recent_sign_in_required
@require_http_methods(["GET", "POST"])
@never_cache
def endpoint_new(request: CompanyRequest, slug: str) -> HttpResponse:
    """Add an endpoint of the company, or with `?server=` of one of its own servers.

    The answer to the POST shows its secret, this once: no redirect, as nothing may keep it.
    """
    server = _own_server(request)
    owner: dict[str, Any] = {"server": server} if server else {"company": request.company}
    form = EndpointForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            endpoint, secret = endpoints.create_endpoint(actor=_actor(request), **owner, **form.facts)
        except TooManyEndpoints as error:
            form.add_error(None, str(error.message))
        else:
            context = {"endpoint": endpoint, "secret": secret, "examples": EXAMPLES, "is_new": True}
            return render(request, "webhooks/secret.html", context)
    return render(request, "webhooks/new.html", {"form": form, "server": server})


@company_page("webhook:manage")
@require_GET
def endpoint_detail(request: CompanyRequest, slug: str, endpoint_id: str) -> HttpResponse:
    """One endpoint and its delivery log."""
    endpoint = _endpoint(request, endpoint_id)
    filters = LogForm(request.GET)
    deliveries = selectors.endpoint_deliveries(endpoint, **filters.filters)
    context = {
        "endpoint": endpoint,
        "filters": filters,
        "is_filtered": any(filters.filters.values()),
        "page": Paginator(deliveries, PAGE).get_page(request.GET.get("page")),
        "failed": selectors.endpoint_deliveries(endpoint, state=DeliveryState.FAILED).count(),
        "now": timezone.now(),
    }
    return render(request, "webhooks/detail.html", context)


@company_page("webhook:manage")
@require_http_methods(["GET", "POST"])
def endpoint_edit(request: CompanyRequest, slug: str, endpoint_id: str) -> HttpResponse:
    """Change where events go, and which."""
    endpoint = _endpoint(request, endpoint_id)
    form = EndpointForm(request.POST) if request.method == "POST" else EndpointForm.of(endpoint)
    if request.method == "POST" and form.is_valid():
        endpoints.update_endpoint(endpoint=endpoint, actor=_actor(request), **form.facts)
        messages.success(request, _("The endpoint was saved."))
        return redirect("webhooks:detail", slug, endpoint.pk)
    return render(request, "webhooks/edit.html", {"endpoint": endpoint, "form": form})


@company_page("webhook:manage")
@recent_sign_in_required
@require_http_methods(["GET", "POST"])
@never_cache
def endpoint_rotate(request: CompanyRequest, slug: str, endpoint_id: str) -> HttpResponse:
    """Give it a new signing secret. The answer to the POST shows it, this once."""
    endpoint = _endpoint(request, endpoint_id)
    form = RotateForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        endpoint, secret = endpoints.rotate_secret(endpoint=endpoint, overlap=form.duration, actor=_actor(request))
        context = {"endpoint": endpoint, "secret": secret, "examples": EXAMPLES}
        return render(request, "webhooks/secret.html", context)
    return render(request, "webhooks/rotate.html", {"endpoint": endpoint, "form": form})


@company_page("webhook:manage")
@require_http_methods(["GET", "POST"])
def endpoint_delete(request: CompanyRequest, slug: str, endpoint_id: str) -> HttpResponse:
    """Take it away, after a question."""
    endpoint = _endpoint(request, endpoint_id)
    if request.method == "POST":
        endpoints.delete_endpoint(endpoint=endpoint, actor=_actor(request))
        messages.success(request, _("The endpoint was deleted."))
        return redirect("webhooks:list", slug)
    return render(request, "webhooks/delete.html", {"endpoint": endpoint})


@company_page("webhook:manage")
@require_POST
def endpoint_test(request: CompanyRequest, slug: str, endpoint_id: str) -> HttpResponse:
    """Send a test event and show what becomes of it."""
    endpoint = _endpoint(request, endpoint_id)
    try:
        delivery = services.send_test_event(endpoint=endpoint)
    except EndpointOff as error:
        messages.error(request, str(error.message))
        return redirect("webhooks:detail", slug, endpoint.pk)
    messages.success(request, _("A test event is on its way."))
    return redirect("webhooks:delivery", slug, endpoint.pk, delivery.pk)


@company_page("webhook:manage")
@require_POST
def endpoint_on(request: CompanyRequest, slug: str, endpoint_id: str) -> HttpResponse:
    """Send events again."""
    endpoint = endpoints.enable_endpoint(endpoint=_endpoint(request, endpoint_id), actor=_actor(request))
    messages.success(request, _("The endpoint is switched on."))
    return redirect("webhooks:detail", slug, endpoint.pk)


@company_page("webhook:manage")
@require_POST
def endpoint_off(request: CompanyRequest, slug: str, endpoint_id: str) -> HttpResponse:
    """Send no more events."""
    endpoint = endpoints.disable_endpoint(endpoint=_endpoint(request, endpoint_id), actor=_actor(request))
    messages.success(request, _("The endpoint is switched off. Nothing is sent to it."))
    return redirect("webhooks:detail", slug, endpoint.pk)


@company_page("webhook:manage")
@require_POST
def endpoint_replay(request: CompanyRequest, slug: str, endpoint_id: str) -> HttpResponse:
    """Send everything that failed once more."""
    endpoint = _endpoint(request, endpoint_id)
    try:
        count = services.replay_failed(endpoint=endpoint)
    except EndpointOff as error:
        messages.error(request, str(error.message))
    else:
        text = ngettext("%(count)d event is sent again.", "%(count)d events are sent again.", count)
        messages.success(request, text % {"count": count})
    return redirect("webhooks:detail", slug, endpoint.pk)


@company_page("webhook:manage")
@require_GET
def delivery_detail(request: CompanyRequest, slug: str, endpoint_id: str, delivery_id: str) -> HttpResponse:
    """One event as it is sent, and every attempt."""
    endpoint = _endpoint(request, endpoint_id)
    delivery = _delivery(endpoint, delivery_id)
    payload = json.dumps(delivery.event.payload, indent=2, ensure_ascii=False)
    context = {"endpoint": endpoint, "delivery": delivery, "attempts": delivery.log.all(), "payload": payload}
    return render(request, "webhooks/delivery.html", context)


@company_page("webhook:manage")
@require_POST
def delivery_replay(request: CompanyRequest, slug: str, endpoint_id: str, delivery_id: str) -> HttpResponse:
    """Send the event once more, now."""
    endpoint = _endpoint(request, endpoint_id)
    try:
        services.replay(delivery=_delivery(endpoint, delivery_id))
    except EndpointOff as error:
        messages.error(request, str(error.message))
    else:
        messages.success(request, _("The event is sent again."))
    return redirect("webhooks:delivery", slug, endpoint.pk, delivery_id)


def _actor(request: CompanyRequest) -> Actor:
    return Actor.user(request.user, request)


def _own_server(request: CompanyRequest) -> McpServer | None:
    server_id = request.GET.get("server", "")
    if not server_id:
        return None
    found: McpServer | None = (
        request.company.servers.filter(pk=server_id, archived_at=None).first() if server_id.isalnum() else None
    )
    if found is None:
        raise Http404
    return found


def _endpoint(request: CompanyRequest, endpoint_id: str) -> Endpoint:
    endpoint = selectors.company_endpoint(request.company, endpoint_id)
    if endpoint is None:
        raise Http404
    return endpoint


def _delivery(endpoint: Endpoint, delivery_id: str) -> Delivery:
    delivery = selectors.endpoint_delivery(endpoint, delivery_id)
    if delivery is None:
        raise Http404
    return delivery
