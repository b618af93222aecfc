"""What tests of invitations share: reading the link from the mail, and people with a second factor."""

from __future__ import annotations

import re

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.core import mail

from portal.accounts.models import User


def link_in(message: mail.EmailMessage) -> str:
    """The path of the only link of a mail."""
    links = set(re.findall(rf"{re.escape(settings.PORTAL_URL)}(/\S+)", str(message.body)))
    assert len(links) == 1, message.body
    return links.pop()


def last_link(to: str) -> str:
    """The path of the link in the latest mail to `to`."""
    return link_in([message for message in mail.outbox if message.to == [to]][-1])


def give_second_factor(user: User) -> None:
    """Set up an authenticator app for `user`."""
    Authenticator.objects.create(user=user, type="totp", data={"secret": "x"})
