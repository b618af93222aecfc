"""Every read of connections that more than one place needs."""

from __future__ import annotations

from django.db.models import QuerySet

from keys.oauth.models import Connection, ConnectionQuerySet
from portal.companies.models import Company, Membership


def company_connections(company: Company) -> ConnectionQuerySet:
    """The connections of `company`, latest first, with their server and user: one query."""
    return Connection.objects.filter(company=company).select_related("server", "user", "client", "company", "machine")


def member_connections(membership: Membership) -> QuerySet[Connection]:
    """What a member sees: managers all of the company, everybody else their own."""
    found = company_connections(membership.company)
    return found if membership.may("key:manage_any") else found.filter(user=membership.user_id)


def all_connections() -> QuerySet[Connection]:
    """The connections of every company, for staff."""
    return Connection.objects.select_related("server", "user", "client", "company", "machine")
