"""One request after another to an MCP server, within one span of time, and what came back in words for people."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import httpcore
from django.conf import settings
from django.utils.translation import gettext as _

from keys.models import McpServer
from keys.webhooks import outgoing
from keys.webhooks.errors import AddressUnusable
from portal.logs import redact

CLIENT: Final = "Latchkey key test"  # as usage and sightings name it
SECONDS: Final = 8.0  # for all requests of one test together
LARGEST: Final = 256 * 1024
SHOWN: Final = 1500  # characters of an answer that a page shows
PROTOCOL: Final = "2025-11-25"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, or why there is none: `problem` then says what is wrong and what to do."""

    request: str  # such as "POST https://erp.example.com/mcp"
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    problem: str = ""

    @property
    def json(self) -> Any:
        """The body as JSON, also where it is the data of an event stream; None for anything else."""
        text = self.body.decode("utf-8", "replace")
        if "text/event-stream" in self.headers.get("content-type", ""):
            text = _event(text)
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return None

    @property
    def object(self) -> dict[str, Any]:
        """The JSON object in the body; an empty one for anything else."""
        found = self.json
        return found if isinstance(found, dict) else {}

    @property
    def result(self) -> dict[str, Any] | None:
        """The `result` of a JSON-RPC answer; None if it is an error or none at all."""
        found = self.object.get("result")
        return found if self.status == 200 and isinstance(found, dict) else None

    @property
    def said(self) -> str:
        """The server's own words in an error: of JSON-RPC, of a problem document or of OAuth; '' for none."""
        found = self.object
        error = found.get("error")
        if isinstance(error, dict):
            data = error.get("data")
            reason = data.get("reason") if isinstance(data, dict) else None
            return redact(str(reason or error.get("message") or ""))[:300]
        for name in ("detail", "error_description", "message", "title"):
            if isinstance(found.get(name), str):
                return redact(found[name])[:300]
        return ""

    @property
    def code(self) -> str:
        """The verdict's code in the error, where the server passes it on; '' otherwise."""
        error = self.object.get("error")
        data = error.get("data") if isinstance(error, dict) else self.object
        code = data.get("code") if isinstance(data, dict) else ""
        return code if isinstance(code, str) else ""

    def excerpt(self, secret: str = "") -> str:
        """What came back, as a page shows it: JSON laid out, without secrets, cut where it gets long."""
        found = self.json
        text = (
            self.body.decode("utf-8", "replace") if found is None else json.dumps(found, indent=2, ensure_ascii=False)
        )
        text = "".join(letter for letter in text if letter.isprintable() or letter in "\n\t")
        text = redact(text.replace(secret, "[key]") if secret else text)
        return text if len(text) <= SHOWN else text[:SHOWN] + "\n…"


@dataclass
class Caller:
    """Makes the requests of one test. None of them follows a redirect, and all end with its time."""

    server: McpServer
    deadline: float = field(default_factory=lambda: time.monotonic() + SECONDS)

    def ask(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, message: dict[str, Any] | None = None
    ) -> Reply:
        """The reply to one request; never an exception."""
        request = f"{method} {url}"
        left = self.deadline - time.monotonic()
        if left <= 0:
            return Reply(request, problem=_slow())
        sent = {"User-Agent": f"{CLIENT}/1", "Accept": "application/json", **(headers or {})}
        content = b""
        if message is not None:
            content = json.dumps(message).encode()
            sent |= {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
            sent["Content-Length"] = str(len(content))
        try:
            answer = outgoing.send(
                method, url, headers=sent, content=content, private_allowed=self._private_allowed(url),
                timeout=left, largest=LARGEST, enough=_is_whole_event,
            )  # fmt: skip
        except (AddressUnusable, *_FAILURES) as error:
            return Reply(request, problem=_why(error))
        return Reply(request, answer.status, answer.headers, answer.body)

    def rpc(self, number: int, name: str, params: dict[str, Any], headers: Mapping[str, str]) -> Reply:
        """The reply of the server to the JSON-RPC request `name`."""
        message = {"jsonrpc": "2.0", "id": number, "method": name, "params": params}
        more = {"MCP-Protocol-Version": PROTOCOL} if name != "initialize" else {}
        return self.ask("POST", self.server.url, headers={**headers, **more}, message=message)

    def _private_allowed(self, url: str) -> bool:
        """Private addresses are for servers of the operator and for the portal itself, and for development."""
        if not settings.PRODUCTION or self.server.company_id is None:
            return True
        portal, asked = urlsplit(settings.PORTAL_URL), urlsplit(url)
        return (portal.scheme, portal.netloc) == (asked.scheme, asked.netloc)


INITIALIZE: Final[dict[str, Any]] = {
    "protocolVersion": PROTOCOL,
    "capabilities": {},
    "clientInfo": {"name": CLIENT, "version": "1"},
}


_FAILURES: Final = (
    outgoing.AddressRefused,
    outgoing.UnknownHost,
    outgoing.HandshakeFailed,
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    OSError,
    ValueError,  # a header that is none: httpcore's and h11's own errors
)


def _event(text: str) -> str:
    """The data of the last event that has any, in a stream of server-sent events."""
    found = ""
    for event in text.replace("\r\n", "\n").split("\n\n"):
        data = [line[5:].removeprefix(" ") for line in event.split("\n") if line.startswith("data:")]
        found = "\n".join(data) or found
    return found


def _is_whole_event(body: bytes) -> bool:
    """Whether an event with an answer in it was read: servers may leave the stream open after it."""
    text = body.replace(b"\r\n", b"\n")
    if not text.lstrip().startswith((b"event:", b"data:", b"id:", b":", b"retry:")):
        return False
    return any(b"data:" in event and b'"jsonrpc"' in event for event in text.split(b"\n\n")[:-1])


def _slow() -> str:
    return _("No answer within %(seconds)d seconds. Is the server up, and can this portal reach it?") % {
        "seconds": int(SECONDS)
    }


def _why(error: Exception) -> str:
    match error:
        case AddressUnusable() | outgoing.AddressRefused():
            return _("This portal does not call private or unencrypted addresses: test it with curl from your network.")
        case outgoing.UnknownHost():
            return _("The host name is not known: check the server's address.")
        case outgoing.HandshakeFailed():
            return _("No secure connection: check the server's certificate and its name.")
        case httpcore.TimeoutException():
            return _slow()
        case httpcore.ConnectError():
            return _("Nothing answers at this address: is the server running, and is the port right?")
        case _:
            return _("The connection broke before the answer was whole: look into the server's log.")
