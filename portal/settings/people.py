"""People: passwords, sign-in, second factors, staff; and their mail."""

from __future__ import annotations

from portal import env
from portal.settings.run import DATA_DIR, HTTPS, PRODUCTION, TRUSTED_PROXY_COUNT

# --- People -----------------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "portal.accounts.passwords.Length", "OPTIONS": {"min_length": 10}},
    {
        "NAME": "portal.accounts.passwords.Similarity",
        "OPTIONS": {"user_attributes": ("name", "email")},
    },
    {"NAME": "portal.accounts.passwords.Commonness"},
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

# --- Mail -------------------------------------------------------------------------------------------------------------

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
