"""Log lines: one event a line, with the request's id, without secrets, and not to be forged by what a caller sends."""

from __future__ import annotations

import json
import logging
import re
from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="")

# A token of ours keeps its kind and id, which log lines may carry; a card number loses all.
_TOKEN = re.compile(r"\b(lk_[a-z]{3,4}_[0-9A-Za-z]{12})_[0-9A-Za-z]{10,}")
_WEBHOOK_SECRET = re.compile(r"whsec_[0-9A-Za-z+/=]{8,}")
_INVITATION = re.compile(r"(/invitation/)[\w-]{20,}")
_CARD = re.compile(r"\b(?:\d[ -]?){13,19}\b")


def redact(text: str) -> str:
    """`text` without the secret part of tokens and of invitations' links, and without card numbers."""
    text = _INVITATION.sub(r"\1[token]", _WEBHOOK_SECRET.sub("whsec_[secret]", _TOKEN.sub(r"\1_[secret]", text)))
    return _CARD.sub("[card]", text)


class RedactTokens(logging.Filter):
    """Takes secrets out of every record, its arguments and its exception before anything formats it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record's message; always let it pass."""
        record.msg, record.args = redact(record.getMessage()), None
        if record.exc_info and not record.exc_text:
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
        return True


class LineFormatter(logging.Formatter):
    """For a terminal: `12:30:01 WARNING keys.verification … [request id]`; newlines of the message are escaped."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line, its traceback (if any) indented below."""
        message = record.getMessage().replace("\r", "\\r").replace("\n", "\\n")
        suffix = f" [{request_id.get()}]" if request_id.get() else ""
        line = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname} {record.name} {message}{suffix}"
        if record.exc_text or record.exc_info:
            line += "\n" + (record.exc_text or self.formatException(record.exc_info or (None, None, None)))
        return line


class JsonFormatter(logging.Formatter):
    """For a log collector: one JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON; `json.dumps` escapes newlines, so one record stays one line."""
        entry = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id.get():
            entry["request_id"] = request_id.get()
        if record.exc_text or record.exc_info:
            entry["exception"] = record.exc_text or self.formatException(record.exc_info or (None, None, None))
        return json.dumps(entry, ensure_ascii=False)
