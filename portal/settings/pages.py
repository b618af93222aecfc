"""Pages: language, time, files, and what browsers are told to keep to."""

from __future__ import annotations

from typing import Any

from csp.constants import NONE, SELF

from portal import env
from portal.settings.run import BASE_DIR, HTTPS, PRODUCTION

# --- Language, time, files --------------------------------------------------------------------------------------------

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
FORM_RENDERER = "portal.ui.widgets.Renderer"

# --- Security ---------------------------------------------------------------------------------------------------------

SECURITY_CONTACT = env.text("LATCHKEY_SECURITY_CONTACT")
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
