"""Which documents stand where in the sidebar of /docs/. One that is not named here stands in the last group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class Group:
    """A heading of the sidebar and the names of the documents below it."""

    title: str | Promise
    names: tuple[str, ...]


GROUPS: Final = (
    Group(_("Begin"), ("quickstart", "connect", "protect")),
    Group(
        _("Keys and companies"),
        ("test-a-connection", "rotate-without-downtime", "if-a-key-leaks", "teams", "oauth", "webhooks", "scanners"),
    ),
    Group(_("MCP servers"), ("verifier", "other-languages", "mcp-server", "clients", "conformance")),
    Group(_("Operate"), ("operations", "staff", "moving-from-growerp", "reliability", "performance", "security")),
    Group(_("How it is built"), ("architecture", "decisions", "mutation")),
)

# What a document is called where room is short; its own title otherwise.
LABELS: Final[dict[str, str | Promise]] = {
    "quickstart": _("Quickstart"),
    "rotate-without-downtime": _("Rotate without downtime"),
    "scanners": _("Scanners"),
    "oauth": _("Sign-in by OAuth"),
    "other-languages": _("Other languages, curl"),
    "mcp-server": _("The portal's own server"),
    "clients": _("Clients that were tried"),
    "conformance": _("Conformance"),
    "operations": _("Install and run"),
    "reliability": _("When something breaks"),
    "performance": _("Performance"),
    "security": _("Security"),
}

# Made by hand on GitHub, where there is no sidebar; /docs/ itself takes its place here.
INDEX: Final = "index"


@dataclass(frozen=True, slots=True)
class Way:
    """One card of the start page: the document `name`, or the URL `url_name`."""

    icon: str
    title: str | Promise
    text: str | Promise
    name: str = ""
    url_name: str = ""


WAYS: Final = (
    Way("play", _("Quickstart"), _("From an empty machine to an AI's company list."), "quickstart"),
    Way("plug", _("Connect your AI client"), _("Settings for Gemini CLI, Claude Code, VS Code, Cursor and more."),
        "connect"),
    Way("shield-check", _("Protect your MCP server"), _("Ask whether a key is good: in Python, or with one call."),
        "protect"),
    Way("refresh", _("Rotate without downtime"), _("A new value at once; the old one for as long as you need it."),
        "rotate-without-downtime"),
    Way("alert", _("If a key leaks"), _("Revoke first, look later: what to do, in order."), "if-a-key-leaks"),
    Way("code", _("API reference"), _("Every call, with examples that you can try."), url_name="api-docs"),
)  # fmt: skip
