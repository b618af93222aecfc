"""What the portal is made of: applications, middleware, templates."""

from __future__ import annotations

from typing import Any

from portal.settings.run import BASE_DIR

INSTALLED_APPS = [
    "portal",
    "portal.accounts",
    "portal.companies",
    "portal.billing",
    "portal.audit",
    "portal.jobs",
    "portal.incidents",
    "portal.staff",
    "portal.ui",
    "keys",
    "keys.webhooks",
    "keys.policy",
    "keys.usage",
    "keys.oauth",
    "keys.leaks",
    "keys.reviews",
    "oauth2_provider",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "csp",
    "portal.staff.apps.PortalAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]

# The page middleware stands aside for the API: machines carry no cookie, and the hot path pays for nothing it does
# not use.
MIDDLEWARE = [
    "portal.middleware.RequestIdMiddleware",
    "portal.middleware.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "portal.middleware.SessionMiddleware",
    "portal.middleware.LocaleMiddleware",
    "portal.middleware.CommonMiddleware",
    "portal.middleware.CsrfViewMiddleware",
    "portal.middleware.AuthenticationMiddleware",
    "portal.middleware.PersonLanguageMiddleware",
    "portal.middleware.MessageMiddleware",
    "portal.middleware.HtmxMiddleware",
    "portal.staff.middleware.StaffMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "portal.accounts.middleware.UserSessionsMiddleware",
    "portal.middleware.XFrameOptionsMiddleware",
    "portal.middleware.CSPMiddleware",
]

# What stands before /api/v1/ in the web process (portal/wsgi.py): of the list above, all that does not stand aside.
MACHINE_MIDDLEWARE = ["portal.middleware.RequestIdMiddleware", "portal.middleware.SecurityMiddleware"]

ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.ui.context.portal",
            ],
            "builtins": [
                f"portal.ui.templatetags.{name}" for name in ("marks", "graphs", "places", "boxes", "fields", "texts")
            ],
        },
    }
]
