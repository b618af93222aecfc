"""Settings of the portal: one file, safe defaults for one machine, everything else by environment variables.

README.md has the table of variables; a test holds it against this file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from celery.schedules import crontab
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from portal import env

BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = "0.1.0"

# --- What kind of run this is -------------------------------------------------------------------------------------

LATCHKEY_ENV = env.text("LATCHKEY_ENV", "development")
if LATCHKEY_ENV not in {"development", "production"}:
    raise ImproperlyConfigured(f"LATCHKEY_ENV is {LATCHKEY_ENV!r}: use development or production.")
PRODUCTION = LATCHKEY_ENV == "production"
DEBUG = env.boolean("LATCHKEY_DEBUG", False)
DATA_DIR = Path(env.text("LATCHKEY_DATA") or BASE_DIR / "var").resolve()

# --- Addresses ----------------------------------------------------------------------------------------------------

PORT = env.integer("PORT", 8000, least=1)
MCP_PORT = env.integer("MCP_PORT", 8080, least=1)
PORTAL_URL = env.origin("LATCHKEY_URL", f"http://localhost:{PORT}")
MCP_URL = env.origin("LATCHKEY_MCP_URL", f"http://localhost:{MCP_PORT}")
HTTPS = urlsplit(PORTAL_URL).scheme == "https"
ALLOWED_HOSTS = env.words("LATCHKEY_HOSTS") or [urlsplit(PORTAL_URL).hostname or "localhost"]
if not PRODUCTION:
    ALLOWED_HOSTS += ["localhost", "127.0.0.1", "[::1]"]
CSRF_TRUSTED_ORIGINS = [PORTAL_URL]
TRUSTED_PROXY_COUNT = env.integer("LATCHKEY_TRUSTED_PROXIES", 0)
if TRUSTED_PROXY_COUNT:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# --- Secrets ------------------------------------------------------------------------------------------------------

_made = {} if PRODUCTION else env.development_secrets(DATA_DIR)
SECRET_KEY = env.text("LATCHKEY_SECRET_KEY", _made.get("secret_key", ""))
SECRET_KEY_FALLBACKS = env.words("LATCHKEY_SECRET_KEY_FALLBACKS")
PEPPERS = env.peppers(env.text("LATCHKEY_PEPPERS", _made.get("peppers", "")))
if PRODUCTION and not SECRET_KEY:
    raise ImproperlyConfigured("LATCHKEY_SECRET_KEY is not set. Make one with: openssl rand -base64 50")
if not PEPPERS:
    raise ImproperlyConfigured('LATCHKEY_PEPPERS is not set. Make one with: echo "a:$(openssl rand -base64 32)"')

# --- Applications -------------------------------------------------------------------------------------------------

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
    "portal.staff.middleware.StaffMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "portal.middleware.HtmxMiddleware",
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
            "builtins": ["portal.ui.templatetags.ui"],
        },
    }
]

# --- Data ---------------------------------------------------------------------------------------------------------

DATABASES = {"default": env.database("DATABASE_URL", f"sqlite://{DATA_DIR}/latchkey.sqlite3")}
REDIS_URL = env.text("REDIS_URL")
CACHES: dict[str, dict[str, Any]] = {
    "default": (
        {"BACKEND": "portal.cache.FallbackCache", "LOCATION": REDIS_URL, "KEY_PREFIX": "latchkey"}
        if REDIS_URL
        else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    )
}
SESSION_ENGINE = "django.contrib.sessions.backends.db"

# --- Celery -------------------------------------------------------------------------------------------------------

CELERY_BROKER_URL = REDIS_URL or "filesystem://localhost//"
_queue = DATA_DIR / "queue"
# What a killed worker held comes again after as long as a task may take. Kombu looks for it every 100 s unless told
# otherwise: every 10 s here.
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = (
    {"visibility_timeout": 300, "unacked_restore_interval": 10, "unacked_restore_throttle": 1}
    if REDIS_URL
    else {
        "data_folder_in": str(_queue / "messages"),
        "data_folder_out": str(_queue / "messages"),
        "control_folder": str(_queue / "control"),
        "polling_interval": 0.1,
    }
)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_TIME_LIMIT = 300
CELERY_TASK_SOFT_TIME_LIMIT = 240
CELERY_TASK_DEFAULT_QUEUE = "latchkey"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A Redis that refuses to write (its disk or memory is full) does not end a worker: it tries again until it may.
CELERY_BROKER_CHANNEL_ERROR_RETRY = True
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
# Webhooks have a queue of their own: slow receivers then hold up nothing else, and its worker can stand where outgoing
# requests are allowed. So have mail, whose server can be slow, and usage, which comes all the time. portal/celery.py
# has workers take from every queue named here.
CELERY_TASK_ROUTES: dict[str, Any] = {
    "webhooks.tell_owners": {"queue": "mail"},
    "webhooks.*": {"queue": "webhooks"},
    "keys.notices": {"queue": "mail"},
    "incidents.*": {"queue": "mail"},
    "leaks.tell_owners": {"queue": "mail"},
    "reviews.tell": {"queue": "mail"},
    "usage.*": {"queue": "usage"},
    "keys.tell_holder": {"queue": "mail"},
}
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "beat-schedule")
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "heartbeat": {"task": "portal.tasks.heartbeat", "schedule": 5.0, "options": {"expires": 15}},
    "key-notices": {"task": "keys.notices", "schedule": 600.0, "options": {"expires": 600}},
    "oauth-purge": {"task": "oauth.purge", "schedule": crontab(minute=45)},
    "keys-purge": {"task": "keys.purge", "schedule": crontab(minute=35)},
    "companies-tidy": {"task": "companies.tidy", "schedule": crontab(minute="*/10"), "options": {"expires": 600}},
    "sign-ins-purge": {"task": "accounts.purge", "schedule": crontab(hour=4, minute=20)},
    "leaks-tell-owners": {"task": "leaks.tell_owners", "schedule": 60.0, "options": {"expires": 60}},
    "reviews-make": {"task": "reviews.make", "schedule": crontab(minute=25)},
    "reviews-tell": {"task": "reviews.tell", "schedule": 300.0, "options": {"expires": 300}},
    "audit-verify": {"task": "audit.verify", "schedule": 300.0, "options": {"expires": 300}},
    "audit-erase-old": {"task": "audit.erase_old", "schedule": crontab(minute=55)},
    "jobs-purge": {"task": "jobs.purge", "schedule": crontab(hour=4, minute=5)},
    "usage-purge": {"task": "usage.purge", "schedule": crontab(hour=3, minute=50)},
    "staff-count": {"task": "staff.count", "schedule": 60.0, "options": {"expires": 60}},
    "staff-continue-runs": {"task": "staff.continue_runs", "schedule": 15.0, "options": {"expires": 30}},
    "incidents-notices": {"task": "incidents.send_notices", "schedule": 60.0, "options": {"expires": 60}},
    "webhooks-sweep": {"task": "webhooks.sweep", "schedule": 5.0, "options": {"expires": 15}},
    "webhooks-tell-owners": {"task": "webhooks.tell_owners", "schedule": 60.0, "options": {"expires": 60}},
    "webhooks-purge": {"task": "webhooks.purge", "schedule": crontab(hour=3, minute=20)},
}

# --- People -------------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("name", "email")},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
# Staff reach every company: where it matters they prove themselves twice (portal/staff/access.py).
STAFF_SECOND_FACTOR = PRODUCTION
# Their sessions are short: hours since the sign-in, minutes without a page (portal/staff/middleware.py).
STAFF_SESSION_HOURS = env.integer("LATCHKEY_STAFF_SESSION_HOURS", 8, least=1)
STAFF_IDLE_MINUTES = env.integer("LATCHKEY_STAFF_IDLE_MINUTES", 30, least=1)
# Where Django's admin can be reached from (none: from anywhere that the portal can).
ADMIN_ADDRESSES = env.networks("LATCHKEY_ADMIN_ADDRESSES")
# A revocation by rule of more keys than this needs a second person of the staff (0: off).
FOUR_EYES_ABOVE = env.integer("LATCHKEY_FOUR_EYES_ABOVE", 0)
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "landing"
ACCOUNT_ADAPTER = "portal.accounts.adapter.AccountAdapter"
ACCOUNT_FORMS = {
    "signup": "portal.accounts.forms.SignupForm",
    "login": "portal.accounts.forms.PlainLoginForm",
    "reauthenticate": "portal.accounts.forms.PlainReauthenticateForm",
    "reset_password": "portal.accounts.forms.PlainResetPasswordForm",
    "reset_password_from_key": "portal.accounts.forms.PlainResetPasswordKeyForm",
    "change_password": "portal.accounts.forms.PlainChangePasswordForm",
    "set_password": "portal.accounts.forms.PlainSetPasswordForm",
    "add_email": "portal.accounts.forms.PlainAddEmailForm",
}
USERSESSIONS_ADAPTER = "portal.accounts.adapter.SessionsAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = True
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 600  # seconds that a sign-in counts as recent
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if HTTPS else "http"
ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXY_COUNT
USERSESSIONS_TRACK_ACTIVITY = True
MFA_ADAPTER = "portal.accounts.adapter.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not HTTPS
MFA_TOTP_ISSUER = "Latchkey"

# --- Mail ---------------------------------------------------------------------------------------------------------

DEFAULT_FROM_EMAIL = env.text("LATCHKEY_MAIL_FROM", "Latchkey <latchkey@localhost>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL
EMAIL_HOST = env.text("LATCHKEY_SMTP_HOST")
EMAIL_PORT = env.integer("LATCHKEY_SMTP_PORT", 587, least=1)
EMAIL_HOST_USER = env.text("LATCHKEY_SMTP_USER")
EMAIL_HOST_PASSWORD = env.text("LATCHKEY_SMTP_PASSWORD")
EMAIL_USE_TLS = env.boolean("LATCHKEY_SMTP_TLS", True)
EMAIL_TIMEOUT = 10
# Without a mail server a development run keeps its mail in a folder that the page /mailbox/ shows.
MAILBOX_DIR = DATA_DIR / "mail"
MAILBOX = not PRODUCTION and not EMAIL_HOST
EMAIL_BACKEND = "portal.mailbox.MailboxBackend" if MAILBOX else "django.core.mail.backends.smtp.EmailBackend"

# --- Keys ---------------------------------------------------------------------------------------------------------

# lk_test_… on a development installation, lk_live_… in production: a scanner then knows what a leaked key opens.
KEY_KIND = "live" if PRODUCTION else "test"
# GrowERP's sign-in by username and password on the MCP server: for clients that know no browser. Off in production
# until set.
PASSWORD_LOGIN = env.boolean("LATCHKEY_PASSWORD_LOGIN", not PRODUCTION)
CARD_GATEWAY = env.text("LATCHKEY_CARD_GATEWAY", "portal.billing.cards.DummyGateway")

# Plan of a company → requests a minute and a month that each of its keys may make (None: without limit). Staff can
# give a key limits of its own.
PLANS: dict[str, tuple[int | None, int | None]] = {
    "standard": (600, 1_000_000),
    "plus": (6_000, 20_000_000),
    "unlimited": (None, None),
}
USAGE_FLUSH_SECONDS = env.integer("LATCHKEY_USAGE_FLUSH_SECONDS", 2)
USAGE_HOURS_KEPT_DAYS = env.integer("LATCHKEY_USAGE_HOURS_KEPT_DAYS", 90, least=2)
USAGE_DAYS_KEPT_DAYS = env.integer("LATCHKEY_USAGE_DAYS_KEPT_DAYS", 760, least=32)

# Leaks: GitHub's public keys, as its JSON or as PEM; without them the address that they are fetched from. Every report
# of a holder takes so long, whether or not there was anything to revoke.
GITHUB_KEYS = env.text("LATCHKEY_GITHUB_KEYS")
_github_keys_url = "https://api.github.com/meta/public_keys/secret_scanning" if PRODUCTION else ""
GITHUB_KEYS_URL = env.text("LATCHKEY_GITHUB_KEYS_URL", _github_keys_url)
LEAK_REPORT_SECONDS = 0.4
# Names, addresses and browsers in the audit record are blanked after so many days; 0 keeps them. Events stay for ever.
AUDIT_PERSONAL_KEPT_DAYS = env.integer("LATCHKEY_AUDIT_PERSONAL_KEPT_DAYS", 0)

# --- Authorization server -----------------------------------------------------------------------------------------

# Client ID metadata documents need outgoing https to the whole Internet. Where that is missing they must be off:
# clients do not fall back to registering themselves (docs/oauth.md).
OAUTH_CIMD = env.boolean("LATCHKEY_OAUTH_CIMD", PRODUCTION)
OAUTH2_PROVIDER_APPLICATION_MODEL = "oauth2_provider.Application"
OAUTH2_PROVIDER_ACCESS_TOKEN_MODEL = "oauth2_provider.AccessToken"  # noqa: S105  (a model's name)
OAUTH2_PROVIDER: dict[str, Any] = {
    "OAUTH2_VALIDATOR_CLASS": "keys.oauth.validator.Validator",
    "OAUTH2_BACKEND_CLASS": "keys.oauth.backend.Backend",
    "ACCESS_TOKEN_GENERATOR": "keys.oauth.generators.access_token",
    "REFRESH_TOKEN_GENERATOR": "keys.oauth.generators.refresh_token",
    "SCOPES": {"tools:read": "Read-only tools", "tools:*": "All tools"},
    "DEFAULT_SCOPES": ["tools:read"],
    "OIDC_ISS_ENDPOINT": PORTAL_URL,
    "PKCE_REQUIRED": True,
    "AUTHORIZATION_CODE_EXPIRE_SECONDS": 60,
    "ACCESS_TOKEN_EXPIRE_SECONDS": 900,
    "REFRESH_TOKEN_EXPIRE_SECONDS": 30 * 86400,
    "REFRESH_TOKEN_GRACE_PERIOD_SECONDS": 0,
    "ROTATE_REFRESH_TOKEN": True,
    "REFRESH_TOKEN_REUSE_PROTECTION": True,
    "ALLOWED_REDIRECT_URI_SCHEMES": [
        "https", "http", "cursor", "vscode", "vscode-insiders", "windsurf", "zed", "goose",
    ],
    "ALLOW_LOCALHOST_LOOPBACK": True,
    "CIMD_ENABLED": OAUTH_CIMD,
    # Its own would look up the device code in a table of django-oauth-toolkit's, which keeps codes in clear.
    "OAUTH_PRE_TOKEN_VALIDATION": [],
    "COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PASSWORD_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
    "COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": True,
    "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
    "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True,
}  # fmt: skip

# --- API ----------------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "keys.api.negotiation.JSONOnly",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "keys.api.problems.exception_handler",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Latchkey API",
    "VERSION": "1",
    "DESCRIPTION": "Validate, list, make, rotate and revoke MCP API keys.",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "SERVERS": [{"url": PORTAL_URL}],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "keys.api.schema.document_problems",
    ],
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

# --- Language, time, files ----------------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
# Each in its own words. A language is offered once its catalogue in locale/ is complete: add its code to OFFERED, and
# tests/portal/test_languages.py holds it to that.
OFFERED = ["en", "nl", "de", "es"]
LANGUAGES = [
    (code, name)
    for code, name in [("en", "English"), ("nl", "Nederlands"), ("de", "Deutsch"), ("es", "Español")]
    if code in OFFERED
]
LANGUAGE_COOKIE_NAME = "language"
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
# The pictures that docs/ shows are files of /static/docs/.
STATICFILES_DIRS: list[Any] = [BASE_DIR / "static", ("docs", BASE_DIR / "docs" / "screens")]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not PRODUCTION

# --- Security -----------------------------------------------------------------------------------------------------

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
# Django looks for its own middleware by name; portal/checks.py looks for the subclasses that are used here. And http
# redirects are for loopback only, which keys/oauth/redirects.py sees to; the check knows no such middle way.
SILENCED_SYSTEM_CHECKS = ["security.W001", "security.W002", "security.W003", "oauth2_provider.W008"]
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "portal.views.csrf_failure"
if HTTPS:
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SESSION_COOKIE_NAME = "__Host-session"
    CSRF_COOKIE_NAME = "__Host-csrf"
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^healthz/", r"^metrics$"]

# --- Figures, traces, error reports -------------------------------------------------------------------------------

METRICS_TOKEN = env.text("LATCHKEY_METRICS_TOKEN")
METRICS_PORT = env.integer("LATCHKEY_METRICS_PORT", 0)
METRICS_HOST = env.text("LATCHKEY_METRICS_HOST") or "127.0.0.1"
SENTRY_DSN = env.text("SENTRY_DSN")
TRACES_TO = env.text("OTEL_EXPORTER_OTLP_ENDPOINT")
SECURITY_CONTACT = env.text("LATCHKEY_SECURITY_CONTACT")

# --- Logs ---------------------------------------------------------------------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"()": "portal.logs.LineFormatter"},
        "json": {"()": "portal.logs.JsonFormatter"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "json" if PRODUCTION else "line",
            "filters": ["redact"],
        }
    },
    "filters": {"redact": {"()": "portal.logs.RedactTokens"}},
    "root": {"handlers": ["console"], "level": env.text("LATCHKEY_LOG_LEVEL", "INFO" if PRODUCTION else "WARNING")},
}
