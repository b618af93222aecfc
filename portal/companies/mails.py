"""Mails about a company. They go out when what they tell of is committed, and are never the reason that it fails."""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db.transaction import on_commit
from django.template.loader import render_to_string
from django.utils import translation

from portal.accounts import mails

if TYPE_CHECKING:
    from portal.accounts.models import User

logger = logging.getLogger(__name__)


def send(name: str, to: str, **context: Any) -> None:
    """Send the mail `companies/mail/NAME` to the address `to` after the commit.

    It does not go through the queue: an invitation holds a token, and no secret may lie in the broker.
    """
    on_commit(partial(_deliver, _message(name, to, context)))


def tell(name: str, people: Iterable[User], **context: Any) -> None:
    """Send the mail to each of `people` who can still sign in."""
    for person in people:
        if person.is_active:
            send(name, person.email, person=person, **context)


def address(path: str) -> str:
    """`path` as a whole address of this portal."""
    return f"{settings.PORTAL_URL}{path}"


def _message(name: str, to: str, context: dict[str, Any]) -> EmailMultiAlternatives:
    with translation.override(settings.LANGUAGE_CODE):
        subject = " ".join(render_to_string(f"companies/mail/{name}_subject.txt", context).split())
        text = mails.tidy(render_to_string(f"companies/mail/{name}.txt", context))
        message = EmailMultiAlternatives(subject, text, to=[to])
        message.attach_alternative(mails.html(subject, text), "text/html")
    return message


def _deliver(message: EmailMultiAlternatives) -> None:
    try:
        message.send()
    except (OSError, smtplib.SMTPException) as error:
        logger.error("A mail about a company could not be sent: %s", type(error).__name__)
