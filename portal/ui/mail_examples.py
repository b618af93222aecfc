"""Every mail with made-up values, for /styleguide/mail/ and for the test that renders them all.

A mail is found by its template PREFIX_subject.txt; what it needs to know stands here. Nothing is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from django.conf import settings
from django.core.mail import EmailMultiAlternatives

from portal.accounts import mails

_SUFFIX: Final = "_subject.txt"
_AT: Final = datetime(2026, 11, 25, 22, 10, tzinfo=UTC)
_LINK: Final = "http://localhost:8000/c/analytical-engines/"
_NOTICE: Final = {
    "timestamp": _AT,
    "ip": "203.0.113.9",
    "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0",
}
_PERSON: Final = SimpleNamespace(name="Ada Lovelace", email="ada@example.com", language="")
_COMPANY: Final = SimpleNamespace(name="Analytical Engines", slug="analytical-engines")
_KEY: Final = SimpleNamespace(
    name="Sales assistant",
    hint="lk_live_8RkTq2XvBn4d_…",
    company=_COMPANY,
    expires_at=_AT + timedelta(days=13),
    overlap_ends_at=_AT + timedelta(hours=2),
)
_BY_ADMIN: Final = {
    "event": SimpleNamespace(at=_AT, reason="", actor_kind="user"),
    "who": "Grace Hopper",
    "key": _KEY,
    "keys": [_KEY],
    "count": 1,
    "more": 0,
    "company": _COMPANY,
    "address": f"{_LINK}keys/8RkTq2XvBn4d/",
}
_CONNECTION: Final = SimpleNamespace(
    client_name="Claude Code", company=_COMPANY, server="GrowERP system", scopes=["tools:read"],
    expires_at=_AT + timedelta(days=90),
)  # fmt: skip
_ENDPOINT: Final = SimpleNamespace(
    url="https://hooks.example.com/latchkey", description="Alarms", disabled_reason="failing",
    failing_since=_AT - timedelta(days=3),
)  # fmt: skip

# Template prefix → variant → context. "" is the only variant.
EXAMPLES: Final[dict[str, dict[str, dict[str, Any]]]] = {
    "account/email/account_already_exists": {"": {"password_reset_url": "http://localhost:8000/accounts/password/reset/"}},
    "account/email/email_changed": {"": {"from_email": "ada@example.com", "to_email": "lovelace@example.com"}},
    "account/email/email_confirmation": {"": {"code": "K7QX-2MDP", "person": None}},
    "account/email/email_confirmation_signup": {"": {"code": "K7QX-2MDP", "person": None}},
    "account/email/email_deleted": {"": {"deleted_email": "old@example.com"}},
    "account/email/password_reset_key": {"": {"password_reset_url": "http://localhost:8000/accounts/password/reset/key/1-x/"}},
    "account/email/unknown_account": {"": {"signup_url": "http://localhost:8000/accounts/signup/", "person": None}},
    "accounts/mail/new_sign_in": {"": {"method": "Password and passkey"}},
    "accounts/mail/recovery_code_used": {"": {"left": 7}, "few": {"left": 1}},
    "accounts/mail/sessions_ended": {"": {"count": 2}},
    "connections/mail/made": {"": {"connection": _CONNECTION, "address": f"{_LINK}connections/c1/"}},
    "connections/mail/tokens_ended": {"": {"connection": _CONNECTION, "address": f"{_LINK}connections/c1/"}},
    "keys/mail/by_somebody_else": {
        "created": _BY_ADMIN | {"action": "created"},
        "rotated": _BY_ADMIN | {"action": "rotated"},
        "updated": _BY_ADMIN | {"action": "updated"},
        "revoked": _BY_ADMIN
        | {"action": "revoked", "event": SimpleNamespace(at=_AT, reason="Left in a log", actor_kind="user")},
        "many": _BY_ADMIN
        | {
            "action": "revoked", "who": "The operator of this portal", "keys": [_KEY, _KEY], "count": 22, "more": 20,
            "event": SimpleNamespace(at=_AT, reason="Incident of 25 November", actor_kind="staff"),
        },
    },
    "keys/mail/notice": {
        kind: {"key": _KEY, "kind": kind, "address": f"{_LINK}keys/8RkTq2XvBn4d/"}
        for kind in ("14d", "3d", "0d", "overlap")
    },
    "webhooks/mail/disabled": {
        "failing": {"endpoint": _ENDPOINT, "company": _COMPANY, "link": f"{_LINK}webhooks/w1/"},
        "gone": {
            "endpoint": SimpleNamespace(**vars(_ENDPOINT) | {"disabled_reason": "gone", "failing_since": None}),
            "company": _COMPANY, "link": f"{_LINK}webhooks/w1/",
        },
    },
}  # fmt: skip


def prefixes() -> list[str]:
    """The template prefix of every mail that the portal can send."""
    folder = Path(settings.BASE_DIR, "templates")
    found = (path.relative_to(folder).as_posix() for path in folder.rglob(f"*{_SUFFIX}"))
    return sorted(name.removesuffix(_SUFFIX) for name in found)


def variants(prefix: str) -> Mapping[str, dict[str, Any]]:
    """The variants of the mail `prefix` with what each knows; a plain security notice needs no entry of its own."""
    return EXAMPLES.get(prefix) or {"": {}}


def example(prefix: str, variant: str = "", language: str = "") -> EmailMultiAlternatives:
    """The mail `prefix` as it would be sent. Raises KeyError for one that does not exist."""
    if prefix not in prefixes():
        raise KeyError(prefix)
    context = {"person": _PERSON} | _NOTICE | variants(prefix)[variant]
    return mails.compose(prefix, context, to=_PERSON.email, language=language or settings.LANGUAGE_CODE)
