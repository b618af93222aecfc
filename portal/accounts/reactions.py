"""Audit events of what allauth does by itself. It sends these signals in the request of the act."""

from __future__ import annotations

from typing import Any, cast

from allauth.account.signals import email_changed, user_logged_in
from allauth.core import context
from allauth.mfa.models import Authenticator
from django.db import transaction
from django.db.models.signals import post_delete, post_save
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


# allauth's own signals of second factors come after the commit; these come in the transaction of the act.
@receiver(post_save, sender=Authenticator, dispatch_uid="accounts.factor_added")
def factor_added(sender: Any, instance: Authenticator, created: bool, **kwargs: Any) -> None:
    """A second factor was added, or recovery codes were made."""
    if created:
        _note_factor("account:factor_added", instance)


@receiver(post_delete, sender=Authenticator, dispatch_uid="accounts.factor_removed")
def factor_removed(sender: Any, instance: Authenticator, **kwargs: Any) -> None:
    """A second factor was removed."""
    _note_factor("account:factor_removed", instance)


@transaction.atomic
def _note_factor(action: str, authenticator: Authenticator) -> None:
    user = cast(User, authenticator.user)
    note(user, action, Actor.user(user, context.request), factor=authenticator.type)
