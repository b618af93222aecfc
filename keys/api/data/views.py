"""The data views, one for each tool that shows what the portal knows."""

from __future__ import annotations

from django.conf import settings
from django.db.models import Q
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from keys.api.data.base import PAGE, RESPONSES, DataView, caller_of, search_text, window
from keys.api.data.shown import company_shown, entity_shown, key_shown, operations
from keys.api.key_authentication import KeyCaller
from keys.api.verify import json_response
from keys.models import Key, McpServer
from keys.oauth.models import Connection
from keys.selectors import company_keys
from portal.companies.models import Company, Membership


@extend_schema(tags=["data"])
class WhoAmIView(DataView):
    """Who the key is."""

    tool = "whoami"

    @extend_schema(operation_id="data_whoami", description="The key, its company and its user.", responses=RESPONSES)
    def get(self, request: Request) -> HttpResponse:
        """Describe the caller."""
        key = self.holder(caller_of(request))
        return json_response(
            {
                "key": key_shown(key) | {"scopes": caller_of(request).scopes},
                "company": {"id": key.company_id, "name": key.company.name, "slug": key.company.slug,
                            "state": key.company.state},
                "user": {"id": key.user_id, "name": key.user.name, "email": key.user.email,
                         "role": caller_of(request).role},
            }
        )  # fmt: skip

    @staticmethod
    def holder(caller: KeyCaller) -> Key | Connection:
        """The key, or the connection whose access token was sent."""
        rows = Connection.objects if caller.kind == "connection" else Key.objects
        found: Key | Connection = rows.select_related("company", "user", "server").get(pk=caller.pk)
        return found


@extend_schema(tags=["data"])
class CompaniesView(DataView):
    """The companies that the key's user may see through this key."""

    tool = "get_companies"

    @extend_schema(
        operation_id="data_companies",
        description="The key's company. A key is one company's: other companies of its user need a key of theirs.",
        parameters=[OpenApiParameter("company_name", str), OpenApiParameter("search", str), *PAGE],
        responses=RESPONSES,
    )
    def get(self, request: Request) -> HttpResponse:
        """List them."""
        rows = Company.objects.filter(pk=caller_of(request).company_id)
        if name := search_text(request, "company_name"):
            rows = rows.filter(name__icontains=name)
        if search := search_text(request, "search"):
            rows = rows.filter(Q(name__icontains=search) | Q(slug__icontains=search) | Q(pk=search))
        found, total = window(request, rows.order_by("name", "pk"))
        return json_response(
            {"companies": [company_shown(company, caller_of(request)) for company in found], "total": total}
        )


@extend_schema(tags=["data"])
class UsersView(DataView):
    """The members of the key's company."""

    tool = "get_users"

    @extend_schema(
        operation_id="data_users",
        description="The members of the key's company.",
        parameters=[OpenApiParameter("search", str), *PAGE],
        responses=RESPONSES,
    )
    def get(self, request: Request) -> HttpResponse:
        """List them."""
        rows = Membership.objects.filter(company_id=caller_of(request).company_id).select_related("user")
        if search := search_text(request, "search"):
            rows = rows.filter(Q(user__name__icontains=search) | Q(user__email__icontains=search))
        found, total = window(request, rows.order_by("user__name", "pk"))
        return json_response(
            {
                "users": [
                    {"id": row.user_id, "name": row.user.name, "email": row.user.email, "role": row.role,
                     "joined_at": row.created_at.isoformat()}
                    for row in found
                ],
                "total": total,
            }
        )  # fmt: skip


@extend_schema(tags=["data"])
class KeysView(DataView):
    """The keys of the key's company, without their values."""

    tool = "list_api_keys"

    @extend_schema(
        operation_id="data_keys",
        description="The company's keys: names, states and dates, never a value.",
        parameters=PAGE,
        responses=RESPONSES,
    )
    def get(self, request: Request) -> HttpResponse:
        """List them."""
        found, total = window(request, company_keys(Company(pk=caller_of(request).company_id)))
        return json_response({"keys": [key_shown(key) for key in found], "total": total})


@extend_schema(tags=["data"])
class EntitiesView(DataView):
    """What the portal keeps: its entities and their fields."""

    tool = "get_entity_info"

    @extend_schema(
        operation_id="data_entities",
        description="The entities that the tools show, with their fields.",
        parameters=[OpenApiParameter("name", str)],
        responses=RESPONSES,
    )
    def get(self, request: Request) -> HttpResponse:
        """Describe all, or the one called `name`."""
        name = search_text(request, "name").lower()
        found = [entity_shown(model) for model in (Company, Membership, McpServer, Key)]
        return json_response({"entities": [entity for entity in found if name in {"", entity["name"].lower()}]})


@extend_schema(tags=["data"])
class ServicesView(DataView):
    """What the portal's API offers."""

    tool = "get_service_info"

    @extend_schema(
        operation_id="data_services",
        description="The operations of this API, from its OpenAPI document.",
        parameters=[OpenApiParameter("name", str)],
        responses=RESPONSES,
    )
    def get(self, request: Request) -> HttpResponse:
        """Describe all, or the one called `name`."""
        name = search_text(request, "name").lower()
        return json_response({"services": [found for found in operations() if name in {"", found["name"].lower()}]})


@extend_schema(tags=["data"])
class SystemView(DataView):
    """How the portal is."""

    tool = "ping_system"

    @extend_schema(operation_id="data_system", description="State, version and time.", responses=RESPONSES)
    def get(self, request: Request) -> HttpResponse:
        """Describe it: the database answered, or this key could not have been checked."""
        return json_response(
            {
                "status": "healthy",
                "version": settings.VERSION,
                "time": timezone.now().isoformat(),
                "components": {"database": "healthy", "api": "healthy"},
            }
        )
