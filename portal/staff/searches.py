"""Ids of what staff's words may mean. Each part follows an index of its own, which one OR of them all need not do."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from keys.leaks.models import Leak
from keys.models import McpServer
from keys.oauth.models import Connection
from portal.prefixes import begins
from portal.staff.selectors import companies_by, people_by


def connections_by(query: str) -> QuerySet[Any]:
    """Connections by id, or by how the name or host of the client, the company or the person begins."""
    plain = Connection.objects.order_by()
    of_people = plain.filter(user_id__in=people_by(query)).values("pk")
    if "@" in query:
        return of_people
    return of_people.union(
        plain.filter(pk=query).values("pk"),
        plain.filter(begins("client_name", query)).values("pk"),
        plain.filter(begins("client_host", query)).values("pk"),
        plain.filter(company_id__in=companies_by(query)).values("pk"),
    )


def servers_by(query: str) -> QuerySet[Any]:
    """MCP servers by id, or by how their name, title, address (with or without its scheme) or company begins."""
    plain = McpServer.objects.order_by()
    addresses = [query] if "://" in query else [f"https://{query}", f"http://{query}"]
    return (
        plain.filter(pk=query)
        .values("pk")
        .union(
            plain.filter(begins("name", query)).values("pk"),
            plain.filter(begins("title", query)).values("pk"),
            *(plain.filter(begins("url", address)).values("pk") for address in addresses),
            plain.filter(company_id__in=companies_by(query)).values("pk"),
        )
    )


def leaks_by(query: str, subject_id: str) -> QuerySet[Any]:
    """Leaks of the subject with this id; by incident; or by how the subject's name, the place or the company begins."""
    plain = Leak.objects.order_by()
    return (
        plain.filter(subject_id=subject_id)
        .values("pk")
        .union(
            plain.filter(incident_id=query).exclude(incident_id="").values("pk"),
            plain.filter(begins("subject_name", query)).values("pk"),
            plain.filter(begins("url", query)).values("pk"),
            plain.filter(company_id__in=companies_by(query)).values("pk"),
        )
    )
