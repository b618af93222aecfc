"""What the key pages share: finding a key, who may manage it, and how it is connected."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from keys.errors import AddressInvalid, LabelInvalid, LifecycleError, LifetimeInvalid, ScopeBeyondRights, ScopeUnknown
from keys.models import Key
from keys.selectors import company_key
from keys.snippets import Connection, snippets, variable
from portal.companies.access import CompanyRequest

form_page = require_http_methods(["GET", "POST"])

# Which field of a form an error of the services belongs to.
FIELDS: dict[type[LifecycleError], str] = {
    AddressInvalid: "allowed_ips",
    LabelInvalid: "labels",
    LifetimeInvalid: "lifetime",
    ScopeUnknown: "access",
    ScopeBeyondRights: "access",
}


def key_or_404(request: CompanyRequest, key_id: str) -> Key:
    """The company's key. Raises Http404."""
    key = company_key(request.company, key_id)
    if key is None:
        raise Http404
    return key


def may_manage(request: CompanyRequest, key: Key) -> bool:
    """Whether the member may change, rotate and revoke it."""
    member = request.membership
    return key.may_be_managed_by(request.user, member.may("key:manage_any"), member.may("key:manage_own"))


def managed_key_or_refuse(request: CompanyRequest, key_id: str) -> Key:
    """The company's key, for a member who may manage it. Raises Http404, PermissionDenied."""
    key = key_or_404(request, key_id)
    if not may_manage(request, key):
        raise PermissionDenied(_("This key belongs to another member. Ask an owner or admin of the company."))
    return key


def explain(form: Any, error: LifecycleError) -> None:
    """Say at the field that it is about what is wrong."""
    field = FIELDS.get(type(error))
    form.add_error(field if field in form.fields else None, str(error))


def connecting(key: Key, value: str) -> dict[str, Any]:
    """What the snippets of a page need; `value`: the key's value or a placeholder."""
    connection = Connection(key.server.name, key.server.url, value)
    return {"snippets": snippets(connection), "variable": variable(connection)}
