"""Mails about a company. They go out when what they tell of is committed, and are never the reason that it fails."""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.transaction import on_commit
from django.utils.translation import get_language

from portal.accounts import mails

if TYPE_CHECKING:
    from django.core.mail import EmailMultiAlternatives

    from portal.accounts.models import User
    from portal.companies.models import Company

logger = logging.getLogger(__name__)


def send(name: str, to: str, *, company: Company, person: User | None = None, **context: Any) -> None:
    """Send the mail `companies/mail/NAME` to the address `to` after the commit, in the language of `person`.

    Who is not known here yet is written to in the language of whoever writes: that of the page with the form. The mail
    does not go through the queue: an invitation holds a token, and no secret may lie in the broker.
    """
    context |= {"company": company, "person": person}
    language = mails.language_of(person) if person else get_language() or settings.LANGUAGE_CODE
    message = mails.compose(f"companies/mail/{name}", context, to=to, language=language, zone=company.time_zone)
    on_commit(partial(_deliver, message))


def tell(name: str, people: Iterable[User], *, company: Company, **context: Any) -> None:
    """Send the mail to each of `people` who can still sign in."""
    for person in people:
        if person.is_active:
            send(name, person.email, company=company, person=person, **context)


def address(path: str) -> str:
    """`path` as a whole address of this portal."""
    return f"{settings.PORTAL_URL}{path}"


def _deliver(message: EmailMultiAlternatives) -> None:
    try:
        message.send()
    except (OSError, smtplib.SMTPException) as error:
        logger.error("A mail about a company could not be sent: %s", type(error).__name__)
