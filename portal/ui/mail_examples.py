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
from django.utils.functional import lazy
from django.utils.translation import gettext_lazy as _

from portal.accounts import mails
from portal.accounts.models import SignInMethod
from portal.audit.verification import fault_in_words
from portal.companies.roles import Role

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
_OTHER: Final = SimpleNamespace(name="Grace Hopper", email="grace@example.com")
_TEAM: Final = {"company": _COMPANY, "by": _OTHER, "member": _OTHER, "role": Role.DEVELOPER.label, "address": _LINK}
_LEAK: Final = {
    "kind": "key", "get_kind_display": _("Key"), "subject_name": "Sales assistant", "hint": "lk_live_8RkTq2XvBn4d_…",
    "company": _COMPANY, "source": "github", "outcome": "revoked",
    "url": "https://github.example.com/acme/settings/blob/main/settings.json",
}  # fmt: skip
_REVIEW: Final = {
    "review": SimpleNamespace(company=_COMPANY, month=_AT.date().replace(day=1)), "number": 12, "urgent": 3,
    "reminding": False, "address": f"{_LINK}reviews/8RkTq2XvBn4d/",
}  # fmt: skip
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
    "accounts/mail/new_sign_in": {"": {"method": SignInMethod.PASSWORD_PASSKEY.label}},
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
            "action": "revoked", "who": _("The operator of this portal"), "keys": [_KEY, _KEY], "count": 22, "more": 20,
            "event": SimpleNamespace(at=_AT, reason="Incident of 25 November", actor_kind="staff"),
        },
    },
    "keys/mail/notice": {
        kind: {"key": _KEY, "kind": kind, "address": f"{_LINK}keys/8RkTq2XvBn4d/"}
        for kind in ("14d", "3d", "0d", "overlap")
    },
    "audit/mail/fault": {
        name: {
            "name": name, "fault": lazy(fault_in_words, str)("event 42 was changed"), "platform": name == "platform",
            "page": f"{_LINK}audit/",
        }
        for name in ("8RkTq2XvBn4d", "platform")
    },
    "companies/mail/company_closed": {"": _TEAM | {"until": _AT + timedelta(days=14)}},
    "companies/mail/company_reopened": {"": _TEAM},
    "companies/mail/export_ready": {"": _TEAM | {"expires_at": _AT + timedelta(days=7)}},
    "companies/mail/handed_over": {"": _TEAM | {"giver": SimpleNamespace(name="Charles Babbage")}},
    "companies/mail/imported": {"new": _TEAM | {"new": True}, "known": _TEAM | {"new": False}},
    "companies/mail/invitation": {
        "": _TEAM | {"inviter": _OTHER, "expires_at": _AT + timedelta(days=7), "person": None},
    },
    "companies/mail/invitation_accepted": {"": _TEAM},
    "companies/mail/member_removed": {"": _TEAM},
    "companies/mail/role_changed": {"": _TEAM},
    "companies/mail/transferred": {"": _TEAM},
    "incidents/mail/revoked": {
        "": {
            "told": SimpleNamespace(
                company=_COMPANY, number=22, names=["Sales assistant", "Nightly report"], reason="Left in a log"
            ),
            "more": 20, "address": f"{_LINK}keys/",
        },
    },
    "leaks/mail/leaked": {
        "revoked": {"leak": SimpleNamespace(**_LEAK), "address": f"{_LINK}keys/8RkTq2XvBn4d/"},
        "told": {
            "leak": SimpleNamespace(**_LEAK | {"outcome": "told", "source": "holder", "url": ""}),
            "address": f"{_LINK}keys/8RkTq2XvBn4d/",
        },
    },
    "reviews/mail/review": {"": _REVIEW, "reminding": _REVIEW | {"reminding": True}},
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
