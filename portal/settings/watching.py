"""Figures, traces, error reports, logs."""

from __future__ import annotations

from portal import env
from portal.settings.run import PRODUCTION

# --- Figures, traces, error reports -----------------------------------------------------------------------------------

METRICS_TOKEN = env.text("LATCHKEY_METRICS_TOKEN")
METRICS_PORT = env.integer("LATCHKEY_METRICS_PORT", 0)
METRICS_HOST = env.text("LATCHKEY_METRICS_HOST") or "127.0.0.1"
SENTRY_DSN = env.text("SENTRY_DSN")
TRACES_TO = env.text("OTEL_EXPORTER_OTLP_ENDPOINT")

# --- Logs -------------------------------------------------------------------------------------------------------------

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
