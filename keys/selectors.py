"""Every read of keys and servers that more than one place needs. Reads for a company start from the company."""

from __future__ import annotations

import re

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from keys import tokens
from keys.labels import from_text, to_text
from keys.models import Key, ManagementToken, McpServer, ServerCredential
from keys.peppers import peppers
from portal.accounts.models import User
from portal.companies.models import Company, Membership

_VISIBLE_PART = re.compile(r"lk_(?:live|test|srv|mgt)_([0-9A-Za-z]{12})")
_BARE_ID = re.compile(r"[0-9A-Za-z]{12}")


def company_keys(company: Company) -> QuerySet[Key]:
    """The keys of `company`, latest first, with their server and user: one query."""
    return company.keys.select_related("server", "user", "replaces", "replaced_by").order_by("-created_at", "id")


def company_labels(company: Company) -> list[str]:
    """Every label that a key of `company` has, in the order of the alphabet: one query."""
    texts = company.keys.exclude(label_text="").order_by().values_list("label_text", flat=True).distinct()
    return sorted({label for text in texts for label in from_text(text)})


def labelled(keys: QuerySet[Key], label: str) -> QuerySet[Key]:
    """Those of `keys` that have the label `label`, however it is written."""
    return keys.exclude(label_text="").filter(label_text__contains=to_text([label.strip().lower()]))


def company_makers(company: Company) -> list[User]:
    """Everybody whom a key of `company` acts for, by name: two queries. Their names and addresses alone are read."""
    # In one, a database that expects as many people as keys reads the whole table of users.
    ids = list(company.keys.order_by().values_list("user_id", flat=True).distinct())
    return list(User.objects.filter(pk__in=ids).order_by("name", "pk").only("name", "email"))


def company_key(company: Company, key_id: str) -> Key | None:
    """The key `key_id` of `company`, or None: another company's key is as good as none."""
    return company_keys(company).filter(pk=key_id).first()


def known_servers(company: Company) -> QuerySet[McpServer]:
    """The MCP servers that a key of `company` can be for: everyone's and its own, archived ones too."""
    return McpServer.objects.filter(Q(company=None) | Q(company=company))


def visible_servers(company: Company) -> QuerySet[McpServer]:
    """The MCP servers for which `company` can make keys: everyone's and its own."""
    return known_servers(company).filter(archived_at=None).order_by("-is_portal", "name")


def company_servers(company: Company) -> QuerySet[McpServer]:
    """The servers visible to `company`, its own first, with `own_keys`: how many keys it ever made for each."""
    # From the company's keys, never from the server's: everyone's server has everyone's keys.
    counted = company.keys.filter(server=OuterRef("pk")).order_by().values("server").annotate(number=Count("pk"))
    own_keys = Coalesce(Subquery(counted.values("number")), 0)
    own_first = F("company_id").asc(nulls_last=True)
    return visible_servers(company).annotate(own_keys=own_keys).order_by(own_first, "-is_portal", "name")


def company_server(company: Company, server_id: str) -> McpServer | None:
    """One of them, or None: another company's server is as good as none."""
    return company_servers(company).filter(pk=server_id).first()


def company_tokens(company: Company) -> QuerySet[ManagementToken]:
    """The management tokens of `company`, latest first, with their maker and `maker_is_member`: one query."""
    member = Membership.objects.filter(company_id=OuterRef("company_id"), user_id=OuterRef("user_id"))
    tokens_of_company = company.management_tokens.select_related("user").annotate(maker_is_member=Exists(member))
    return tokens_of_company.order_by("-created_at", "id")


def company_token(company: Company, token_id: str) -> ManagementToken | None:
    """The management token `token_id` of `company`, or None, also if it is another company's."""
    return company_tokens(company).filter(pk=token_id).first()


def find_by_token(text: str) -> Key | ServerCredential | None:
    """What the token `text` is, by id and digest, in whatever state it is; None for anything else."""
    try:
        token = tokens.parse(text.strip())
    except tokens.MalformedToken:
        return None
    found: Key | ServerCredential | None = None
    if token.kind in tokens.KEY_KINDS:
        found = Key.objects.select_related("company", "server", "user").filter(pk=token.id).first()
    elif token.kind == tokens.Kind.SERVER:
        found = ServerCredential.objects.select_related("server").filter(pk=token.id).first()
    if found is None or not tokens.matches(token.text, bytes(found.digest), found.pepper, peppers()):
        return None
    return found


def find_keys(query: str) -> QuerySet[Key]:
    """Keys for staff: by the visible part of a token, a bare id, or the beginning of a name."""
    query = query.strip()
    keys = Key.objects.select_related("company", "server", "user").order_by("-created_at", "id")
    if found := _VISIBLE_PART.search(query):
        return keys.filter(pk=found[1])
    if _BARE_ID.fullmatch(query) and (by_id := keys.filter(pk=query)).exists():
        return by_id
    return keys.filter(Q(name__istartswith=query) | Q(company__name__istartswith=query) | Q(user__email=query.lower()))
