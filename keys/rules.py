"""What a key may be: asked of its maker, MCP server, scopes, addresses and limits before it is made or changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from keys import addresses, scopes
from keys.errors import AddressInvalid, LimitBeyondPlan, NotAllowed, ScopeBeyondRights, ScopeUnknown, ServerUnavailable
from keys.limits import limits_of
from keys.models import McpServer
from portal.audit.models import ActorKind
from portal.companies.models import Company, Membership
from portal.companies.roles import may
from portal.companies.second_factor import owes_second_factor

if TYPE_CHECKING:
    from portal.accounts.models import User
    from portal.audit.actors import Actor


def check_limits(company: Company, wanted: dict[str, Any], actor: Actor) -> None:
    """Raises LimitBeyondPlan if `wanted` has more calls than the plan gives, unless the operator's staff give them."""
    if actor.kind == ActorKind.STAFF:
        return
    plan = limits_of(company.plan, None, None)
    if plan.per_minute is not None and (wanted.get("per_minute") or 0) > plan.per_minute:
        raise LimitBeyondPlan(_("The plan allows %(number)s calls a minute at most.") % {"number": plan.per_minute})
    if plan.per_month is not None and (wanted.get("per_month") or 0) > plan.per_month:
        raise LimitBeyondPlan(_("The plan allows %(number)s calls a month at most.") % {"number": plan.per_month})


def checked_scopes(
    wanted: Iterable[str], *, server: McpServer, company: Company, user: User, kept: Iterable[str] = ()
) -> list[str]:
    """`wanted` in normal form, if the server has such tools (those in `kept` may be gone) and the member's rights
    reach them. Raises ScopeUnknown, ScopeBeyondRights.
    """
    try:
        found = scopes.normalize(wanted)
    except scopes.InvalidScope as error:
        raise ScopeUnknown(str(error)) from None
    known = {scopes.ALL, scopes.READ, *kept, *(scopes.TOOL_PREFIX + name for name in server.tool_names)}
    if server.tools and (unknown := set(found) - known):
        raise ScopeUnknown(_("The MCP server has no tool for %(scope)s.") % {"scope": sorted(unknown)[0]})
    role = Membership.objects.filter(company=company, user=user).values_list("role", flat=True).first()
    if role is None or not may(role, "key:create"):
        raise ScopeBeyondRights
    return found


def checked_addresses(ranges: Iterable[str]) -> list[str]:
    """`ranges` in normal form. Raises AddressInvalid, naming the wrong one, or saying how many are too many."""
    try:
        return addresses.normalize(ranges)
    except addresses.TooManyRanges as error:
        facts = {"most": addresses.MOST_RANGES, "number": error}
        raise AddressInvalid(_("At most %(most)s addresses and ranges; these are %(number)s.") % facts) from None
    except ValueError as error:
        raise AddressInvalid(
            _("%(range)s is neither an address nor a range. Use CIDR ranges such as 203.0.113.0/24.") % {"range": error}
        ) from None


def check_maker(company: Company, user: User) -> None:
    """Raises NotAllowed if `company` lets others make keys than `user`, or asks them for a second factor first."""
    member = Membership.objects.select_related("company").filter(company=company, user=user).first()
    if member is not None and may(member.role, "key:create") and not member.may("key:create"):
        raise NotAllowed(_("This company lets fewer roles create keys. Ask an owner or admin for one."))
    if owes_second_factor(company, user):
        raise NotAllowed(_("This company asks for a second factor. Set one up on your account's page first."))


def check_server(server: McpServer, company: Company) -> None:
    """Raises ServerUnavailable if `company` may have no keys for `server`."""
    server.refresh_from_db()
    if server.archived_at or server.company_id not in {None, company.pk}:
        raise ServerUnavailable
