"""A rule: which keys and connections to revoke. All its conditions hold at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from ipaddress import IPv4Network, ip_address, ip_network
from typing import Any, Final, TypeVar

from django.db.models import Model, Q, QuerySet, TextField
from django.db.models.functions import Cast
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from keys.models import Key, McpServer
from keys.oauth.models import Connection
from keys.usage.models import Sighting
from portal.accounts.models import User
from portal.companies.models import Company
from portal.staff.errors import RuleEmpty, RuleTooWide

Row = TypeVar("Row", bound=Model)
MOST_ADDRESSES: Final = 10_000
MOMENTS: Final = ("made_after", "made_before", "used_after", "used_before", "unused_since")


@dataclass(frozen=True, slots=True)
class Rule:
    """Ids and moments; empty: no condition. Only what is still accepted matches, never what is revoked or expired.

    `used_after`: last used then or later. `used_before`: used for the first time before. `unused_since`: made before,
    and not used since. `address`: an address or range that the key was seen from, let through or refused.
    """

    company: str = ""
    user: str = ""
    server: str = ""
    scope: str = ""
    address: str = ""
    made_after: datetime | None = None
    made_before: datetime | None = None
    used_after: datetime | None = None
    used_before: datetime | None = None
    unused_since: datetime | None = None
    no_expiry: bool = False

    def __post_init__(self) -> None:
        """Refuse the rule that has no condition."""
        if not any(getattr(self, field.name) for field in fields(self)):
            raise RuleEmpty

    def as_json(self) -> dict[str, Any]:
        """The conditions that are set, for a row and for the audit record."""
        found = {name: value for name, value in asdict(self).items() if value}
        return {name: value.isoformat() if name in MOMENTS else value for name, value in found.items()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Rule:
        """The rule that `as_json` wrote."""
        values: dict[str, Any] = {
            name: datetime.fromisoformat(value) if name in MOMENTS else value for name, value in data.items()
        }
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Matches:
    """What a rule finds. Asked again it finds what is left: the querysets are lazy; addresses were looked up once."""

    keys: QuerySet[Key]
    connections: QuerySet[Connection]


def matches(rule: Rule) -> Matches:
    """What `rule` finds now. Raises RuleTooWide for a range with too many addresses that were seen."""
    addresses = seen_in(rule.address) if rule.address else None
    keys: QuerySet[Key] = Key.objects.usable()
    return Matches(_narrow(keys, rule, addresses), _narrow(Connection.objects.usable(), rule, addresses))


def _narrow(found: QuerySet[Row], rule: Rule, addresses: list[str] | None) -> QuerySet[Row]:
    equal = {"company_id": rule.company, "user_id": rule.user, "server_id": rule.server}
    moments = {"created_at__gte": rule.made_after, "created_at__lt": rule.made_before,
               "last_used_at__gte": rule.used_after, "first_used_at__lt": rule.used_before}  # fmt: skip
    conditions: dict[str, Any] = {**equal, **moments}
    found = found.filter(**{name: value for name, value in conditions.items() if value})
    if rule.scope:
        # Both databases write a list of JSON alike as text; neither's own operator is there in the other.
        as_text: Any = found.alias(scopes_text=Cast("scopes", TextField()))
        found = as_text.filter(scopes_text__contains=f'"{rule.scope}"')
    if rule.unused_since:
        unused = Q(last_used_at=None) | Q(last_used_at__lt=rule.unused_since)
        found = found.filter(unused, created_at__lt=rule.unused_since)
    if rule.no_expiry:
        found = found.filter(expires_at=None)
    if addresses is not None:
        found = found.filter(pk__in=Sighting.objects.filter(address__in=addresses).values("key_id"))
    return found


def seen_in(address: str) -> list[str]:
    """The addresses within the address or range `address` that keys were seen from. Raises RuleTooWide."""
    network = ip_network(address, strict=False)
    if network.num_addresses == 1:
        return [str(network.network_address)]
    seen = Sighting.objects.filter(address__startswith=_common_text(network)).order_by().values_list("address")
    found = []
    for (text,) in seen.distinct().iterator(chunk_size=2000):
        if _is_in(text, network):
            found.append(text)
        if len(found) > MOST_ADDRESSES:
            raise RuleTooWide
    return found


def _common_text(network: Any) -> str:
    """How every address of an IPv4 network begins, in whole numbers: narrows what is read. IPv6 has no such text."""
    if not isinstance(network, IPv4Network):
        return ""
    whole = network.prefixlen // 8
    return "".join(f"{part}." for part in str(network.network_address).split(".")[:whole])


def _is_in(text: str, network: Any) -> bool:
    try:
        return ip_address(text) in network
    except ValueError:
        return False


def in_words(rule: Rule) -> list[tuple[str, str]]:
    """The conditions for a person: (what, which), by names where there are any."""
    return list(_words(rule))


def _words(rule: Rule) -> Iterator[tuple[str, str]]:
    if rule.company:
        yield _("Company"), _name(Company, rule.company, "name")
    if rule.user:
        yield _("Member"), _name(User, rule.user, "email")
    if rule.server:
        yield _("MCP server"), _name(McpServer, rule.server, "name")
    if rule.scope:
        yield _("Scope"), rule.scope
    if rule.address:
        yield _("Seen from"), rule.address
    labels = {"made_after": _("Made at or after"), "made_before": _("Made before"),
              "used_after": _("Last used at or after"), "used_before": _("First used before"),
              "unused_since": _("Not used since")}  # fmt: skip
    for name, label in labels.items():
        if moment := getattr(rule, name):
            yield label, date_format(moment, "Y-m-d H:i") + " UTC"
    if rule.no_expiry:
        yield _("Expiry"), _("Never")


def _name(model: type[Model], identifier: str, field: str) -> str:
    found = model._default_manager.filter(pk=identifier).values_list(field, flat=True).first()
    return str(found or identifier)
