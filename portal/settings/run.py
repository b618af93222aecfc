"""What kind of run this is, its addresses and its secrets. Everything else builds on it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from portal import env

BASE_DIR = Path(__file__).resolve().parent.parent.parent
VERSION = "0.1.0"

# --- What kind of run this is -----------------------------------------------------------------------------------------

LATCHKEY_ENV = env.text("LATCHKEY_ENV", "development")
if LATCHKEY_ENV not in {"development", "production"}:
    raise ImproperlyConfigured(f"LATCHKEY_ENV is {LATCHKEY_ENV!r}: use development or production.")
PRODUCTION = LATCHKEY_ENV == "production"
DEBUG = env.boolean("LATCHKEY_DEBUG", False)
DATA_DIR = Path(env.text("LATCHKEY_DATA") or BASE_DIR / "var").resolve()

# --- Addresses --------------------------------------------------------------------------------------------------------

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

# --- Secrets ----------------------------------------------------------------------------------------------------------

_made = {} if PRODUCTION else env.development_secrets(DATA_DIR)
SECRET_KEY = env.text("LATCHKEY_SECRET_KEY", _made.get("secret_key", ""))
SECRET_KEY_FALLBACKS = env.words("LATCHKEY_SECRET_KEY_FALLBACKS")
PEPPERS = env.peppers(env.text("LATCHKEY_PEPPERS", _made.get("peppers", "")))
if PRODUCTION and not SECRET_KEY:
    raise ImproperlyConfigured("LATCHKEY_SECRET_KEY is not set. Make one with: openssl rand -base64 50")
if not PEPPERS:
    raise ImproperlyConfigured('LATCHKEY_PEPPERS is not set. Make one with: echo "a:$(openssl rand -base64 32)"')
