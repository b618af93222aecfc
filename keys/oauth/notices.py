"""Telling a person that tokens of a connection of theirs were ended."""

from __future__ import annotations

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation

from keys.oauth.models import Connection
from portal.accounts import mails


def tokens_ended(connection: Connection) -> None:
    """Mail the person of `connection` that its client was signed out since a token was used twice."""
    address = settings.PORTAL_URL + reverse(
        "connections:detail", kwargs={"slug": connection.company.slug, "connection_id": connection.pk}
    )
    with translation.override(settings.LANGUAGE_CODE):
        context = {"connection": connection, "person": connection.user, "address": address}
        subject = " ".join(render_to_string("connections/mail/tokens_ended_subject.txt", context).split())
        text = mails.tidy(render_to_string("connections/mail/tokens_ended.txt", context))
    message = EmailMultiAlternatives(subject, text, to=[connection.user.email])
    message.attach_alternative(mails.html(subject, text), "text/html")
    message.send()
