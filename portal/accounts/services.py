"""What happens to accounts. Every write, each with its audit event in one transaction, on the platform's chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.account.models import EmailAddress
from django.db import transaction

from portal.audit.services import Target, record
from portal.companies.services import create_company
from portal.names import clean_name

if TYPE_CHECKING:
    from portal.accounts.models import User
    from portal.audit.actors import Actor
    from portal.companies.models import Company


@transaction.atomic
def register(*, user: User, company_name: str, currency: str, actor: Actor) -> Company:
    """Save the new `user`, whose password is set already, with an unconfirmed address and a company of their own."""
    register_invited(user=user, actor=actor)
    return create_company(name=company_name, currency=currency, owner=user, actor=actor)


@transaction.atomic
def register_invited(*, user: User, actor: Actor) -> None:
    """The same without a company: the user is invited to one, and accepts when the address is confirmed."""
    user.name = clean_name(user.name)
    user.save()
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=False)
    note(user, "account:created", actor)


@transaction.atomic
def change_name(*, user: User, name: str, actor: Actor) -> User:
    """Give the user another name. Raises ValidationError if it could deceive."""
    user.name = clean_name(name)
    user.save(update_fields=["name"])
    note(user, "account:name_changed", actor)
    return user


def change_language(*, user: User, language: str) -> User:
    """Write to `user` and show pages in `language` (a code; empty: as the browser asks). No sensitive act: no event."""
    user.language = language
    user.save(update_fields=["language"])
    return user


@transaction.atomic
def save_password(*, user: User, action: str, actor: Actor) -> None:
    """Save the password that is set on `user`; `action` says how it came about. Ends the user's other sessions.

    They end because a session holds a hash of the password that it began with.
    """
    user.save(update_fields=["password"])
    note(user, action, actor)


def note(user: User, action: str, actor: Actor, **data: Any) -> None:
    """Record `action` about `user`, in the transaction of the act."""
    record(action, actor=actor, company=None, target=Target("user", user.pk, f"{user.name} <{user.email}>"), data=data)
