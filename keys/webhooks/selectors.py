"""Reading endpoints and their logs, always from the company."""

from __future__ import annotations

from django.db.models import Count, Prefetch, Q, QuerySet

from keys.webhooks.models import Attempt, Delivery, DeliveryState, Endpoint
from portal.companies.models import Company


def company_endpoints(company: Company) -> QuerySet[Endpoint]:
    """The endpoints of `company` and of its own servers, with the number of their `pending` and `failed` deliveries.

    One query.
    """
    return (
        _endpoints(company)
        .select_related("server")
        .annotate(
            pending=Count("deliveries", filter=Q(deliveries__state=DeliveryState.PENDING)),
            failed=Count("deliveries", filter=Q(deliveries__state=DeliveryState.FAILED)),
        )
        .order_by("created_at", "id")
    )


def company_endpoint(company: Company, endpoint_id: str) -> Endpoint | None:
    """One endpoint of `company` or of its own servers, or None, also if it is another company's."""
    return _endpoints(company).filter(pk=endpoint_id).first()


def _endpoints(company: Company) -> QuerySet[Endpoint]:
    return Endpoint.objects.filter(Q(company=company) | Q(server__company=company))


def endpoint_deliveries(endpoint: Endpoint, *, state: str = "", event_type: str = "") -> QuerySet[Delivery]:
    """The log of `endpoint`, latest first, with the events; `state` and `event_type` narrow it."""
    found = Delivery.objects.filter(endpoint=endpoint).select_related("event").order_by("-created_at", "-id")
    if state:
        found = found.filter(state=state)
    if event_type:
        found = found.filter(event__type=event_type)
    return found


def endpoint_delivery(endpoint: Endpoint, delivery_id: str) -> Delivery | None:
    """One delivery of `endpoint` with its event and its attempts, or None. Two queries."""
    log = Prefetch("log", Attempt.objects.order_by("-at", "-id"))
    return endpoint.deliveries.select_related("event").prefetch_related(log).filter(pk=delivery_id).first()
