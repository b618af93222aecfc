"""What a snippet is made of. Pure: no request, no database, no translation (the page translates what `_()` marks)."""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import quote, urlsplit

HEADER: Final = "X-API-Key"
PLACEHOLDER: Final = "YOUR_KEY"

FormKind = Literal["environment", "prompt", "inline"]
Language = Literal["json", "toml", "yaml", "shell"]


def gettext_noop(text: str) -> str:
    """Mark `text` for translation and leave it as it is: these modules know no language, the page does."""
    return text


@dataclass(frozen=True, slots=True)
class Connection:
    """What a client is to reach: the server's name in its settings, the address, and a key or a placeholder for it."""

    name: str
    url: str
    key: str = PLACEHOLDER

    @property
    def variable(self) -> str:
        """The environment variable that holds the key in every form that keeps it out of the file."""
        words = re.sub(r"[^A-Z0-9]+", "_", self.name.upper()).strip("_")
        return f"MCP_{words}_KEY" if words[:1].isdigit() else f"{words}_KEY"

    @property
    def is_plain_http_elsewhere(self) -> bool:
        """Whether the address is http on another machine, which some clients accept only when told to."""
        parts = urlsplit(self.url)
        return parts.scheme == "http" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where the file is: the systems that keep it there (empty: every one), and its path."""

    path: str
    systems: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write it down. `environment` and `prompt` keep the key out of the file; `inline` holds it."""

    kind: FormKind
    language: Language
    text: str

    @property
    def holds_key(self) -> bool:
        """Whether the key itself stands in the text."""
        return self.kind == "inline"


@dataclass(frozen=True, slots=True)
class Link:
    """An address that opens the client and adds the server. Never holds a key: links land in histories and logs."""

    label: str
    address: str


@dataclass(frozen=True, slots=True)
class Snippet:
    """How one client is connected. `forms`: the one to offer first is first. `next_step`: what to do once it is in."""

    client: str
    name: str
    places: tuple[Place, ...]
    forms: tuple[Form, ...]
    next_step: str
    command: str = ""
    links: tuple[Link, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Variable:
    """How the environment variable is set, for the forms that read it."""

    name: str
    posix: str
    powershell: str


def variable(to: Connection) -> Variable:
    """Lines that set `to.variable`: for a shell's profile, and for PowerShell."""
    name = to.variable
    return Variable(
        name,
        f'export {name}="{to.key}"',
        f'[Environment]::SetEnvironmentVariable("{name}", "{to.key}", "User")',
    )


def as_json(value: Any) -> str:
    """`value` as people write settings: two blanks a level, no escapes but the needed ones."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def quoted(text: str) -> str:
    """`text` as a JSON string, which is also a TOML basic string and a YAML double-quoted one."""
    return json.dumps(text)


def shell(*words: str) -> str:
    """`words` as one command line for a POSIX shell."""
    return shlex.join(words)


def encoded(value: Mapping[str, Any]) -> str:
    """`value` as compact JSON in Base64, percent-encoded: how several clients' install links carry settings."""
    text = json.dumps(value, separators=(",", ":"))
    return quote(base64.b64encode(text.encode()).decode(), safe="")
