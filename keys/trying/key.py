"""Testing a key: the MCP server is called with it as an AI client would, and what came back is told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from keys import scopes, tokens
from keys.models import Key
from keys.peppers import peppers
from keys.trying.calls import INITIALIZE, Caller, Reply
from keys.verdicts import Code

HEADER: Final = "X-API-Key"
# Tools that many servers have and that ask for nothing; called only where the catalogue says that they change nothing.
HARMLESS: Final = ("whoami", "get_me", "me", "ping", "ping_system", "health", "status")
GOOD, BAD, LEFT_OUT = "success", "danger", "neutral"


@dataclass(frozen=True, slots=True)
class Step:
    """One request of a test, in words. `tone`: success, danger, warning, or neutral for one that was left out."""

    title: str
    text: str
    tone: str
    status: int = 0
    request: str = ""
    excerpt: str = ""
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """How a test went."""

    steps: list[Step] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether the server let the key in, at every step."""
        return bool(self.steps) and all(step.tone != BAD for step in self.steps)

    @property
    def advice(self) -> str:
        """What to do, when it did not."""
        return next((step.advice for step in self.steps if step.tone == BAD), "")


def is_value_of(key: Key, value: str) -> bool:
    """Whether `value` is the value of `key`: nothing else is ever sent to its server."""
    try:
        token = tokens.parse(value)
    except tokens.MalformedToken:
        return False
    return token.id == key.pk and tokens.matches(token.text, bytes(key.digest), key.pepper, peppers())


def try_key(key: Key, value: str) -> Trial:
    """Call the server of `key` with `value`: initialize, tools/list, and a tool that changes nothing, if there is one.

    Takes at most keys.trying.calls.SECONDS. The value goes nowhere but in the header of these requests.
    """
    caller, headers, trial = Caller(key.server), {HEADER: value}, Trial()
    greeting = caller.rpc(1, "initialize", INITIALIZE, headers)
    trial.steps.append(_greeted(key, greeting, value))
    if not trial.is_good:
        return trial
    if session := greeting.headers.get("mcp-session-id"):
        headers["Mcp-Session-Id"] = session
        caller.ask(
            "POST", key.server.url, headers=headers, message={"jsonrpc": "2.0", "method": "notifications/initialized"}
        )
    listed = caller.rpc(2, "tools/list", {}, headers)
    trial.steps.append(_listed(key, listed, value))
    if trial.is_good:
        tool = harmless_tool(key, listed)
        if tool:
            called = caller.rpc(3, "tools/call", {"name": tool, "arguments": {}}, headers)
            trial.steps.append(_called(key, tool, called, value))
        else:
            trial.steps.append(_nothing_to_call())
    return trial


def harmless_tool(key: Key, listed: Reply) -> str:
    """A tool that can be called without asking: read only by the catalogue, within the key's scopes, listed; or ''."""
    offered = set(_names((listed.result or {}).get("tools")))
    read_only = key.server.read_only_tools
    return next(
        (
            name
            for name in HARMLESS
            if name in read_only and name in offered and scopes.allows(key.scopes, name, read_only)
        ),
        "",
    )


def advice_for(key: Key, reply: Reply) -> str:
    """What to do about a refusal."""
    match reply.code:
        case Code.REVOKED | Code.EXPIRED:
            return _("Create a new key, or rotate one that is in use.")
        case Code.COMPANY_INACTIVE:
            return _("The company has to be active: confirm a card, or ask support why it was suspended.")
        case Code.IP_DENIED:
            return _("The key has an allow list, and this portal is not on it: test it from an address that is.")
        case Code.RATE_LIMITED:
            return _("The key's limit is used up: wait a minute, or raise it under Edit.")
        case Code.INSUFFICIENT_SCOPE:
            return _("The key may not use this tool: give it the tool under Edit.")
    if reply.status == 401:
        if key.server.is_portal:
            return _("The portal's own server refuses the key: load this page again to see its state.")
        return _(
            "The server does not accept a good key. Check that it asks this portal: LATCHKEY_URL, its credential, and "
            "that its credential belongs to this MCP server."
        )
    if reply.status == 403:
        return _(
            "The server knows the key and forbids the call: look at the scopes, the addresses and the server's own "
            "rules."
        )
    if reply.status in {404, 405}:
        return _("There is no MCP endpoint at this address: check its path, such as /mcp at the end.")
    if 300 <= reply.status < 400:
        return _(
            "The address leads to another one, and clients do not take a key there: register the address it leads to."
        )
    if reply.status == 429:
        return _("The server limits its callers: wait a minute and try again.")
    if reply.status >= 500:
        return _("Something is wrong inside the server: its log says what.")
    return _("This is not how an MCP server answers: check the address.")


def _greeted(key: Key, reply: Reply, value: str) -> Step:
    title = _("Connect (initialize)")
    if reply.result is None:
        return _refused(key, title, reply, value)
    info = reply.result.get("serverInfo")
    name = str(info.get("title") or info.get("name") or "")[:80] if isinstance(info, dict) else ""
    version = str(reply.result.get("protocolVersion", ""))[:20]
    text = _("%(server)s answered, protocol %(version)s.") % {"server": name or key.server, "version": version or "?"}
    return Step(title, text, GOOD, reply.status, reply.request, reply.excerpt(value))


def _listed(key: Key, reply: Reply, value: str) -> Step:
    title = _("List its tools (tools/list)")
    if reply.result is None:
        return _refused(key, title, reply, value)
    names = _names(reply.result.get("tools"))
    some = ", ".join(names[:6]) + (" …" if len(names) > 6 else "")
    text = ngettext("%(count)d tool: %(some)s", "%(count)d tools: %(some)s", len(names)) % {
        "count": len(names),
        "some": some,
    }
    return Step(
        title, text if names else _("It offers no tools."), GOOD, reply.status, reply.request, reply.excerpt(value)
    )


def _called(key: Key, tool: str, reply: Reply, value: str) -> Step:
    title = _("Call %(tool)s") % {"tool": tool}
    if reply.result is None:
        return _refused(key, title, reply, value)
    if reply.result.get("isError"):
        text = _("The tool ran and reported an error; the key itself was accepted.")
        return Step(title, text, "warning", reply.status, reply.request, reply.excerpt(value))
    return Step(title, _("It answered: the key works."), GOOD, reply.status, reply.request, reply.excerpt(value))


def _nothing_to_call() -> Step:
    text = _("Left out: the server lists no harmless tool, such as whoami or ping, that this key may use.")
    return Step(_("Call a tool"), text, LEFT_OUT)


def _refused(key: Key, title: str, reply: Reply, value: str) -> Step:
    if reply.problem:
        return Step(title, _("No answer."), BAD, 0, reply.request, "", reply.problem)
    text = reply.said.replace(value, "[key]") or _("The answer was no.")
    return Step(title, text, BAD, reply.status, reply.request, reply.excerpt(value), advice_for(key, reply))


def _names(found: Any) -> list[str]:
    entries: Iterable[Any] = found if isinstance(found, list) else ()
    return [str(entry["name"])[:80] for entry in entries if isinstance(entry, dict) and "name" in entry]
