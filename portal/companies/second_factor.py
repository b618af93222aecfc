"""A company can ask its members for a second factor; who owes one is decided here, for pages and machines alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled

if TYPE_CHECKING:
    from portal.accounts.models import User
    from portal.companies.models import Company

# Recovery codes only stand in for one of these.
FACTORS = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]


def has_second_factor(user: User) -> bool:
    """Whether `user` has set up an authenticator app or a passkey."""
    return bool(is_mfa_enabled(user, FACTORS))


def owes_second_factor(company: Company, user: User) -> bool:
    """Whether `user` has to set up a second factor before doing anything in `company`."""
    return company.require_second_factor and not has_second_factor(user)
