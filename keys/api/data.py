"""/api/v1/data/…: what the portal knows, for AI clients: read with a key of the portal's own MCP server.

Every answer is bounded by the key's company; each endpoint needs the scope of the tool that shows it. A key can manage
nothing here: these are reads, and the keys they list have no value.
"""

from __future__ import annotations

from functools import cache
from typing import Any, cast

from django.conf import settings
from django.db.models import Model, Q, QuerySet
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from keys import scopes
from keys.api.key_authentication import KeyAuthentication, KeyCaller
from keys.api.throttling import LimitedView
from keys.api.verify import PROBLEMS, json_response
from keys.models import Key, McpServer
from keys.oauth.models import Connection
from keys.selectors import company_keys
from portal.companies.models import Company, Membership

MOST = 100
_PAGE = [
    OpenApiParameter("start", int, description="How many to pass over."),
    OpenApiParameter("limit", int, description=f"How many at most, 1 to {MOST}; default 20."),
]
_RESPONSES = {200: dict, **{code: PROBLEMS[code] for code in (400, 401, 429, 503)}}


class HasToolScope(BasePermission):
    """The key's scopes permit the tool that shows this data."""

    def has_permission(self, request: Any, view: Any) -> bool:
        """Whether the caller's key may call `view.tool`."""
        caller = request.user
        return isinstance(caller, KeyCaller) and scopes.allows(caller.scopes, view.tool, caller.read_only_tools)


class DataView(LimitedView):
    """Base of the data views. `tool`: the MCP tool that shows it."""

    authentication_classes = (KeyAuthentication,)
    permission_classes = (HasToolScope,)
    tool = ""

    def limit_of(self, request: Any) -> tuple[str, int | None]:
        """As many as the key may send to MCP servers, in a bucket of its own: a call there reads here once."""
        return (
            (f"data:{request.user.pk}", request.user.per_minute) if isinstance(request.user, KeyCaller) else ("", None)
        )


def caller_of(request: Request) -> KeyCaller:
    """The caller that KeyAuthentication found."""
    return cast(KeyCaller, request.user)


def window(request: Request, rows: QuerySet[Any]) -> tuple[list[Any], int]:
    """`rows` from `start`, at most `limit`, and how many there are. Raises ValidationError."""
    values = {}
    for name, default, least, most in (("start", 0, 0, 1_000_000), ("limit", 20, 1, MOST)):
        text = request.query_params.get(name, str(default))
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            raise ValidationError({name: f"Send a whole number from {least} to {most}."})
        values[name] = int(text)
    return list(rows[values["start"] : values["start"] + values["limit"]]), rows.count()


def search_text(request: Request, name: str) -> str:
    """The query parameter `name`, bounded. Raises ValidationError."""
    text = request.query_params.get(name, "").strip()
    if len(text) > 120 or "\x00" in text:
        raise ValidationError({name: "Send at most 120 characters."})
    return text


@extend_schema(tags=["data"])
class WhoAmIView(DataView):
    """Who the key is."""

    tool = "whoami"

    @extend_schema(operation_id="data_whoami", description="The key, its company and its user.", responses=_RESPONSES)
    def get(self, request: Request) -> HttpResponse:
        """Describe the caller."""
        key = self.holder(caller_of(request))
        return json_response(
            {
                "key": _key(key) | {"scopes": caller_of(request).scopes},
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
        parameters=[OpenApiParameter("company_name", str), OpenApiParameter("search", str), *_PAGE],
        responses=_RESPONSES,
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
            {"companies": [_company(company, caller_of(request)) for company in found], "total": total}
        )


@extend_schema(tags=["data"])
class UsersView(DataView):
    """The members of the key's company."""

    tool = "get_users"

    @extend_schema(
        operation_id="data_users",
        description="The members of the key's company.",
        parameters=[OpenApiParameter("search", str), *_PAGE],
        responses=_RESPONSES,
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
        parameters=_PAGE,
        responses=_RESPONSES,
    )
    def get(self, request: Request) -> HttpResponse:
        """List them."""
        found, total = window(request, company_keys(Company(pk=caller_of(request).company_id)))
        return json_response({"keys": [_key(key) for key in found], "total": total})


@extend_schema(tags=["data"])
class EntitiesView(DataView):
    """What the portal keeps: its entities and their fields."""

    tool = "get_entity_info"

    @extend_schema(
        operation_id="data_entities",
        description="The entities that the tools show, with their fields.",
        parameters=[OpenApiParameter("name", str)],
        responses=_RESPONSES,
    )
    def get(self, request: Request) -> HttpResponse:
        """Describe all, or the one called `name`."""
        name = search_text(request, "name").lower()
        found = [_entity(model) for model in (Company, Membership, McpServer, Key)]
        return json_response({"entities": [entity for entity in found if name in {"", entity["name"].lower()}]})


@extend_schema(tags=["data"])
class ServicesView(DataView):
    """What the portal's API offers."""

    tool = "get_service_info"

    @extend_schema(
        operation_id="data_services",
        description="The operations of this API, from its OpenAPI document.",
        parameters=[OpenApiParameter("name", str)],
        responses=_RESPONSES,
    )
    def get(self, request: Request) -> HttpResponse:
        """Describe all, or the one called `name`."""
        name = search_text(request, "name").lower()
        return json_response({"services": [found for found in operations() if name in {"", found["name"].lower()}]})


@extend_schema(tags=["data"])
class SystemView(DataView):
    """How the portal is."""

    tool = "ping_system"

    @extend_schema(operation_id="data_system", description="State, version and time.", responses=_RESPONSES)
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


@cache
def operations() -> list[dict[str, str]]:
    """Every operation of the API: name, description, method, path."""
    from drf_spectacular.generators import SchemaGenerator

    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    return [
        {
            "name": operation["operationId"],
            "description": operation.get("description", "").split("\n")[0],
            "method": method.upper(),
            "path": path,
        }
        for path, methods in paths.items()
        for method, operation in methods.items()
    ]


def _company(company: Company, caller: KeyCaller) -> dict[str, Any]:
    members = list(company.memberships.select_related("user").order_by("created_at")[:MOST])
    owner = next((member.user.email for member in members if member.role == "owner"), None)
    return {
        "id": company.pk,
        "slug": company.slug,
        "name": company.name,
        "state": company.state,
        "email": owner,
        "role": caller.role,
        "currency": {"code": company.currency, "name": company.get_currency_display()},
        "members": [{"id": member.user_id, "name": member.user.name, "role": member.role} for member in members],
    }


def _key(key: Key | Connection) -> dict[str, Any]:
    name, hint = (key.name, key.hint) if isinstance(key, Key) else (key.client_name, "lk_oat_…")
    moments = {name: getattr(key, name) for name in ("created_at", "last_used_at", "expires_at")}
    return {
        "id": key.pk,
        "name": name,
        "hint": hint,
        "state": key.state.value,
        "server": key.server.name,
        "scopes": key.scopes,
        "user": {"id": key.user_id, "name": key.user.name},
        **{name: moment.isoformat() if moment else None for name, moment in moments.items()},
    }


_NEVER_SHOWN = {"digest", "pepper"}


def _entity(model: type[Model]) -> dict[str, Any]:
    fields = [
        {
            "name": field.name,
            "type": type(field).__name__.removesuffix("Field").lower(),
            "description": str(field.help_text or field.verbose_name),
        }
        for field in model._meta.concrete_fields
        if field.name not in _NEVER_SHOWN
    ]
    return {"name": model.__name__, "description": (model.__doc__ or "").strip().split("\n")[0], "fields": fields}
