"""What an AI client sees on its way in: 401, protected resource metadata, authorization server metadata, scopes.

The order and the addresses are those of the MCP specification (authorization), so that what is shown here is what a
client does; each link says what to mend where it breaks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from keys import tokens
from keys.models import McpServer
from keys.trying.calls import INITIALIZE, Caller, Reply
from keys.trying.key import HARMLESS, HEADER

GOOD, WARNING, BAD, LEFT_OUT = "success", "warning", "danger", "neutral"
RESOURCE: Final = "/.well-known/oauth-protected-resource"
_PARAMETER = re.compile(r'([A-Za-z_]+)="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the chain: what was asked, what came back, and what to mend. `facts`: pairs of name and value."""

    title: str
    text: str
    tone: str
    request: str = ""
    status: int = 0
    facts: list[tuple[str, str]] = field(default_factory=list)
    excerpt: str = ""
    advice: str = ""


def check(server: McpServer) -> list[Link]:
    """Walk the chain of `server`, as far as it leads. No key is sent but one that was never given out."""
    caller = Caller(server)
    first, challenge = _without_key(caller)
    links = [first]
    if first.status == 0:
        return links
    links.append(_with_wrong_key(caller))
    second, resource = _resource(caller, challenge)
    links.append(second)
    if resource is None:
        return links
    third, issuer = _authorization_server(caller, resource)
    links.append(third)
    if issuer is not None:
        links.append(_scopes(challenge, resource, issuer))
    return links


def _without_key(caller: Caller) -> tuple[Link, dict[str, str]]:
    """A call without a key, which has to be refused, and the parameters of the challenge in the refusal."""
    title = _("A call without a key")
    reply = caller.rpc(1, "initialize", INITIALIZE, {})
    if reply.problem:
        return Link(title, _("No answer."), BAD, reply.request, advice=reply.problem), {}
    open_discovery = reply.status == 200
    if open_discovery:
        tool = next((name for name in HARMLESS if name in caller.server.read_only_tools), "")
        if not tool:
            text = _(
                "It answers without a key, and its catalogue names no harmless tool by which to see whether calls "
                "are refused."
            )
            advice = _(
                "Look whether a tool call without a key is refused with 401. If not, the server is not protected."
            )
            return _link(title, text, WARNING, reply, advice=advice), _challenge(reply)
        reply = caller.rpc(2, "tools/call", {"name": tool, "arguments": {}}, {})
    challenge = _challenge(reply)
    header = reply.headers.get("www-authenticate", "")
    facts = [("WWW-Authenticate", header)] if header else []
    if reply.status == 401:
        text = _("Refused, as it should be.")
        if open_discovery:
            text = _("Discovery is open; a tool call is refused, as it should be. Clients sign in at the first call.")
        if challenge.get("resource_metadata"):
            return _link(title, text, GOOD, reply, facts), challenge
        advice = _("Add resource_metadata to WWW-Authenticate: clients then find the sign-in without guessing.")
        return _link(title, text, GOOD if not header else WARNING, reply, facts, advice if header else ""), challenge
    if reply.status == 200:
        advice = _("Put the verifier before the server: Protect the server, on its page, has the lines.")
        return _link(title, _("It was let in: anybody can use this server."), BAD, reply, facts, advice), challenge
    advice = _("Answer 401 with WWW-Authenticate: Bearer, or clients cannot know that they have to sign in.")
    if reply.status in {404, 405}:
        advice = _("There is no MCP endpoint at this address: check its path, such as /mcp at the end.")
    return _link(title, _("Neither let in nor asked to sign in."), BAD, reply, facts, advice), challenge


def _with_wrong_key(caller: Caller) -> Link:
    """A call with a key that nobody has: a server that lets it in looks at the key's shape alone."""
    title = _("A call with a wrong key")
    key = tokens.generate(tokens.Kind.TEST).text
    tool = next((name for name in HARMLESS if name in caller.server.read_only_tools), "")
    name, params = ("tools/call", {"name": tool, "arguments": {}}) if tool else ("initialize", INITIALIZE)
    reply = caller.rpc(3, name, params, {HEADER: key})
    if reply.problem:
        return Link(title, _("No answer."), BAD, reply.request, advice=reply.problem)
    if reply.status in {401, 403}:
        return _link(title, _("Refused, as it should be."), GOOD, reply)
    if reply.result is not None:
        advice = _("The server does not ask this portal whether a key is good: put the verifier before it.")
        return _link(title, _("A key that nobody has was let in."), BAD, reply, advice=advice)
    return _link(
        title,
        _("Neither let in nor refused with 401."),
        WARNING,
        reply,
        advice=_("Answer 401 to a key that is not good."),
    )


