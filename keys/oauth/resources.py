"""Which MCP server a `resource` parameter names (RFC 8707)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from django.db.models import F

from keys.models import McpServer


def spelling(uri: str) -> str:
    """`uri` as it is compared: scheme and host in lower case, no default port, no slash at the end."""
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return uri
    host = (parts.hostname or "").lower()
    if ":" in host:
        host = f"[{host}]"
    if port and port != {"http": 80, "https": 443}.get(parts.scheme.lower()):
        host = f"{host}:{port}"
    return urlunsplit((parts.scheme.lower(), host, parts.path.rstrip("/"), parts.query, ""))


def names(server: McpServer, uri: str) -> bool:
    """Whether `uri` is an identifier of `server`. One with a fragment or a user in it is none."""
    if "#" in uri or "@" in uri:
        return False
    return spelling(uri) in {spelling(own) for own in (server.url, *server.alternate_urls)}


def find(uris: list[str]) -> McpServer | None:
    """The server that every one of `uris` names; the portal's own if there are none; None for anything else."""
    servers = McpServer.objects.filter(archived_at=None).select_related("company")
    if not uris:
        return servers.filter(is_portal=True).first()
    # Few servers have alternate addresses; the others are found by their unique address.
    servers = servers.order_by(F("company").asc(nulls_first=True), "created_at")  # everyone's before a company's own
    found = servers.filter(url__in={uris[0], spelling(uris[0]), spelling(uris[0]) + "/"}).first() or next(
        (server for server in servers.exclude(alternate_urls=[]) if names(server, uris[0])), None
    )
    return found if found is not None and all(names(found, uri) for uri in uris) else None


def for_person(server: McpServer, user: Any) -> McpServer:
    """`server`, or the one at the same address that a company of `user` registered: two companies may have one each."""
    if server.company_id is None or server.company.memberships.filter(user=user).exists():  # type: ignore[union-attr]
        return server
    own = McpServer.objects.filter(archived_at=None, url=server.url, company__memberships__user=user)
    return own.select_related("company").first() or server
