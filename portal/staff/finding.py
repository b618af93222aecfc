"""What pasted words are: a token whole or in part, an id, a person, a company, an address, a request id.

Nothing of it is logged or kept. A token is looked up by id and digest; where it stands in a longer text, such as a log
line, it is picked out.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any, Final

from django.db.models import Q, QuerySet
from django.urls import reverse
from oauth2_provider.models import get_refresh_token_model

from keys import tokens
from keys.models import Key, ManagementToken, McpServer, ServerCredential
from keys.oauth.models import AccessValue, Approval, Connection
from keys.peppers import peppers
from keys.selectors import find_by_token
from keys.usage.models import Sighting
from portal.accounts.models import User
from portal.addresses import normalize_address
from portal.audit.models import AuditEvent
from portal.companies.models import Company
from portal.incidents.models import Incident
from portal.incidents.selectors import incidents
from portal.prefixes import begins
from portal.staff import searches

SHOWN: Final = 10
_WHOLE = re.compile(tokens.TOKEN_PATTERN)
_VISIBLE = re.compile(r"lk_(?:live|test|srv|mgt|oat|ort)_([0-9A-Za-z]{12})(?![0-9A-Za-z])")
_SECRET = re.compile(r"(lk_[a-z]{3,4}_[0-9A-Za-z]{12})_[0-9A-Za-z]+")
_ID = re.compile(r"[0-9A-Za-z]{12}").fullmatch
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.-]{8,64}").fullmatch


@dataclass(frozen=True, slots=True)
class Answer:
    """Where to go (`address`), or what is wrong with a pasted token (`problem`), or neither: then search."""

    address: str = ""
    problem: str = ""
    identifier: str = ""
    same_id: str = ""


def has_secret(text: str) -> bool:
    """Whether `text` holds the secret part of a token, whole or cut."""
    return bool(_SECRET.search(text))


def recognise(text: str) -> Answer:
    """What `text` is, if it is a token, a part of one, or an id."""
    if whole := _WHOLE.search(text):
        return _whole_token(whole[0])
    if visible := _VISIBLE.search(text):
        return _visible_part(visible[1], cut=has_secret(text))
    if _ID(text) and (address := by_id(text)):
        return Answer(address)
    return Answer()


def _whole_token(text: str) -> Answer:
    try:
        token = tokens.parse(text)
    except tokens.MalformedToken:
        identifier = text.split("_")[2]
        return Answer(problem="mistyped", identifier=identifier, same_id=by_id(identifier))
    if address := _by_value(token):
        return Answer(address)
    same = by_id(token.id)
    return Answer(problem="other-value" if same else "unknown", identifier=token.id, same_id=same)


def _by_value(token: tokens.Token) -> str:
    match token.kind:
        case tokens.Kind.MANAGEMENT:
            return _page(_matching(ManagementToken.objects.all(), token))
        case tokens.Kind.ACCESS:
            value = _matching(AccessValue.objects.select_related("connection"), token)
            return _page(value.connection if value else None)
        case tokens.Kind.REFRESH:
            checksum = hashlib.sha256(token.text.encode()).hexdigest()
            families = get_refresh_token_model().objects.filter(token_checksum=checksum).values("token_family")
            approval = Approval.objects.select_related("connection").filter(token_family__in=families).first()
            return _page(approval.connection if approval else None)
    return _page(find_by_token(token.text))


def _matching(found: QuerySet[Any], token: tokens.Token) -> Any:
    row = found.filter(pk=token.id).first()
    good = row is not None and tokens.matches(token.text, bytes(row.digest), row.pepper, peppers())
    return row if good else None


def _visible_part(identifier: str, *, cut: bool) -> Answer:
    address = by_id(identifier)
    if address and not cut:
        return Answer(address)
    return Answer(problem="mistyped" if cut else "unknown", identifier=identifier, same_id=address)


def by_id(identifier: str) -> str:
    """The address of the page of whatever has this id; '' if nothing has. Most likely first."""
    kinds: tuple[Any, ...] = (Key, Connection, ManagementToken, ServerCredential, McpServer, Company, User, Incident)
    for model in kinds:
        if found := model.objects.filter(pk=identifier).first():
            return _page(found)
    value = AccessValue.objects.select_related("connection").filter(pk=identifier).first()
    return _page(value.connection if value else None)


def _page(found: Any) -> str:
    match found:
        case ServerCredential():
            return f"{reverse('staff:server', args=[found.server_id])}#{found.pk}"
        case Key():
            return reverse("staff:key", args=[found.pk])
        case Connection():
            return reverse("staff:connection", args=[found.pk])
        case ManagementToken():
            return reverse("staff:token", args=[found.pk])
        case McpServer():
            return reverse("staff:server", args=[found.pk])
        case Company():
            return reverse("staff:company", args=[found.pk])
        case User():
            return reverse("staff:person", args=[found.pk])
        case Incident():
            return reverse("incidents:incident", args=[found.pk])
    return ""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search for words found, a few of each."""

    keys: list[Key] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)
    people: list[User] = field(default_factory=list)
    companies: list[Company] = field(default_factory=list)
    servers: list[McpServer] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    events: list[AuditEvent] = field(default_factory=list)
    address: str = ""
    seen: int = 0

    def __bool__(self) -> bool:
        return any((self.keys, self.connections, self.people, self.companies, self.servers, self.incidents,
                    self.events))  # fmt: skip


def search(text: str) -> Found:
    """A few of everything that `text` may mean: at most nine queries, each bounded."""
    if address := normalize_address(text):
        return _seen_from(address)
    if "@" in text:
        people = list(User.objects.filter(begins("email", text)).order_by("email")[:SHOWN])
        return Found(people=people, keys=_keys(Q(user__in=people)) if people else [],
                     connections=_connections(Q(user__in=people)) if people else [])  # fmt: skip
    events = _request(text) if _REQUEST_ID(text) else []
    return Found(
        companies=list(searches.companies(text).of(Company.objects.all()).order_by("name", "id")[:SHOWN]),
        people=list(searches.people(text).of(User.objects.all()).order_by("name", "id")[:SHOWN]),
        servers=list(searches.servers(text).of(McpServer.objects.all()).order_by("name", "id")[:SHOWN]),
        keys=_keys(Q(pk__in=Key.objects.order_by().filter(begins("name", text)).values("pk"))),
        connections=_connections(
            Q(pk__in=Connection.objects.order_by().filter(begins("client_name", text)).values("pk"))
        ),
        incidents=list(incidents(query=text)[:SHOWN]),
        events=events,
    )


def _seen_from(address: str) -> Found:
    ids = list(
        Sighting.objects.filter(address=address).order_by("-last_at").values_list("key_id", flat=True)[: SHOWN * 20]
    )
    distinct = list(dict.fromkeys(ids))
    return Found(
        keys=_keys(Q(pk__in=distinct)),
        connections=_connections(Q(pk__in=distinct)),
        address=address,
        seen=len(distinct),
    )


def _request(text: str) -> list[AuditEvent]:
    # Not empty either: the index leaves those out, and a database knows of a parameter only that it is one.
    return list(AuditEvent.objects.filter(request_id=text).exclude(request_id="").order_by("-id")[:50])


def _keys(condition: Q) -> list[Key]:
    found = Key.objects.filter(condition).select_related("company", "server", "user").defer("digest")
    return list(found.order_by("-created_at", "id")[:SHOWN])


def _connections(condition: Q) -> list[Connection]:
    found = Connection.objects.filter(condition).select_related("company", "server", "user")
    return list(found.order_by("-created_at", "id")[:SHOWN])
