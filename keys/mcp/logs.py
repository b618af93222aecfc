"""Log lines of this process: one event a line, without secrets, JSON in production."""

from __future__ import annotations

import json
import logging
import re
from contextvars import ContextVar
from typing import Any, Final

request_id: ContextVar[str] = ContextVar("request_id", default="")
_TOKEN: Final = re.compile(r"(lk_[a-z]{3,4}_[0-9A-Za-z]{12})_[0-9A-Za-z]+")


class RedactTokens(logging.Filter):
    """Takes the secret part of every token out of a record before anything formats it; kind and id stay."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record; always let it pass."""
        record.msg, record.args = _TOKEN.sub(r"\1_[secret]", record.getMessage()), None
        if record.exc_info and not record.exc_text:
            record.exc_text = _TOKEN.sub(r"\1_[secret]", logging.Formatter().formatException(record.exc_info))
        return True


class LineFormatter(logging.Formatter):
    """For a terminal; newlines of the message are escaped, so that no caller can forge a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line, its traceback (if any) below."""
        message = record.getMessage().replace("\r", "\\r").replace("\n", "\\n")
        suffix = f" [{request_id.get()}]" if request_id.get() else ""
        line = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname} {record.name} {message}{suffix}"
        return f"{line}\n{record.exc_text}" if record.exc_text else line


class JsonFormatter(logging.Formatter):
    """For a log collector: one JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        entry = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id.get():
            entry["request_id"] = request_id.get()
        if record.exc_text:
            entry["exception"] = record.exc_text
        return json.dumps(entry, ensure_ascii=False)


def configuration(level: str, production: bool) -> dict[str, Any]:
    """The argument of `logging.config.dictConfig`."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": LineFormatter}, "json": {"()": JsonFormatter}},
        "filters": {"redact": {"()": RedactTokens}},
        "handlers": {
            "console": {
                "class": "logging.StreamHandler",
                "formatter": "json" if production else "line",
                "filters": ["redact"],
            }
        },
        # httpx writes a line for each call, and the verifier calls twice a second.
        "loggers": {name: {"level": "WARNING"} for name in ("httpx", "httpcore", "mcp", "uvicorn")},
        "root": {"handlers": ["console"], "level": level},
    }
