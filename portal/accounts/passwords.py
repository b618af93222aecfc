"""What a password must be: Django's rules, in our words and with what to do."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext


class Length(password_validation.MinimumLengthValidator):
    """Not too short."""

    def validate(self, password: str, user: Any = None) -> None:
        """Raises ValidationError that says how many characters are missing."""
        if missing := max(0, self.min_length - len(password)):
            words = ngettext(
                "This password is too short: add %(number)d more character.",
                "This password is too short: add %(number)d more characters.",
                missing,
            )
            raise ValidationError(words % {"number": missing}, code="password_too_short")


class Similarity(password_validation.UserAttributeSimilarityValidator):
    """Not like the name or the address of its owner."""

    def get_error_message(self) -> str:
        """One sentence for both."""
        return _("This password is too similar to your name or address. A few unrelated words make a good one.")


class Commonness(password_validation.CommonPasswordValidator):
    """Not one of those that everybody tries first."""

    def get_error_message(self) -> str:
        """What is wrong, and what is good."""
        return _("This password is too common: it is guessed first. A few unrelated words make a good one.")
