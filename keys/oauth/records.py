"""What verification reads of an access token, as the record of a key: one core then decides about both."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from keys.lookups import KEYS, Source
from keys.records import KeyRecord, fetch_many
from keys.tokens import Kind, Token

# A connection has no addresses and no limits of its own; the end of the connection stands where a key has the end of
# its overlap: whichever comes first ends the token. `id` is the connection's, whatever was asked for.
_OF_CONNECTION: Final = (
    "{no_ranges} AS allowed_ips, c.expires_at AS overlap_ends_at, c.revoked_at, CAST(NULL AS integer) AS per_minute,"
    " CAST(NULL AS integer) AS per_month, c.company_id, c.user_id"
)
ACCESS: Final = Source(
    "access",
    "v.id",
    "v.id AS asked, c.id, v.digest, v.pepper, c.client_name AS name, c.server_id, v.scopes, v.expires_at, "
    + _OF_CONNECTION,
    "oauth_accessvalue v JOIN oauth_connection c ON c.id = v.connection_id",
)
# Without a digest: nothing matches them.
_CONNECTIONS: Final = Source(
    "connection",
    "c.id",
    "c.id AS asked, c.id, {no_digest} AS digest, '' AS pepper, c.client_name AS name, c.server_id, c.scopes,"
    " c.expires_at, " + _OF_CONNECTION,
    "oauth_connection c",
)


def source_of(token: Token) -> Source:
    """Where the record of `token`, one that may open an MCP server, is read."""
    return ACCESS if token.kind is Kind.ACCESS else KEYS


def fetch_access(token_ids: Collection[str]) -> dict[str, KeyRecord]:
    """The records of the access tokens with these ids, by token id; `id` in them is the connection's.

    Raises DatabaseAway.
    """
    return fetch_many(token_ids, ACCESS)


def fetch_connections(connection_ids: Collection[str]) -> dict[str, KeyRecord]:
    """The records of connections by their own ids. Raises DatabaseAway."""
    return fetch_many(connection_ids, _CONNECTIONS)
