"""A key of the portal's own MCP server reads its data: `Authorization: Bearer`, `api_key` or `X-API-Key`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, ClassVar

import orjson
from rest_framework.authentication import BaseAuthentication

from keys import tokens
from keys.api.authentication import NotAuthenticated, bearer
from keys.models import McpServer
from keys.oauth.records import source_of
from keys.records import CredentialRecord, fetch_many
from keys.verdicts import Code
from keys.verification import Question, decide, effective_scopes, kind_of


@dataclass(frozen=True, slots=True)
class KeyCaller:
    """An AI client, as DRF's `request.user`: what its key may do.

    `pk`: the id of the key or of the connection, as `kind` says; `per_minute`: how many requests, None for any number.
    """

    pk: str
    kind: str
    company_id: str
    role: str
    scopes: list[str]
    read_only_tools: frozenset[str]
    per_minute: int | None

    is_authenticated: ClassVar[bool] = True


class KeyAuthentication(BaseAuthentication):
    """A key for the portal's own MCP server, held to the same rules as by the verify API.

    The call is not counted again: the MCP server asked for a verdict on it already.
    """

    def authenticate(self, request: Any) -> tuple[KeyCaller, None] | None:
        """The caller, or None when no key was sent. Raises NotAuthenticated (401), DatabaseAway (503)."""
        text = request.headers.get("api_key") or bearer(request._request) or request.headers.get("X-API-Key")
        if not text:
            return None
        try:
            token = tokens.parse(text)
        except tokens.MalformedToken:
            raise NotAuthenticated from None
        if token.kind not in tokens.OPENING_KINDS:
            raise NotAuthenticated
        record = fetch_many([token.id], source_of(token)).get(token.id)
        server = McpServer.objects.filter(is_portal=True, archived_at=None).first()
        if server is None:
            raise NotAuthenticated
        asked = _as_asking_server(server)
        code, _facts = decide(asked, record, token, Question(text), time.time())
        # An IP allow list is about the AI client's address, which the MCP server has checked; here it is the caller.
        if record is None or code not in {Code.VALID, Code.IP_DENIED}:
            raise NotAuthenticated
        return KeyCaller(
            pk=record.id, kind=kind_of(text), company_id=record.company_id, role=record.role or "",
            scopes=effective_scopes(record), read_only_tools=server.read_only_tools,
            per_minute=record.limits.per_minute,
        ), None  # fmt: skip

    def authenticate_header(self, request: Any) -> str:
        """The challenge, so that DRF answers 401 and not 403."""
        return 'Bearer realm="latchkey"'


def _as_asking_server(server: McpServer) -> CredentialRecord:
    stopped = server.stopped_at.timestamp() if server.stopped_at else None
    return CredentialRecord(
        b"", "", None, None, None, server.pk, server.name, server.company_id, stopped, None,
        orjson.dumps(server.tools).decode(),
    )  # fmt: skip
