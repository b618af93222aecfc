"""Who may do what, over every page of a company and every call of the management API, for every role.

The addresses come from the URL configuration itself: whoever adds one is asked what it needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from keys.api.management.base import ManagementView
from keys.api.urls import urlpatterns as api_patterns
from keys.management_tokens.services import ACT_OF, create_token
from keys.models import ManagementScope
from portal.audit.actors import SYSTEM
from portal.companies.models import Company
from portal.companies.roles import ACTS, Role, manageable, may, may_manage
from portal.companies.words import ACT_WORDS, ROLE_WORDS
from tests import factories
from tests.security.test_tenants import COMPANY, address, state, things  # noqa: F401  (a fixture)

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

# The table once more: a change of who may do what is made twice, knowingly.
EXPECTED = {
    "company:view": "owner admin developer viewer", "member:view": "owner admin developer viewer",
    "usage:view": "owner admin developer viewer", "server:view": "owner admin developer viewer",
    "key:view": "owner admin developer viewer", "member:leave": "owner admin developer viewer",
    "key:create": "owner admin developer", "key:manage_own": "owner admin developer",
    "key:manage_any": "owner admin", "server:manage": "owner admin", "webhook:manage": "owner admin",
    "token:manage": "owner admin", "audit:view": "owner admin", "member:manage": "owner admin",
    "card:confirm": "owner admin", "company:edit": "owner admin", "company:export": "owner admin",
    "owner:manage": "owner", "company:transfer": "owner", "company:close": "owner",
}  # fmt: skip


def views(resolver: URLResolver, before: str = "") -> Iterator[tuple[str, object]]:
    for found in resolver.url_patterns:
        route = before + str(found.pattern)
        if isinstance(found, URLResolver):
            yield from views(found, route)
        else:
            yield route, found.callback


ACT_OF_ROUTE = {
    route: getattr(view, "act", None)
    for route, view in views(get_resolver())
    if route.startswith(("c/<slug:slug>", "^c/(?P<slug>", "c/(?P<slug>"))
}


def test_the_table_is_the_one_that_was_meant():
    assert {act: " ".join(role for role in Role if role in roles) for act, roles in ACTS.items()} == EXPECTED


def test_every_act_and_every_role_has_words():
    assert set(ACT_WORDS) == set(ACTS)
    assert set(ROLE_WORDS) == set(Role)


def test_every_page_of_a_company_says_which_act_it_needs():
    assert len(ACT_OF_ROUTE) == len(COMPANY) > 30
    assert {route: act for route, act in ACT_OF_ROUTE.items() if act not in ACTS} == {}


@pytest.mark.parametrize("role", list(Role))
def test_a_role_opens_the_pages_of_its_acts_and_no_others(role: Role, company: Company, things):  # noqa: F811
    person = factories.make_user(f"Person as {role}")
    factories.make_member(company, person, role)
    browser = Client()
    browser.force_login(person)
    wrong = []
    for plain, (route, act) in zip(
        COMPANY, sorted(ACT_OF_ROUTE.items(), key=lambda item: _plain(item[0])), strict=True
    ):
        assert _plain(route) == plain
        where = address(plain, things, slug=company.slug)
        before = state()
        seen = browser.get(where).status_code
        if may(role, act):
            # 404: what it is about does not exist; 403 below the act only for what belongs to other members.
            if seen not in {200, 302, 404, 405} and not (seen == 403 and "_id>" in plain):
                wrong.append((plain, act, seen))
        else:
            sent = browser.post(where, {}).status_code
            if {seen, sent} - {403, 405} or state() != before:
                wrong.append((plain, act, seen, sent))
    # Only owners of a closed company find the way back; here it is open.
    assert [found for found in wrong if found[0] != "c/<slug:slug>/reopen/"] == []


def _plain(route: str) -> str:
    plain = re.sub(r"\(\?P<(\w+)>[^)]*\)", r"<str:\1>", route)
    return plain.replace("^", "").replace("$", "").replace("\\", "")


def api_calls() -> list[tuple[str, str, str]]:
    """Every method of every view of the management API, with its scope."""
    found = []
    for pattern in api_patterns:
        assert isinstance(pattern, URLPattern)
        view = getattr(pattern.callback, "cls", None)
        if view and issubclass(view, ManagementView):
            methods = [name for name in ("get", "post", "patch", "put", "delete") if hasattr(view, name)]
            assert {name.upper() for name in methods} == set(view.scopes), view
            found += [(str(pattern.pattern), method, view.scopes[method.upper()]) for method in methods]
    return found


@pytest.mark.parametrize("role", list(Role))
def test_a_token_does_what_its_makers_role_may_in_every_call(role: Role, company: Company, owner, things):  # noqa: F811
    maker = factories.make_user("Maker")
    membership = factories.make_member(company, maker, "owner")
    _, token = create_token(
        company=company, user=maker, name="All", scopes=ManagementScope.values, expires_at=None, actor=SYSTEM
    )
    membership.role = role
    membership.save()
    calls = api_calls()
    assert len(calls) > 12
    wrong = []
    for route, method, scope in calls:
        where = "/api/v1" + address(route, things)
        before = state()
        bearer = {"Authorization": f"Bearer {token.text}"}
        body = "" if method == "get" else "{}"
        status = Client().generic(method.upper(), where, body, "application/json", headers=bearer).status_code
        if not may(role, ACT_OF[scope]) and (status != 403 or state() != before):
            wrong.append((route, method, scope, status))
        if may(role, ACT_OF[scope]) and status in {401, 405, 500}:
            wrong.append((route, method, scope, status))
        if may(role, ACT_OF[scope]) and status == 403 and may(role, "key:manage_any"):
            wrong.append((route, method, scope, status))
    assert wrong == []


def test_only_owners_deal_with_owners():
    assert [role for role in Role if may_manage(role, Role.OWNER)] == [Role.OWNER]
    assert [role for role in Role if may_manage(role, Role.VIEWER, Role.OWNER)] == [Role.OWNER]
    assert manageable(Role.ADMIN) == [Role.ADMIN, Role.DEVELOPER, Role.VIEWER]
    assert manageable(Role.DEVELOPER) == []
