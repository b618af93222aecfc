"""Error reports by sentry-sdk, only where SENTRY_DSN is set, and without anything secret.

A report holds the exception, the stack without local variables, and the request's method, path and id. Headers,
cookies, bodies, query strings, people and the log lines before it stay here; every text goes through the redaction of
the log. `scrubbed` decides: what it does not let through is not sent.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings

from portal.logs import redact, request_id

_KEPT: Final = frozenset(
    {
        "event_id", "timestamp", "platform", "level", "logger", "exception", "logentry", "transaction", "release",
        "environment", "tags", "contexts", "request", "sdk", "type", "threads",
    }
)  # fmt: skip
_DEEPEST: Final = 12


def start() -> None:
    """Begin to report, if SENTRY_DSN is set. The library is not even imported otherwise."""
    if settings.SENTRY_DSN:
        import sentry_sdk

        sentry_sdk.init(dsn=settings.SENTRY_DSN, **options())


def options() -> dict[str, Any]:
    """What the SDK is told: collect little, and let nothing out that `scrubbed` has not seen."""
    return {
        "release": f"latchkey@{settings.VERSION}",
        "environment": settings.LATCHKEY_ENV,
        "include_local_variables": False,
        "include_source_context": False,
        "max_request_body_size": "never",
        "max_breadcrumbs": 0,
        "traces_sample_rate": None,  # traces go another way: portal/tracing.py
        "auto_session_tracking": False,
        "enable_logs": False,
        "before_send": scrubbed,
    }


def scrubbed(event: dict[str, Any], hint: dict[str, Any] | None = None) -> dict[str, Any]:
    """`event` with what may leave, redacted."""
    kept = {name: value for name, value in event.items() if name in _KEPT}
    request = kept.pop("request", None)
    if isinstance(request, dict):
        path = urlsplit(str(request.get("url", "")))._replace(query="", fragment="").geturl()
        kept["request"] = {"method": request.get("method"), "url": path}
    contexts = kept.get("contexts") or {}
    kept["contexts"] = {name: contexts[name] for name in ("trace", "runtime") if name in contexts}
    clean: dict[str, Any] = _redacted(kept)
    if request_id.get():
        clean["tags"] = {**(clean.get("tags") or {}), "request_id": request_id.get()}
    return clean


def _redacted(value: Any, depth: int = 0) -> Any:
    """`value` with every text in it redacted; a frame loses its variables, if any came along."""
    if depth > _DEEPEST:
        return "[deep]"
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {
            redact(str(name)): _redacted(inner, depth + 1) for name, inner in value.items() if str(name) not in _DROPPED
        }
    if isinstance(value, list | tuple):
        return [_redacted(inner, depth + 1) for inner in value]
    return value if isinstance(value, int | float | bool | None) else redact(str(value))


_DROPPED: Final = frozenset({"vars", "pre_context", "context_line", "post_context"})
