"""The protected-resource metadata of an MCP server (RFC 9728), which tells a client without a key where to sign in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_WELL_KNOWN = "/.well-known/oauth-protected-resource"


@dataclass(frozen=True, slots=True)
class Resource:
    """An MCP server as clients see it.

    url: its address, without a slash at the end. authorization_servers: who can give access (the portal's address,
    exactly as the portal calls itself); empty: keys only, and no metadata. scopes: what a client should ask for at
    first; the fewer the better, since some clients ask for all of them.
    """

    url: str = ""
    authorization_servers: Sequence[str] = ()
    scopes: Sequence[str] = ()
    name: str = ""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if self.authorization_servers and not (parts.scheme in {"http", "https"} and parts.netloc):
            raise ValueError("Give the MCP server's full URL as resource, since clients compare it with theirs.")
        if parts.fragment:
            raise ValueError("A resource's URL has no fragment.")

    @property
    def metadata_url(self) -> str:
        """Where its metadata are (RFC 9728, section 3.1); empty if it has none."""
        if not self.authorization_servers:
            return ""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}{_WELL_KNOWN}{parts.path.rstrip('/')}"

    def is_metadata_path(self, path: str) -> bool:
        """Whether `path` asks for the metadata: the form with the resource's path, or the root form."""
        if not self.authorization_servers:
            return False
        return path.rstrip("/") in {_WELL_KNOWN, _WELL_KNOWN + urlsplit(self.url).path.rstrip("/")}

    def metadata(self) -> dict[str, Any]:
        """The document (RFC 9728, section 2)."""
        document: dict[str, Any] = {
            "resource": self.url,
            "authorization_servers": list(self.authorization_servers),
            "bearer_methods_supported": ["header"],
        }
        if self.scopes:
            document["scopes_supported"] = list(self.scopes)
        if self.name:
            document["resource_name"] = self.name
        return document
