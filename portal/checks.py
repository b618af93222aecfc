"""Production refuses to start on what must not be there: `check --deploy` and the start of each process ask this."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import Error as DatabaseError
from django.db import connection
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.csrf import CsrfViewMiddleware
from django.middleware.security import SecurityMiddleware
from django.utils.module_loading import import_string

from portal import env
from portal.metrics.listener import is_loopback

_CONTACT = re.compile(r"(mailto:)?[^@\s]+@[^@\s]+|https://\S+").fullmatch
DEMO_EMAIL = "test@example.com"


def register() -> None:
    """Add the checks to Django's: `manage.py check --deploy` runs them."""
    checks.register(production, checks.Tags.security, deploy=True)
    checks.register(middleware, checks.Tags.security, deploy=True)


def refuse_unsafe_production() -> None:
    """In production, raise ImproperlyConfigured with all that must be changed first. Web, worker and beat call it."""
    if not settings.PRODUCTION:
        return
    found = problems() + ([_DEMO_DATA] if has_demo_data() else [])
    connection.close()  # this thread serves no request
    if found:
        lines = "\n".join(f"  - {problem}" for problem in found)
        raise ImproperlyConfigured(f"Latchkey does not start in production until this is set right:\n{lines}")


def problems() -> list[str]:
    """What production must not have, each with what to set. Looks at the settings alone."""
    found = []
    if settings.DEBUG:
        found.append("LATCHKEY_DEBUG is on, which shows strangers the inside of every error: unset it.")
    if len(settings.SECRET_KEY) < 50 or len(set(settings.SECRET_KEY)) < 10:
        found.append("LATCHKEY_SECRET_KEY is too weak: make one with openssl rand -base64 50.")
    for name, pepper in settings.PEPPERS.items():
        if len(set(pepper)) < 10:
            found.append(f"The pepper {name} in LATCHKEY_PEPPERS is no random value: openssl rand -base64 32.")
    for variable, origin in (("LATCHKEY_URL", settings.PORTAL_URL), ("LATCHKEY_MCP_URL", settings.MCP_URL)):
        if not origin.startswith("https://"):
            found.append(f"{variable} is {origin}: set the https:// address that people use.")
    if any(host in {"*", "."} or not host for host in settings.ALLOWED_HOSTS):
        found.append("LATCHKEY_HOSTS lets any host name in: list the portal's own, split at commas.")
    if not env.text("DATABASE_URL"):
        found.append(
            "DATABASE_URL is not set: set postgres://user:password@host/name, or, for one machine, "
            "sqlite:////folder/latchkey.sqlite3."
        )
    if settings.SECURITY_CONTACT and not _CONTACT(settings.SECURITY_CONTACT):
        found.append("LATCHKEY_SECURITY_CONTACT is no address: use a mail address or an https:// page.")
    if settings.METRICS_TOKEN and len(settings.METRICS_TOKEN) < 32:
        found.append("LATCHKEY_METRICS_TOKEN can be guessed: make one with openssl rand -hex 32.")
    if settings.METRICS_PORT and not settings.METRICS_TOKEN and not is_loopback(settings.METRICS_HOST):
        found.append(
            f"LATCHKEY_METRICS_HOST is {settings.METRICS_HOST}, where others read the metrics: set "
            "LATCHKEY_METRICS_TOKEN too, or leave it at 127.0.0.1."
        )
    if not settings.EMAIL_HOST:
        found.append("LATCHKEY_SMTP_HOST is not set: without mail nobody can confirm an address or reset a password.")
    return found


_DEMO_DATA = f"The database holds demo data, whose passwords are public ({DEMO_EMAIL}): begin with an empty one."


def has_demo_data() -> bool:
    """Whether the demo's users are in the database. False also when it cannot be asked: health then says so."""
    from portal.accounts.models import User

    try:
        return User.objects.filter(email=DEMO_EMAIL).exists()
    except DatabaseError:
        return False


def production(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[checks.CheckMessage]:
    """The list above as Django's errors, and warnings for what may be meant so."""
    if not settings.PRODUCTION:
        return [checks.Error("LATCHKEY_ENV is not production: this is a development run.", id="latchkey.E001")]
    found: list[checks.CheckMessage] = [checks.Error(text, id="latchkey.E002") for text in problems()]
    if has_demo_data():
        found.append(checks.Error(_DEMO_DATA, id="latchkey.E003"))
    if not settings.SECURITY_CONTACT:
        found.append(
            checks.Info(
                "LATCHKEY_SECURITY_CONTACT is not set: who finds a weakness is told nowhere whom to write to.",
                id="latchkey.I001",
            )
        )
    if not settings.REDIS_URL:
        found.append(checks.Warning("REDIS_URL is not set: run one web process only.", id="latchkey.W001"))
    if settings.HTTPS and not settings.TRUSTED_PROXY_COUNT:
        found.append(
            checks.Warning(
                "LATCHKEY_TRUSTED_PROXIES is 0: behind a proxy that ends TLS, every page redirects to itself and all "
                "visitors share one address. Set the number of proxies.",
                id="latchkey.W002",
            )
        )
    return found


def middleware(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[checks.CheckMessage]:
    """What Django's checks security.W001 to W003 ask, for our subclasses, which those do not recognise."""
    classes = [import_string(path) for path in settings.MIDDLEWARE]
    return [
        checks.Error(f"No middleware of settings.MIDDLEWARE is a {wanted.__name__}.", id="latchkey.E004")
        for wanted in (SecurityMiddleware, CsrfViewMiddleware, XFrameOptionsMiddleware)
        if not any(isinstance(found, type) and issubclass(found, wanted) for found in classes)
    ]
