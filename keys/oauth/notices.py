"""Telling a person what happened to a connection of theirs."""

from __future__ import annotations

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from keys.oauth.models import Connection
from portal.accounts import mails


def made(connection: Connection, *, ip: str | None, user_agent: str) -> None:
    """Mail the person of `connection` that an AI client can now act for them: if they did not allow it, they end it."""
    about: dict[str, object] = {"ip": ip, "user_agent": user_agent, "timestamp": connection.created_at}
    _send("connections/mail/made", connection, about)


def tokens_ended(connection: Connection) -> None:
    """Mail the person of `connection` that its client was signed out since a token was used twice."""
    _send("connections/mail/tokens_ended", connection, {"timestamp": timezone.now()})


def _send(prefix: str, connection: Connection, about: dict[str, object]) -> None:
    company = connection.company
    path = reverse("connections:detail", kwargs={"slug": company.slug, "connection_id": connection.pk})
    context = about | {"connection": connection, "address": settings.PORTAL_URL + path}
    mails.to_person(prefix, connection.user, context, zone=company.time_zone).send()
