"""/api/v1/company, /usage/…, /audit: what a company's scripts read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Sum
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from keys.api.management.base import PAGING, ManagementView, caller_of, iso, page_of
from keys.api.management.keys import _ERRORS
from keys.api.verify import json_response
from keys.models import ManagementScope
from keys.usage.models import CompanyDay, CompanyHour, UsageDay, UsageHour
from portal.audit.selectors import company_events

_GROUPS = {"key": "key_id", "code": "code", "tool": "tool", "client": "client", "server": "server_id"}


class OwnCompanySerializer(serializers.Serializer):
    """The company and the token that asks."""

    id = serializers.CharField()
    name = serializers.CharField()
    slug = serializers.CharField()
    state = serializers.CharField()
    currency = serializers.CharField()
    token = serializers.DictField()


class UsageRowSerializer(serializers.Serializer):
    """Counts of one period and group."""

    period = serializers.DateTimeField()
    group = serializers.CharField(required=False)
    count = serializers.IntegerField()


class UsageSerializer(serializers.Serializer):
    """Usage over time."""

    results = UsageRowSerializer(many=True)


class EventSerializer(serializers.Serializer):
    """An audit event."""

    number = serializers.IntegerField()
    at = serializers.DateTimeField()
    action = serializers.CharField()
    actor = serializers.DictField()
    target = serializers.DictField()
    reason = serializers.CharField()
    data = serializers.DictField()  # type: ignore[assignment]
    request_id = serializers.CharField()
    hash = serializers.CharField()


class EventPageSerializer(serializers.Serializer):
    """One page of events."""

    results = EventSerializer(many=True)
    next = serializers.CharField(allow_null=True)


@extend_schema(tags=["company"])
class CompanyView(ManagementView):
    """The company that the token acts for."""

    scopes = {"GET": ManagementScope.KEYS_READ.value}

    @extend_schema(
        operation_id="get_company",
        description="The company, and the token that asks: a script's whoami.",
        responses={200: OwnCompanySerializer, **_ERRORS},
    )
    def get(self, request: Request) -> HttpResponse:
        """Show."""
        company, token = caller_of(request).company, caller_of(request).token
        return json_response(
            {
                "id": company.pk,
                "name": company.name,
                "slug": company.slug,
                "state": company.state,
                "currency": company.currency,
                "token": {
                    "id": token.pk,
                    "name": token.name,
                    "scopes": token.scopes,
                    "expires_at": iso(token.expires_at),
                },
            }
        )


@extend_schema(tags=["usage"])
class UsageView(ManagementView):
    """Verdicts over time."""

    scopes = {"GET": ManagementScope.USAGE_READ.value}

    @extend_schema(
        operation_id="get_usage",
        description="How often the company's keys were verified, by hour (at most 31 days) or by day.",
        parameters=[
            OpenApiParameter("by", str, enum=["hour", "day"], description="Default: day."),
            OpenApiParameter("days", int, description="How far back; default 30."),
            OpenApiParameter("group", str, enum=list(_GROUPS), description="Split the counts by this."),
            OpenApiParameter("key", str, description="Only this key."),
        ],
        responses={200: UsageSerializer, **_ERRORS},
    )
    def get(self, request: Request) -> HttpResponse:
        """Count."""
        query = request.query_params
        by, days, group = query.get("by", "day"), query.get("days", "30"), query.get("group")
        most = 31 if by == "hour" else 366
        if by not in {"hour", "day"}:
            raise ValidationError({"by": "Send hour or day."})
        if not (days.isascii() and days.isdigit() and 1 <= int(days) <= most):
            raise ValidationError({"days": f"Send a whole number from 1 to {most}."})
        if group is not None and group not in _GROUPS:
            raise ValidationError({"group": f"Send one of {', '.join(_GROUPS)}."})
        since = timezone.now() - timedelta(days=int(days))
        key = query.get("key")
        hours, days_table = (UsageHour, UsageDay) if key or group == "key" else (CompanyHour, CompanyDay)
        table = hours if by == "hour" else days_table
        rows: Any = table._default_manager.filter(company_id=caller_of(request).company.pk, period__gte=since)
        if key:
            if "\x00" in key:
                raise ValidationError({"key": "Send a key's id."})
            rows = rows.filter(key_id=key)
        columns = ["period", *([_GROUPS[group]] if group else [])]
        counted = rows.values(*columns).annotate(total=Sum("count")).order_by(*columns)[:50_000]
        return json_response(
            {
                "results": [
                    {"period": iso(row["period"]), "count": row["total"]}
                    | ({"group": row[_GROUPS[group]]} if group else {})
                    for row in counted
                ]
            }
        )


@extend_schema(tags=["company"])
class AuditView(ManagementView):
    """The company's audit record."""

    scopes = {"GET": ManagementScope.AUDIT_READ.value}

    @extend_schema(
        operation_id="list_audit_events",
        description="The company's audit events, latest first, with the hashes of their chain.",
        parameters=[OpenApiParameter("action", str, description="Only this action, such as key:revoked."), *PAGING],
        responses={200: EventPageSerializer, **_ERRORS},
    )
    def get(self, request: Request) -> HttpResponse:
        """List."""
        rows = company_events(caller_of(request).company)
        if action := request.query_params.get("action"):
            if "\x00" in action:
                raise ValidationError({"action": "Send an action's name."})
            rows = rows.filter(action=action)
        found, following = page_of(request, rows, moment="at")
        return json_response(
            {
                "results": [
                    {
                        "number": event.number,
                        "at": iso(event.at),
                        "action": event.action,
                        "actor": {"kind": event.actor_kind, "id": event.actor_id, "name": event.actor_label},
                        "target": {"kind": event.target_kind, "id": event.target_id, "name": event.target_label},
                        "reason": event.reason,
                        "data": event.data,
                        "request_id": event.request_id,
                        "hash": event.hash,
                    }
                    for event in found
                ],
                "next": following,
            }
        )
