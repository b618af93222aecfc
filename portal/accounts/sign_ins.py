"""Sign-ins to an account and attempts that were refused: kept for their owner to look at, and told when unusual."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, Final

from allauth.account.authentication import get_authentication_records
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from portal.accounts import mails
from portal.accounts.models import SignIn, SignInMethod
from portal.addresses import client_address
from portal.logs import redact
from portal.ui.templatetags.browsers import browser

if TYPE_CHECKING:
    from django.http import HttpRequest

    from portal.accounts.models import User

SIGN_INS_KEPT: Final = timedelta(days=90)
PURGED_AT_ONCE: Final = 1000
# The first sign-ins of a new account are its owner's: there is nothing yet that they could differ from.
NEW_ACCOUNT: Final = timedelta(days=1)
# Providers change a subscriber's address within such a network: that alone is no news.
_NETWORK: Final = {4: 24, 6: 48}


def note_success(*, user: User, request: HttpRequest) -> tuple[SignIn, bool]:
    """Keep that `user` signed in; also whether from a browser or network that was not seen in SIGN_INS_KEPT."""
    entry = SignIn(user=user, succeeded=True, method=_method(request, user), **_origin(request))
    unusual = _is_unusual(entry, user)
    entry.save()
    return entry, unusual


def note_client(*, user: User | None, succeeded: bool, client: str, ip: str | None) -> None:
    """Keep that the AI client `client` signed in with the password of `user`, or was refused; tells as `reactions`."""
    entry = SignIn(
        user=user, succeeded=succeeded, method=SignInMethod.AI_CLIENT, ip=ip, user_agent=redact(client)[:200]
    )
    unusual = succeeded and user is not None and _is_unusual(entry, user)
    entry.save()
    if unusual and user is not None:
        about = {"timestamp": entry.at, "ip": ip, "user_agent": client, "method": entry.get_method_display}
        transaction.on_commit(mails.to_person("accounts/mail/new_sign_in", user, about).send, robust=True)


def note_failure(*, user: User | None, request: HttpRequest, method: SignInMethod) -> SignIn:
    """Keep that somebody tried to sign in to the account of `user` (None: nobody has the address) and was refused."""
    return SignIn.objects.create(user=user, succeeded=False, method=method, **_origin(request))


def recent(user: User) -> QuerySet[SignIn]:
    """Sign-ins of `user` and attempts, latest first."""
    return SignIn.objects.filter(user=user).order_by("-id")


def purge() -> int:
    """Delete what is older than SIGN_INS_KEPT, in small steps; returns how many."""
    count = 0
    old = SignIn.objects.filter(at__lt=timezone.now() - SIGN_INS_KEPT)
    while ids := list(old.order_by("at").values_list("pk", flat=True)[:PURGED_AT_ONCE]):
        count += SignIn.objects.filter(pk__in=ids).delete()[0]
    return count


def second_factor_method(factor: str, *, alone: bool = False) -> SignInMethod:
    """How a sign-in reads that `factor` (allauth's type of authenticator) was part of; `alone`: without a password."""
    if alone:
        return SignInMethod.PASSKEY
    name = f"{SignInMethod.PASSWORD}+{factor}"
    return SignInMethod(name) if name in SignInMethod.values else SignInMethod.OTHER


@dataclass(frozen=True, slots=True)
class _Place:
    """What is compared: a browser in people's words, and the network that it came from."""

    browser: str
    network: str


def _is_unusual(entry: SignIn, user: User) -> bool:
    earlier = SignIn.objects.filter(user=user, succeeded=True, at__gt=entry.at - SIGN_INS_KEPT)
    seen = [_place(*origin) for origin in earlier.values_list("user_agent", "ip").distinct()[:500]]
    here = _place(entry.user_agent, entry.ip)
    if not seen:
        return entry.at - user.date_joined > NEW_ACCOUNT
    return here.browser not in {place.browser for place in seen} or here.network not in {
        place.network for place in seen
    }


def _place(user_agent: str, ip: str | None) -> _Place:
    if not ip:
        return _Place(browser(user_agent), "")
    address = ip_address(ip)
    return _Place(browser(user_agent), str(ip_network(f"{address}/{_NETWORK[address.version]}", strict=False)))


def _method(request: HttpRequest, user: User) -> SignInMethod:
    records: list[dict[str, Any]] = get_authentication_records(request, user)
    if not records:
        return SignInMethod.MAIL  # the code that ends a sign-up, of which allauth keeps no record
    last = records[-1]
    if last.get("method") == "mfa":
        return second_factor_method(str(last.get("type")), alone=bool(last.get("passwordless")))
    if last.get("method") == "password":
        return SignInMethod.PASSWORD
    return SignInMethod.MAIL if last.get("method") in {"code", "email_verification"} else SignInMethod.OTHER


def _origin(request: HttpRequest) -> dict[str, Any]:
    agent = redact(request.headers.get("User-Agent", ""))[:200]
    return {"ip": client_address(request), "user_agent": agent}
