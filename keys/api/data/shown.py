"""What is shown of companies, keys and everything that the portal keeps: never a digest."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.db.models import Model

from keys.api.data.base import MOST
from keys.api.key_authentication import KeyCaller
from keys.models import Key
from keys.oauth.models import Connection
from portal.companies.models import Company


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


def company_shown(company: Company, caller: KeyCaller) -> dict[str, Any]:
    """The company with its members and its owner's address, and the role that `caller` has in it."""
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


def key_shown(key: Key | Connection) -> dict[str, Any]:
    """The key, or the connection whose access token stands for one."""
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


def entity_shown(model: type[Model]) -> dict[str, Any]:
    """What kind of thing `model` keeps, field by field."""
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
