"""Who acts: passed to every service that writes an audit event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from portal.audit.models import ActorKind

if TYPE_CHECKING:
    from django.http import HttpRequest

    from portal.accounts.models import User


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did something, and from where."""

    kind: ActorKind
    id: str = ""
    label: str = ""
    ip: str | None = None
    user_agent: str = ""

    @classmethod
    def user(cls, user: User, request: HttpRequest | None = None) -> Actor:
        """A member, acting for their company."""
        return cls(ActorKind.USER, user.pk, f"{user.name} <{user.email}>", *_origin(request))

    @classmethod
    def staff(cls, user: User, request: HttpRequest | None = None) -> Actor:
        """Somebody of the operator's staff."""
        return cls(ActorKind.STAFF, user.pk, user.name or "Staff", *_origin(request))

    @classmethod
    def of(cls, kind: ActorKind, identifier: str, label: str, request: HttpRequest | None = None) -> Actor:
        """A machine: a management token or an MCP server."""
        return cls(kind, identifier, label, *_origin(request))


SYSTEM = Actor(ActorKind.SYSTEM, "", "Latchkey")


def _origin(request: HttpRequest | None) -> tuple[str | None, str]:
    if request is None:
        return None, ""
    from portal.addresses import client_address  # imports settings, which an import of models must not

    return client_address(request), request.headers.get("User-Agent", "")[:200]
