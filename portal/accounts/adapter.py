"""What the portal asks of allauth: its mails, its places to go, and an audit event for each act."""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Iterable
from functools import partial
from typing import Any, cast

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.usersessions.adapter import DefaultUserSessionsAdapter
from django.conf import settings
from django.contrib import messages
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.transaction import on_commit
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from portal.accounts import mails, services, sign_ins
from portal.accounts.models import SignInMethod, User
from portal.accounts.reauthentication import signed_in_recently
from portal.audit.actors import Actor
from portal.companies.access import last_company
from portal.companies.models import CompanyState

logger = logging.getLogger(__name__)


class AccountAdapter(DefaultAccountAdapter):
    """allauth's account adapter."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": gettext_lazy(
            "The e-mail address or the password is wrong. Try again, or choose a new password below."
        ),
        "incorrect_code": gettext_lazy("This is not the code. Type the newest that we sent, or ask for another one."),
        "duplicate_email": gettext_lazy("This is your address already."),
        "email_taken": gettext_lazy("This address cannot be used here. Choose another one."),
        "enter_current_password": gettext_lazy("This is not your current password. Type it again."),
        "incorrect_password": gettext_lazy("This is not your password. Type it again."),
        "invalid_password_reset": gettext_lazy("This link was used already, or is too old. Ask for a new mail."),
        "rate_limited": gettext_lazy("That was too often in a short time. Wait a few minutes, then try again."),
        "same_as_current": gettext_lazy("This is what you have already. Type another one."),
        "too_many_login_attempts": gettext_lazy(
            "Too many attempts in a short time. Wait a few minutes, then try again."
        ),
    }

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        """Home, or the card page of a company that waits for its card."""
        membership = last_company(request)
        if membership and membership.company.state == CompanyState.PENDING and membership.may("card:confirm"):
            return reverse("card", kwargs={"slug": membership.company.slug})
        return reverse("home")

    get_signup_redirect_url = get_login_redirect_url

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """The ways to confirm who one is, in the words of our pages."""
        words = {"mfa_reauthenticate": _("Use a code"), "mfa_reauthenticate:webauthn": _("Use a passkey")}
        methods = super().get_reauthentication_methods(user)
        return [method | {"description": words.get(method["id"], _("Use your password"))} for method in methods]

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Whether allauth's pages ask once more who it is: by the same rule as ours, to which a sign-in of a moment ago
        counts. allauth itself knows only its own confirmations.
        """
        return super().is_reauthentication_required(app=app, **kwargs) and not signed_in_recently(self.request)

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        """Back to the account page."""
        return reverse("account")

    def render_mail(
        self, template_prefix: str, email: Any, context: dict[str, Any], headers: dict[str, str] | None = None
    ) -> EmailMessage:
        """The mail in the language of its reader: the person it is to, else whoever asks."""
        person = context.get("person") or context.get("user")
        chosen = isinstance(person, User) and person.language
        language = mails.language_of(person) if chosen else get_language()
        return mails.compose(
            template_prefix,
            context,
            to=email if isinstance(email, str) else email[0],
            language=language or settings.LANGUAGE_CODE,
            sender=self.get_from_email(),
            headers=headers,
        )

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send a mail, when what it tells of is committed.

        It goes out within the request, with a short time-out, and not through the queue: it holds a code, and no secret
        may lie in the broker.
        """
        message = self.render_mail(template_prefix, email, context | {"email": email, "request": self.request})
        on_commit(partial(self._send, message))

    def send_notification_mail(
        self, template_prefix: str, user: Any, context: dict[str, Any] | None = None, email: str | None = None
    ) -> None:
        """Tell `user` what happened to their account, from where and with what."""
        super().send_notification_mail(template_prefix, user, {"person": user} | (context or {}), email)

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Keep a refused password, for the owner of the account to see."""
        user = User.objects.filter(email__iexact=credentials.get("email") or "").first()
        sign_ins.note_failure(user=user, request=request, method=SignInMethod.PASSWORD)

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
            tell = AccountAdapter(self.request).send_notification_mail
            tell("accounts/mail/sessions_ended", user, {"count": len(sessions)})


class SecondFactorAdapter(DefaultMFAAdapter):
    """allauth's adapter of the second factor, in the words of our pages."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "add_email_blocked": gettext_lazy("An account with a second factor cannot get another e-mail address."),
        "cannot_delete_authenticator": gettext_lazy("The second factor cannot be turned off."),
        "cannot_generate_recovery_codes": gettext_lazy("Set up a second factor first, then make recovery codes."),
        "incorrect_code": gettext_lazy("This is not the code. Type the one that the app shows now."),
        "unverified_email": gettext_lazy("Confirm your e-mail address first, then set up a second factor."),
    }

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:  # noqa: A002 - allauth's name
        """What a new passkey is called until its owner says something better."""
        count = Authenticator.objects.filter(user=user, type=type).count()
        return _("Passkey %(number)d") % {"number": count + 1} if count else _("Passkey")
