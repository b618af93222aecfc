"""What an export of a company holds of its keys and all around them. Never a digest, a token or a signing key."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from keys.models import McpServer, ServerCredential
from keys.oauth.models import Connection
from keys.policy.models import KeyPolicy
from keys.usage.models import UsageDay
from portal.companies.datasets import Row, columns_of, register
from portal.companies.models import Company

_LIFE = ("created_at", "expires_at", "overlap_ends_at", "replaces_id", "last_used_at", "revoked_at", "revoked_reason")

columns_of(
    "keys",
    (
        "id", "hint", "name", "server_id", "server__name", "user_id", "scopes", "allowed_ips", "per_minute",
        "per_month", *_LIFE,
    ),
    lambda company: company.keys.order_by("created_at", "id"),
)  # fmt: skip
columns_of(
    "mcp_servers",
    ("id", "name", "title", "url", "alternate_urls", "tools", "created_at", "stopped_at", "archived_at"),
    lambda company: McpServer.objects.filter(company=company).order_by("created_at", "id"),
)
columns_of(
    "server_credentials",
    ("id", "hint", "name", "server_id", "created_by_id", *_LIFE),
    lambda company: ServerCredential.objects.filter(server__company=company).order_by("created_at", "id"),
)
columns_of(
    "management_tokens",
    ("id", "hint", "name", "user_id", "scopes", *_LIFE),
    lambda company: company.management_tokens.order_by("created_at", "id"),
)
columns_of(
    "connections",
    ("id", "client_name", "server_id", "user_id", "scopes", "created_at", "expires_at", "revoked_at", "revoked_reason"),
    lambda company: Connection.objects.filter(company=company).order_by("created_at", "id"),
)
columns_of(
    "key_policy",
    ("default_days", "longest_days", "makers", "allowed_ips", "changed_at"),
    lambda company: KeyPolicy.objects.filter(company=company),
)
columns_of(
    "usage_days",
    ("period", "server_id", "key_id", "code", "tool", "client", "count"),
    lambda company: UsageDay.objects.filter(company_id=company.pk).order_by("period", "pk"),
)

_WEBHOOK = ("id", "host", "description", "event_types", "created_at", "disabled_at", "disabled_reason")


def _webhooks(company: Company) -> Iterator[Row]:
    """Endpoints by their host only: the rest of such an address is often a secret of its own."""
    for endpoint in company.webhooks.order_by("created_at", "id"):
        row: Row = {name: getattr(endpoint, name) for name in _WEBHOOK if name != "host"}
        yield row | {"host": urlsplit(endpoint.url).netloc.rpartition("@")[2]}


register("webhooks", _WEBHOOK, _webhooks)
