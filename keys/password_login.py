"""GrowERP's sign-in by username and password: a named key for AI clients that know no browser.

Off in production until LATCHKEY_PASSWORD_LOGIN is set. The key is listed, rotated and revoked like any other; a new
sign-in of the same user and client replaces it.
"""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.contrib.auth import authenticate
from django.core.cache import cache
from django.db import transaction
from django.utils import timezone

from keys.errors import CompanyInactive, LifecycleError, NotAllowed
from keys.models import Key, McpServer
from keys.scopes import ALL
from keys.services import create_key, revoke_keys
from keys.tokens import Token
from portal.accounts import sign_ins
from portal.accounts.models import User
from portal.audit.actors import Actor
from portal.audit.models import ActorKind
from portal.companies.models import Company, CompanyState
from portal.companies.roles import ACTS

LIFE = timedelta(days=7)
DEFAULT_CLIENT = "growerp"
# Failed attempts: by account, and by address of the AI client.
MOST_PER_ACCOUNT, ACCOUNT_SECONDS = 5, 300
MOST_PER_ADDRESS, ADDRESS_SECONDS = 20, 60


class LoginFailed(Exception):
    """Unknown user, wrong password, unconfirmed address: not to be told apart."""


class LoginThrottled(Exception):
    """Too many failed attempts: wait `seconds`."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        super().__init__(f"Wait {seconds} seconds.")


class SecondFactorNeeded(LifecycleError):
    """The account has a second factor: a password alone opens nothing."""

    code = "second_factor_needed"
    default = "This account has a second factor. Sign in to the portal and create a key there."


def log_in(*, server: McpServer, username: str, password: str, client: str, address: str | None) -> tuple[Key, Token]:
    """Sign `username` in and make their key for `server`; one they had for the same `client` is revoked.

    Raises LoginFailed, LoginThrottled, SecondFactorNeeded, NotAllowed (switched off, or a role without keys),
    CompanyInactive (no active company).
    """
    if not settings.PASSWORD_LOGIN:
        raise NotAllowed("Sign-in by password is switched off here. Create a key in the portal.")
    client = client.strip()[:80] or DEFAULT_CLIENT
    user = _checked_user(username.strip().lower(), password, address, client)
    company = _company_of(user)
    actor = Actor(ActorKind.USER, user.pk, f"{user.name} <{user.email}>", address, client)
    with transaction.atomic():
        sign_ins.note_client(user=user, succeeded=True, client=client, ip=address)
        Company.objects.select_for_update().get(pk=company.pk)
        earlier = Key.objects.filter(company=company, user=user, login_client=client, revoked_at=None)
        revoke_keys(key_ids=earlier.values_list("pk", flat=True), reason="Replaced by a new sign-in", actor=actor)
        return create_key(
            company=company,
            server=server,
            user=user,
            name=f"Sign-in from {client}"[:80],
            scopes=[ALL],
            expires_at=timezone.now() + LIFE,
            actor=actor,
            login_client=client,
        )


def _checked_user(email: str, password: str, address: str | None, client: str) -> User:
    limits = [(f"login-account:{email}", MOST_PER_ACCOUNT, ACCOUNT_SECONDS)]
    if address:
        limits.append((f"login-address:{address}", MOST_PER_ADDRESS, ADDRESS_SECONDS))
    for name, most, seconds in limits:
        if cache.get(name, 0) >= most:
            raise LoginThrottled(seconds)
    user = authenticate(None, email=email, password=password)
    if user is None or not user.emailaddress_set.filter(email__iexact=email, verified=True).exists():  # type: ignore[attr-defined]
        for name, _most, seconds in limits:
            cache.add(name, 0, seconds)
            try:
                cache.incr(name)
            except ValueError:  # evicted between the two calls
                continue
        found = User.objects.filter(email__iexact=email).first()
        sign_ins.note_client(user=found, succeeded=False, client=client, ip=address)
        raise LoginFailed
    assert isinstance(user, User)
    if user.authenticator_set.exclude(type="recovery_codes").exists():  # type: ignore[attr-defined]
        raise SecondFactorNeeded
    return user


def _company_of(user: User) -> Company:
    memberships = user.memberships.select_related("company").order_by("created_at")
    active = [found for found in memberships if found.company.state == CompanyState.ACTIVE]
    if not active:
        raise CompanyInactive("No active company. Confirm a card in the portal first.")
    for membership in active:
        if membership.role in ACTS["key:create"]:
            return membership.company
    raise NotAllowed
