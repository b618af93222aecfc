"""What a whole token belongs to, by id and digest: nothing is found by half a token, or by one that was made up."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils import timezone
from oauth2_provider.models import get_refresh_token_model

from keys import services, tokens
from keys.leaks.models import Kind
from keys.management_tokens import services as management
from keys.models import Key, ManagementToken, ServerCredential
from keys.oauth import connections
from keys.oauth.models import AccessValue, Connection
from keys.peppers import newest, peppers
from keys.servers import services as servers

if TYPE_CHECKING:
    from portal.audit.actors import Actor
    from portal.companies.models import Company

_anywhere = re.compile(rf"(?<![0-9A-Za-z_]){tokens.TOKEN_PATTERN}(?![0-9A-Za-z_])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Found:
    """The owner's thing that a token opens. `live`: it still works; `company` None: the operator's own."""

    kind: Kind
    subject: Any
    company: Company | None
    name: str
    hint: str
    live: bool

    @property
    def id(self) -> str:
        """The id of the thing."""
        return str(self.subject.pk)

    def revoke(self, *, reason: str, actor: Actor, incident_id: str) -> None:
        """Refuse it from now on, through the services of its own room."""
        match self.kind:
            case Kind.KEY:
                services.revoke_key(key=self.subject, reason=reason, actor=actor, incident_id=incident_id)
            case Kind.CREDENTIAL:
                servers.revoke_credential(credential=self.subject, reason=reason, actor=actor)
            case Kind.TOKEN:
                management.revoke_token(token=self.subject, reason=reason, actor=actor)
            case Kind.CONNECTION:
                connections.revoke(connection=self.subject, reason=reason, actor=actor)


def tokens_in(text: str, most: int) -> list[tokens.Token]:
    """The tokens that stand in `text` and whose check is right: each once, at most `most`."""
    found: dict[str, tokens.Token] = {}
    for match in _anywhere.finditer(text):
        if len(found) >= most:
            break
        try:
            found[match[0]] = tokens.parse(match[0])
        except tokens.MalformedToken:
            continue
    return list(found.values())


def find(token: tokens.Token) -> Found | None:
    """What `token` belongs to, in whatever state it is; None if it is nobody's."""
    return _FINDERS[token.kind](token)


def _matches(token: tokens.Token, found: Any) -> bool:
    stored, pepper = (found.digest, found.pepper) if found else (bytes(32), newest()[0])
    return tokens.matches(token.text, bytes(stored), pepper, peppers()) and found is not None


def _key(token: tokens.Token) -> Found | None:
    key = Key.objects.select_related("company", "replaces").filter(pk=token.id).first()
    if not _matches(token, key) or key is None:
        return None
    return Found(Kind.KEY, key, key.company, key.name, key.hint, key.is_usable)


def _credential(token: tokens.Token) -> Found | None:
    one = ServerCredential.objects.select_related("server__company").filter(pk=token.id).first()
    if not _matches(token, one) or one is None:
        return None
    name = f"{one.name} ({one.server.name})"
    return Found(Kind.CREDENTIAL, one, one.server.company, name, one.hint, one.is_usable)


def _management(token: tokens.Token) -> Found | None:
    one = ManagementToken.objects.select_related("company").filter(pk=token.id).first()
    if not _matches(token, one) or one is None:
        return None
    return Found(Kind.TOKEN, one, one.company, one.name, one.hint, one.is_usable)


def _access(token: tokens.Token) -> Found | None:
    value = AccessValue.objects.select_related("connection__company").filter(pk=token.id).first()
    if not _matches(token, value) or value is None:
        return None
    return _of_connection(token, value.connection, value.expires_at > timezone.now())


def _refresh(token: tokens.Token) -> Found | None:
    checksum = hashlib.sha256(token.text.encode()).hexdigest()
    found = get_refresh_token_model().objects.filter(token_checksum=checksum).order_by("pk").last()
    if found is None:
        return None
    approved = Connection.objects.select_related("company").filter(approvals__token_family=found.token_family)
    connection = approved.first()
    return _of_connection(token, connection, found.revoked is None) if connection else None


def _of_connection(token: tokens.Token, connection: Connection, live: bool) -> Found:
    return Found(
        Kind.CONNECTION, connection, connection.company, connection.client_name, tokens.hint(token),
        live and connection.is_usable,
    )  # fmt: skip


_FINDERS: dict[tokens.Kind, Callable[[tokens.Token], Found | None]] = {
    tokens.Kind.LIVE: _key,
    tokens.Kind.TEST: _key,
    tokens.Kind.SERVER: _credential,
    tokens.Kind.MANAGEMENT: _management,
    tokens.Kind.ACCESS: _access,
    tokens.Kind.REFRESH: _refresh,
}
