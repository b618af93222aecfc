"""People."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.ids import new_id
from portal.prefixes import Folded


class UserManager(BaseUserManager["User"]):
    """Makes users; the address is their name."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """A new user with `email` and `password` (none: cannot sign in by password)."""
        if not email:
            raise ValueError("A user needs an e-mail address.")
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """A new member of the operator's staff with every right (`manage.py createsuperuser`)."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def staff(self) -> models.QuerySet[User]:
        """The operator's staff who can sign in, by address: whom mails about the installation go to."""
        return self.filter(is_staff=True, is_active=True).order_by("email")


class User(AbstractBaseUser, PermissionsMixin):
    """A person, known by e-mail address, in any number of companies."""

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    email = models.EmailField(_("e-mail address"), unique=True)
    name = models.CharField(_("your name"), max_length=120)
    language = models.CharField(
        _("language"),
        max_length=8,
        blank=True,
        default="",
        db_default="",  # the release before does not name this column
        help_text=_("Of pages and mails; empty: as the browser asks."),
    )
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False, help_text=_("Works for the operator; may open /staff/."))
    date_joined = models.DateTimeField(default=timezone.now, editable=False)

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_unique_in_any_case")]
        indexes = [
            models.Index(Folded("email"), name="user_email_begins"),
            models.Index(Folded("name"), name="user_name_begins"),
            models.Index(fields=["name", "id"], name="user_by_name"),
        ]

    def __str__(self) -> str:
        return self.name or self.email

    def get_full_name(self) -> str:
        """The name for greetings and tables."""
        return self.name or self.email

    get_short_name = get_full_name


class SignInMethod(models.TextChoices):
    """How somebody signed in, or tried to."""

    PASSWORD = "password", _("Password")
    PASSWORD_TOTP = "password+totp", _("Password and authenticator app")
    PASSWORD_PASSKEY = "password+webauthn", _("Password and passkey")
    PASSWORD_RECOVERY = "password+recovery_codes", _("Password and recovery code")
    PASSKEY = "passkey", _("Passkey")
    AI_CLIENT = "client", _("Password, by an AI client")
    MAIL = "mail", _("Code by mail")
    OTHER = "other", _("Another way")


class SignIn(models.Model):
    """A sign-in to an account, or an attempt that was refused. Kept for SIGN_INS_KEPT, then forgotten.

    An attempt at an address that nobody has leaves a row too, without a user: the answer then takes as long as that
    to a wrong password, and tells nothing.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, blank=True, related_name="sign_ins")
    at = models.DateTimeField(default=timezone.now, db_index=True)
    succeeded = models.BooleanField()
    method = models.CharField(max_length=32, choices=SignInMethod)
    ip = models.GenericIPAddressField(null=True, blank=True)
    user_agent = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["user", "-id"], name="sign_ins_of_user_latest")]

    def __str__(self) -> str:
        return f"{self.user_id or '?'} {self.method} {self.at:%Y-%m-%d %H:%M}"
