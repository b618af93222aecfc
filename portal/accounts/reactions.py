"""Audit events of what allauth does by itself. It sends these signals in the request of the act."""

from __future__ import annotations

from typing import Any, cast

from allauth.account.adapter import get_adapter
from allauth.account.signals import email_changed, user_logged_in
from allauth.core import context
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authentication_failed, authenticator_used
from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.http import HttpRequest

from portal.accounts import sign_ins
from portal.accounts.models import User
from portal.accounts.services import note
from portal.audit.actors import Actor


@receiver(user_logged_in, dispatch_uid="accounts.signed_in")
def signed_in(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """Somebody signed in; they are told if it was from a browser or a network that is new."""
    with transaction.atomic():
        note(user, "account:signed_in", Actor.user(user, request))
        entry, unusual = sign_ins.note_success(user=user, request=request)
        if unusual:
            about = {"method": entry.get_method_display}
            get_adapter(request).send_notification_mail("accounts/mail/new_sign_in", user, about)


@receiver(authentication_failed, dispatch_uid="accounts.factor_refused")
def factor_refused(sender: Any, request: HttpRequest, user: User, authenticator: Authenticator, **kwargs: Any) -> None:
    """A code of the second factor was wrong. Whoever typed it knew the password."""
    sign_ins.note_failure(user=user, request=request, method=sign_ins.second_factor_method(authenticator.type))


@receiver(authenticator_used, dispatch_uid="accounts.recovery_code_used")
def recovery_code_used(
    sender: Any, request: HttpRequest, user: User, authenticator: Authenticator, **kwargs: Any
) -> None:
    """A recovery code was used up: its owner is told, and how many are left."""
    if authenticator.type != Authenticator.Type.RECOVERY_CODES:
        return
    # Read anew: what was sent along does not know yet that the code is used.
    left = len(Authenticator.objects.get(pk=authenticator.pk).wrap().get_unused_codes())
    with transaction.atomic():
        note(user, "account:recovery_code_used", Actor.user(user, request), left=left)
        get_adapter(request).send_notification_mail("accounts/mail/recovery_code_used", user, {"left": left})


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
