"""Keys and the authorization server."""

from __future__ import annotations

from typing import Any

from portal import env
from portal.settings.run import PORTAL_URL, PRODUCTION

# --- Keys -------------------------------------------------------------------------------------------------------------

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

# --- Authorization server ---------------------------------------------------------------------------------------------

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
