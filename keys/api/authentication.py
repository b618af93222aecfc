"""Who calls the API: an MCP server by its credential, or an AI client by a key of the portal's own server."""

from __future__ import annotations

from typing import Any, cast

from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from keys.records import CredentialRecord
from keys.verification import NotAuthenticated, authenticate


def bearer(request: HttpRequest) -> str:
    """The token of `Authorization: Bearer …` (RFC 6750, section 2.1), or ''."""
    scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


class AskingServer:
    """The authenticated MCP server, as DRF's `request.user`; `record` is its credential's row."""

    is_authenticated = True

    def __init__(self, record: CredentialRecord) -> None:
        self.record = record
        self.pk = record.server_id


class ServerCredentialAuthentication(BaseAuthentication):
    """`Authorization: Bearer lk_srv_…`."""

    def authenticate(self, request: Any) -> tuple[AskingServer, CredentialRecord] | None:
        """The server, or None when nothing was sent. Raises NotAuthenticated (401), DatabaseAway (503)."""
        token = bearer(request)
        if not token:
            return None
        record = authenticate(token)
        return AskingServer(record), record

    def authenticate_header(self, request: Any) -> str:
        """The challenge, so that DRF answers 401 and not 403."""
        return 'Bearer realm="latchkey"'


def server_of(request: Request) -> CredentialRecord:
    """The credential's row that ServerCredentialAuthentication found."""
    return cast(CredentialRecord, request.auth)


__all__ = ["AskingServer", "NotAuthenticated", "ServerCredentialAuthentication", "bearer", "server_of"]
