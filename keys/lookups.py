"""The statements of verification's look-ups, in the form that each database answers fastest.

A key and an access token are read alike: a `Source` selects what decides about either, the statements put the company,
the user and the user's role to it, and for one question the credential that asks and its server.
"""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

from keys import libpq

SERVER_COLUMNS: Final = (
    "c.digest, c.pepper, c.expires_at, c.overlap_ends_at, c.revoked_at, s.id, s.name, s.company_id, s.stopped_at,"
    " s.archived_at, s.tools"
)
RECORD_COLUMNS: Final = (
    "k.id, k.digest, k.pepper, k.name, k.server_id, k.scopes, k.allowed_ips, k.expires_at, k.overlap_ends_at,"
    " k.revoked_at, k.per_minute, k.per_month, co.id, co.name, co.slug, co.state, co.plan, u.id, u.name, u.email,"
    " u.is_active, m.role"
)
# Read once for all rows.
_SNAPSHOT: Final = "(SELECT pg_current_snapshot())"

# SQLite looks each row up, however it is written.
_SQLITE_OWNER: Final = """
companies_company co ON co.id = k.company_id
LEFT JOIN accounts_user u ON u.id = k.user_id
LEFT JOIN companies_membership m ON m.company_id = k.company_id AND m.user_id = k.user_id
"""
# `OFFSET 0` keeps PostgreSQL from making one join of it all: it would read small tables whole to hash them, which costs
# it twice as much as one look-up in each, and would go on so while they grow.
_POSTGRES_OWNER: Final = """
LEFT JOIN LATERAL (SELECT * FROM companies_company WHERE id = k.company_id OFFSET 0) co ON true
LEFT JOIN LATERAL (SELECT * FROM accounts_user WHERE id = k.user_id OFFSET 0) u ON true
LEFT JOIN LATERAL (
    SELECT role FROM companies_membership WHERE company_id = k.company_id AND user_id = k.user_id OFFSET 0
) m ON true
"""


class Source(NamedTuple):
    """What is looked up in `tables` by the id in `column`.

    `columns` are those that RECORD_COLUMNS names of `k`, the ids of its company and user, and as `asked` the id that
    was asked for. `{no_ranges}` and `{no_digest}` stand for what each database writes in its own way.
    """

    name: str
    column: str
    columns: str
    tables: str

    @cache  # noqa: B019  (there are three sources)
    def sqlite_one(self) -> str:
        """One token and one credential; parameters: the ids of both."""
        return f"""
            SELECT {SERVER_COLUMNS}, {RECORD_COLUMNS}
            FROM keys_servercredential c
            JOIN keys_mcpserver s ON s.id = c.server_id
            LEFT JOIN ({self._sqlite_select} WHERE {self.column} = ?) k ON true
            LEFT JOIN {_SQLITE_OWNER}
            WHERE c.id = ?
        """  # noqa: S608  (column lists only)

    def sqlite_many(self, count: int) -> str:
        """`count` tokens; parameters: their ids. The last column is the one asked for."""
        places = ", ".join("?" * count)
        return f"""
            SELECT {RECORD_COLUMNS}, k.asked
            FROM ({self._sqlite_select} WHERE {self.column} IN ({places})) k
            JOIN {_SQLITE_OWNER}
        """  # noqa: S608

    @cache  # noqa: B019
    def postgres_one(self) -> bytes:
        """As `sqlite_one`, with the snapshot as the last column."""
        return f"""
            SELECT {SERVER_COLUMNS}, {RECORD_COLUMNS}, {_SNAPSHOT}
            FROM (SELECT * FROM keys_servercredential WHERE id = $2 OFFSET 0) c
            CROSS JOIN LATERAL (SELECT * FROM keys_mcpserver WHERE id = c.server_id OFFSET 0) s
            LEFT JOIN LATERAL ({self._postgres_select} WHERE {self.column} = $1 OFFSET 0) k ON true
            {_POSTGRES_OWNER}
        """.encode()  # noqa: S608

    @cache  # noqa: B019
    def postgres_many(self) -> bytes:
        """As `sqlite_many`, for an array of ids, with the snapshot as the last column."""
        return f"""
            SELECT {RECORD_COLUMNS}, k.asked, {_SNAPSHOT}
            FROM ({self._postgres_select} WHERE {self.column} = ANY($1) OFFSET 0) k
            {_POSTGRES_OWNER}
        """.encode()  # noqa: S608

    @property
    def _sqlite_select(self) -> str:
        columns = self.columns.format(no_ranges="'[]'", no_digest="x''")
        return f"SELECT {columns} FROM {self.tables}"  # noqa: S608

    @property
    def _postgres_select(self) -> str:
        columns = self.columns.format(no_ranges="'[]'::jsonb", no_digest="''::bytea")
        return f"SELECT {columns} FROM {self.tables}"  # noqa: S608


KEYS: Final = Source(
    "key",
    "id",
    "id AS asked, id, digest, pepper, name, server_id, scopes, allowed_ips, expires_at, overlap_ends_at,"
    " revoked_at, per_minute, per_month, company_id, user_id",
    "keys_key",
)

# Who reads which column of PostgreSQL's, for those that are neither moments nor text.
_READERS: Final[dict[str, libpq.Reader]] = {
    "c.digest": bytes, "k.digest": bytes, "k.per_minute": libpq.number, "k.per_month": libpq.number,
    "u.is_active": libpq.flag, "s.tools": libpq.json_text, "k.scopes": libpq.json_text,
    "k.allowed_ips": libpq.json_text, _SNAPSHOT: bytes,
}  # fmt: skip


def _readers(columns: str) -> list[libpq.Reader]:
    names = columns.split(", ")
    return [libpq.moment if name.endswith("_at") else _READERS.get(name, bytes.decode) for name in names]


POSTGRES_ONE_READERS: Final = _readers(f"{SERVER_COLUMNS}, {RECORD_COLUMNS}, {_SNAPSHOT}")
POSTGRES_MANY_READERS: Final = _readers(f"{RECORD_COLUMNS}, k.asked, {_SNAPSHOT}")