def _resource(caller: Caller, challenge: dict[str, str]) -> tuple[Link, dict[str, Any] | None]:
    """The protected resource metadata (RFC 9728): from the challenge, else in path form, else at the root."""
    title = _("Protected resource metadata")
    parts = urlsplit(caller.server.url)
    origin = f"{parts.scheme}://{parts.netloc}"
    places = [
        challenge.get("resource_metadata", ""),
        f"{origin}{RESOURCE}{parts.path.rstrip('/')}",
        f"{origin}{RESOURCE}",
    ]
    reply = _first_found(caller, places)
    found = reply.object if reply.status == 200 else {}
    servers = found.get("authorization_servers")
    if not found:
        text = _("None: clients cannot offer a sign-in. Keys work all the same.")
        advice = reply.problem or _("Serve it at %(place)s to let people connect without pasting a key.") % {
            "place": places[1]
        }
        return _link(title, text, WARNING, reply, advice=advice), None
    facts = [("resource", str(found.get("resource", ""))), ("authorization_servers", _words(servers)),
             ("scopes_supported", _words(found.get("scopes_supported")))]  # fmt: skip
    known = {caller.server.url, *caller.server.alternate_urls}
    if found.get("resource") not in known:
        same = str(found.get("resource", "")).rstrip("/") in {url.rstrip("/") for url in known}
        advice = _("Name the address that is registered here, letter by letter: %(url)s") % {"url": caller.server.url}
        text = (
            _("It names the address with another end: some clients refuse that.")
            if same
            else _("It names another resource.")
        )
        return _link(title, text, WARNING if same else BAD, reply, facts, advice), found if servers else None
    if not isinstance(servers, list) or not servers:
        advice = _("List the address of the authorization server, such as this portal's, under authorization_servers.")
        return _link(title, _("It names no authorization server."), BAD, reply, facts, advice), None
    return _link(title, _("Found; it names this server."), GOOD, reply, facts), found


def _authorization_server(caller: Caller, resource: dict[str, Any]) -> tuple[Link, dict[str, Any] | None]:
    """The metadata of the first authorization server (RFC 8414, else OpenID Connect), in the order of clients."""
    title = _("Authorization server metadata")
    issuer = str(resource["authorization_servers"][0])
    parts = urlsplit(issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    places = [
        f"{origin}/.well-known/oauth-authorization-server{path}",
        f"{origin}/.well-known/openid-configuration{path}",
    ]
    places += [f"{origin}{path}/.well-known/openid-configuration"] if path else []
    reply = _first_found(caller, places)
    found = reply.object if reply.status == 200 else {}
    if not found:
        advice = reply.problem or _("The authorization server has to serve its metadata at %(place)s.") % {
            "place": places[0]
        }
        return _link(title, _("None found."), BAD, reply, advice=advice), None
    ways = [
        ("client_id_metadata_document_supported", _("metadata documents")),
        ("registration_endpoint", _("dynamic registration")),
    ]
    registration = ", ".join(words for name, words in ways if found.get(name))
    facts = [(name, _words(found.get(name))) for name in ("issuer", "authorization_endpoint", "token_endpoint",
             "code_challenge_methods_supported", "scopes_supported") if found.get(name)]  # fmt: skip
    facts.append((_("Clients register by"), registration or _("none: only those that were set up by hand")))
    if found.get("issuer") != issuer:
        advice = _("The issuer has to be the same letter by letter, also at its end: %(issuer)s") % {"issuer": issuer}
        return _link(title, _("It is of another issuer: clients stop here."), BAD, reply, facts, advice), found
    if "S256" not in (found.get("code_challenge_methods_supported") or []):
        advice = _("code_challenge_methods_supported has to name S256 (PKCE).")
        return _link(title, _("It does not offer PKCE: clients stop here."), BAD, reply, facts, advice), found
    if missing := [name for name in ("authorization_endpoint", "token_endpoint") if not found.get(name)]:
        return _link(title, _("It leaves out %(names)s.") % {"names": ", ".join(missing)}, BAD, reply, facts), found
    if not registration:
        return _link(title, _("Found, but clients cannot register by themselves."), WARNING, reply, facts), found
    return _link(title, _("Found; clients can sign people in."), GOOD, reply, facts), found


def _scopes(challenge: dict[str, str], resource: dict[str, Any], issuer: dict[str, Any]) -> Link:
    """The scopes that are asked for, and whether the authorization server knows them."""
    title = _("Scopes")
    asked = challenge.get("scope", "").split()
    listed = [scope for scope in resource.get("scopes_supported") or [] if isinstance(scope, str)]
    offered = [scope for scope in issuer.get("scopes_supported") or [] if isinstance(scope, str)]
    facts = [(_("Asked for by the 401"), " ".join(asked)), (_("Named by the server"), " ".join(listed)),
             (_("Known to the authorization server"), " ".join(offered))]  # fmt: skip
    facts = [(name, words) for name, words in facts if words]
    wanted = asked or listed
    if not wanted:
        text = _("None are named: clients ask for what the authorization server lists, or for nothing.")
        return Link(title, text, LEFT_OUT, facts=facts)
    if offered and (unknown := sorted(set(wanted) - set(offered))):
        advice = _("Ask only for scopes that the authorization server knows.")
        return Link(
            title,
            _("Not known there: %(scopes)s.") % {"scopes": " ".join(unknown)},
            WARNING,
            facts=facts,
            advice=advice,
        )
    return Link(title, _("A client will ask for: %(scopes)s.") % {"scopes": " ".join(wanted)}, GOOD, facts=facts)


def _first_found(caller: Caller, places: list[str]) -> Reply:
    """The first of `places` that answers with a JSON object; else the last reply."""
    reply = Reply("", problem=_("No address to ask."))
    for place in dict.fromkeys(filter(None, places)):
        reply = caller.ask("GET", place)
        if reply.status == 200 and reply.object:
            break
    return reply


def _challenge(reply: Reply) -> dict[str, str]:
    """The parameters of `WWW-Authenticate: Bearer`."""
    header = reply.headers.get("www-authenticate", "")
    return dict(_PARAMETER.findall(header)) if header.lower().startswith("bearer") else {}


def _words(value: Any) -> str:
    return " ".join(map(str, value))[:400] if isinstance(value, list) else str(value or "")[:400]


def _link(
    title: str, text: str, tone: str, reply: Reply, facts: list[tuple[str, str]] | None = None, advice: str = ""
) -> Link:
    return Link(title, text, tone, reply.request, reply.status, facts or [], reply.excerpt(), advice)
