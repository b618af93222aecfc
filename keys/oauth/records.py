"""What verification reads of an access token, as the record of a key: one core then decides about both."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection
from django.db.utils import Error as DjangoDatabaseError

from keys.records import DatabaseAway, KeyRecord, key_record

# The columns of keys/records.py in their order. A connection has no addresses and no limits of its own; the end of the
# connection stands where a key has the end of its overlap: whichever comes first ends the token.
_SQL = """
SELECT {identifier}, c.id, {digest}, c.client_name, c.server_id, {scopes}, '[]', {expires_at}, c.expires_at,
    c.revoked_at, NULL, NULL, co.id, co.name, co.slug, co.state, co.plan, u.id, u.name, u.email, u.is_active, m.role
FROM {source}
JOIN companies_company co ON co.id = c.company_id
JOIN accounts_user u ON u.id = c.user_id
LEFT JOIN companies_membership m ON m.company_id = c.company_id AND m.user_id = c.user_id
WHERE {identifier} IN (%s)
"""
_BY_TOKEN = _SQL.format(
    identifier="v.id", digest="v.digest, v.pepper", scopes="v.scopes", expires_at="v.expires_at",
    source="oauth_accessvalue v JOIN oauth_connection c ON c.id = v.connection_id",
)  # fmt: skip
_BY_CONNECTION = _SQL.format(
    identifier="c.id", digest="NULL, ''", scopes="c.scopes", expires_at="NULL", source="oauth_connection c"
)


def fetch_access(token_ids: Sequence[str]) -> dict[str, KeyRecord]:
    """The records of the access tokens with these ids, by token id; `id` in them is the connection's. One query.

    Raises DatabaseAway.
    """
    return _fetch(_BY_TOKEN, token_ids)


def fetch_connections(connection_ids: Sequence[str]) -> dict[str, KeyRecord]:
    """The records of connections by their own ids, without a digest: nothing matches them. Raises DatabaseAway."""
    return _fetch(_BY_CONNECTION, connection_ids)


def _fetch(sql: str, ids: Sequence[str]) -> dict[str, KeyRecord]:
    if not ids:
        return {}
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql % ", ".join(["%s"] * len(ids)), list(ids))
            rows = cursor.fetchall()
    except DjangoDatabaseError as error:
        raise DatabaseAway from error
    return {row[0]: key_record((row[1], row[2] or b"", *row[3:])) for row in rows}
