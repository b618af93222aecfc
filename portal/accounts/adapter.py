"""What the portal asks of allauth: its mails, its places to go, and an audit event for each act."""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Iterable
from functools import partial
from typing import Any, cast

from allauth.account.adapter import DefaultAccountAdapter
from allauth.usersessions.adapter import DefaultUserSessionsAdapter
from django.contrib import messages
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.db import transaction
from django.db.transaction import on_commit
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.accounts import mails, services
from portal.accounts.models import User
from portal.audit.actors import Actor
from portal.companies.access import last_company
from portal.companies.models import CompanyState

logger = logging.getLogger(__name__)


class AccountAdapter(DefaultAccountAdapter):
    """allauth's account adapter."""

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        """Home, or the card page of a company that waits for its card."""
        membership = last_company(request)
        if membership and membership.company.state == CompanyState.PENDING and membership.may("card:confirm"):
            return reverse("card", kwargs={"slug": membership.company.slug})
        return reverse("home")

    get_signup_redirect_url = get_login_redirect_url

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        """Back to the account page."""
        return reverse("account")

    def render_mail(
        self, template_prefix: str, email: Any, context: dict[str, Any], headers: dict[str, str] | None = None
    ) -> EmailMessage:
        """The mail as text, and as HTML made from that text."""
        subject = " ".join(render_to_string(f"{template_prefix}_subject.txt", context).split())
        text = mails.tidy(render_to_string(f"{template_prefix}_message.txt", context))
        message = EmailMultiAlternatives(
            subject, text, self.get_from_email(), [email] if isinstance(email, str) else email, headers=headers
        )
        message.attach_alternative(mails.html(subject, text), "text/html")
        return message

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send a mail, when what it tells of is committed.

        It goes out within the request, with a short time-out, and not through the queue: it holds a code, and no secret
        may lie in the broker.
        """
        message = self.render_mail(template_prefix, email, context | {"email": email, "request": self.request})
        on_commit(partial(self._send, message))

    def _send(self, message: EmailMessage) -> None:
        try:
            message.send()
        except (OSError, smtplib.SMTPException) as error:
            logger.error("A mail could not be sent: %s", type(error).__name__)
            messages.error(self.request, _("The mail could not be sent just now. Ask for another one in a minute."))

    def set_password(self, user: User, password: str) -> None:
        """Set and save a password, with its audit event."""
        user.set_password(password)
        signed_in = self.request.user.is_authenticated
        services.save_password(
            user=user,
            action="account:password_changed" if signed_in else "account:password_reset",
            actor=Actor.user(user, self.request),
        )

    @transaction.atomic
    def confirm_email(self, request: HttpRequest, email_address: Any) -> bool:
        """Mark an address as confirmed; the audit event of a change comes by signal, in the same transaction."""
        return cast(bool, super().confirm_email(request, email_address))


class SessionsAdapter(DefaultUserSessionsAdapter):
    """allauth's adapter for lists of sessions."""

    @transaction.atomic
    def end_sessions(self, sessions: Iterable[Any]) -> None:
        """End sessions, with one audit event."""
        sessions = list(sessions)
        super().end_sessions(sessions)
        if sessions:
            user = sessions[0].user
            services.note(user, "account:sessions_ended", Actor.user(user, self.request), count=len(sessions))
