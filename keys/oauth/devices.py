"""The device grant (RFC 8628): a client shows a code, a person types it here, the client asks until it is decided."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.utils import timezone
from oauthlib.oauth2.rfc8628.grant_types import DeviceCodeGrant

from keys import windows
from keys.models import McpServer
from keys.oauth import connections
from keys.oauth.models import Connection, DeviceRequest

if TYPE_CHECKING:
    from portal.accounts.models import User

LIVES: Final = timedelta(minutes=15)
INTERVAL: Final = 5
# No vowels, so no words; no two letters that look alike (RFC 8628, section 6.1). 20⁸ codes, of which a person may
# miss ten in a quarter of an hour.
LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ"
MOST_MISSES: Final = 10
MOST_MISSES_OF_ADDRESS: Final = 40
MISSES_WINDOW: Final = 900


class TooManyMisses(Exception):
    """This person, or this address, typed too many codes that nobody has shown."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class NoLongerWaiting(Exception):
    """The request was decided already, or its time is over."""


def new_user_code() -> str:
    """A code for a person to type, from the operating system's CSPRNG."""
    return "".join(secrets.choice(LETTERS) for _ in range(8))


def begin(*, client: Any, server: McpServer, scopes: list[str], user_code: str, code_digest: str) -> DeviceRequest:
    """Wait for a person to decide about `client`."""
    return DeviceRequest.objects.create(
        client=client, server=server, scopes=scopes, user_code=user_code, code_digest=code_digest, interval=INTERVAL,
        expires_at=timezone.now() + LIVES,
    )  # fmt: skip


def find(*, typed: str, user: User, address: str) -> DeviceRequest | None:
    """The waiting request with the code that was typed, in any spelling. Misses are counted. Raises TooManyMisses."""
    limits = [("oauth-device-user", user.pk, MOST_MISSES), ("oauth-device-address", address, MOST_MISSES_OF_ADDRESS)]
    if seconds := max(windows.look(name, who, most, MISSES_WINDOW) for name, who, most in limits):
        raise TooManyMisses(seconds)
    code = "".join(letter for letter in typed.upper()[:40] if letter in LETTERS)
    found = DeviceRequest.objects.filter(user_code=code).select_related("client", "server").first() if code else None
    if found is not None and found.is_waiting:
        return found
    for name, who, most in limits:
        windows.wait(name, who, most, MISSES_WINDOW)
    return None


@transaction.atomic
def approve(*, waiting: DeviceRequest, **approval: Any) -> Connection:
    """Say yes: the client gets tokens for a connection made by `connections.approve`. Raises NoLongerWaiting."""
    found = _locked(waiting)
    found.connection = connections.approve(**approval)
    found.save(update_fields=["connection"])
    return found.connection


@transaction.atomic
def refuse(*, waiting: DeviceRequest) -> None:
    """Say no: the client is told at its next question. Raises NoLongerWaiting."""
    found = _locked(waiting)
    found.denied_at = timezone.now()
    found.save(update_fields=["denied_at"])


def _locked(waiting: DeviceRequest) -> DeviceRequest:
    found = DeviceRequest.objects.select_for_update().filter(pk=waiting.pk).first()
    if found is None or not found.is_waiting:
        raise NoLongerWaiting
    return found


@transaction.atomic
def poll(*, code_digest: str, client: Any) -> tuple[str | None, DeviceRequest | None]:
    """What the client is to be told, in oauthlib's words, and its request; None for a code that is no good.

    Who asks before its interval is over is told to slow down, and to wait longer from then on (section 3.5).
    """
    found = DeviceRequest.objects.select_for_update().filter(code_digest=code_digest, client=client).first()
    if found is None or found.redeemed_at is not None:
        return None, None
    now = timezone.now()
    if found.denied_at is not None:
        return DeviceCodeGrant.DEVICE_CODE_DENIED, found
    if found.expires_at <= now:
        return DeviceCodeGrant.DEVICE_CODE_EXPIRED, found
    if found.connection_id is not None:
        return DeviceCodeGrant.DEVICE_CODE_AUTHORIZED, found
    too_early = found.polled_at is not None and found.polled_at + timedelta(seconds=found.interval - 1) > now
    found.polled_at = now
    if too_early:
        found.interval = min(found.interval + 5, 60)
    found.save(update_fields=["polled_at", "interval"])
    return (DeviceCodeGrant.DEVICE_CODE_SLOW_DOWN if too_early else DeviceCodeGrant.DEVICE_CODE_PENDING), found
