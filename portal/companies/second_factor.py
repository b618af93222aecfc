"""A company can ask its members for a second factor; who owes one is decided here, for pages and machines alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.mfa.utils import is_mfa_enabled

if TYPE_CHECKING:
    from portal.accounts.models import User
    from portal.companies.models import Company


def owes_second_factor(company: Company, user: User) -> bool:
    """Whether `user` has to set up a second factor before doing anything in `company`."""
    return company.require_second_factor and not is_mfa_enabled(user)
