"""Audit events of what allauth does by itself. It sends these signals in the request of the act."""

from __future__ import annotations

from typing import Any

from allauth.account.signals import email_changed, user_logged_in
from allauth.mfa.signals import authenticator_added, authenticator_removed, authenticator_reset
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest

from portal.accounts.models import User
from portal.accounts.services import note
from portal.audit.actors import Actor


@receiver(user_logged_in, dispatch_uid="accounts.signed_in")
def signed_in(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """Somebody signed in."""
    with transaction.atomic():
        note(user, "account:signed_in", Actor.user(user, request))


@receiver(email_changed, dispatch_uid="accounts.email_changed")
def address_changed(sender: Any, request: HttpRequest, user: User, from_email_address: Any, **kwargs: Any) -> None:
    """The address that somebody signs in with was changed. The first confirmation of a new account is no change."""
    if from_email_address is not None:
        with transaction.atomic():
            note(user, "account:email_changed", Actor.user(user, request))


@receiver(authenticator_added, dispatch_uid="accounts.factor_added")
@receiver(authenticator_reset, dispatch_uid="accounts.factor_reset")
def factor_added(sender: Any, request: HttpRequest, user: User, authenticator: Any, **kwargs: Any) -> None:
    """A second factor was added, or recovery codes were made anew."""
    with transaction.atomic():
        note(user, "account:factor_added", Actor.user(user, request), factor=authenticator.type)


@receiver(authenticator_removed, dispatch_uid="accounts.factor_removed")
def factor_removed(sender: Any, request: HttpRequest, user: User, authenticator: Any, **kwargs: Any) -> None:
    """A second factor was removed."""
    with transaction.atomic():
        note(user, "account:factor_removed", Actor.user(user, request), factor=authenticator.type)
