"""Reading an authorization request, and the answer that goes back to the client (RFC 6749, 4.1; RFC 9207)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext as _
from oauth2_provider.models import get_application_model
from oauthlib.oauth2 import FatalClientError as OAuthFatalError
from oauthlib.oauth2 import OAuth2Error

from keys.oauth import redirects, resources
from keys.oauth.backend import core
from keys.oauth.models import Connection
from keys.oauth.wanted import NoSuchTool, Wanted, scopes_for

SINGLE = ("client_id", "redirect_uri", "response_type", "scope", "state", "code_challenge", "code_challenge_method")


class CannotAnswer(Exception):
    """The request names no client of ours or an address that is not the client's: nothing may be sent there."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class AnswerNow(Exception):
    """The client gets `url` without the person being asked."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url


@dataclass(frozen=True, slots=True)
class Asked(Wanted):
    """What a client asks a person for by sending their browser here."""

    redirect_uri: str
    state: str
    credentials: dict[str, Any] = field(repr=False)

    @property
    def destination(self) -> str:
        """Where the answer goes, in words."""
        return redirects.destination(self.redirect_uri)

    @property
    def is_local(self) -> bool:
        """Whether it goes to a program on the person's own machine."""
        return redirects.is_local(self.redirect_uri)

    def url(self, **parameters: str) -> str:
        """The client's address with an answer: always with `iss`, and with `state` if the client sent one."""
        return answer_url(self.redirect_uri, self.state, **parameters)


def answer_url(redirect_uri: str, state: str, **parameters: str) -> str:
    """`redirect_uri` with `parameters`, `state` and `iss`."""
    given = {**parameters, **({"state": state} if state else {}), "iss": settings.PORTAL_URL}
    return redirect_uri + ("&" if "?" in redirect_uri else "?") + urlencode(given)


def read(request: HttpRequest) -> Asked:
    """What the query of `request` asks for, checked. Raises CannotAnswer or AnswerNow."""
    if any(len(request.GET.getlist(name)) > 1 for name in SINGLE):
        raise CannotAnswer(_("The request names something twice."))
    library = core()
    uri = library._get_escaped_full_path(request)  # what it does to a path that oauthlib would refuse to read
    try:
        wanted, credentials = library.server.validate_authorization_request(uri, http_method="GET", body="", headers={})
    except OAuthFatalError as error:
        raise CannotAnswer(_explained(request, error)) from None
    except OAuth2Error as error:
        raise AnswerNow(_error_url(error)) from None
    except ValueError:
        raise CannotAnswer(_("The address of this page is damaged.")) from None
    redirect_uri, state = credentials["redirect_uri"], credentials.get("state") or ""

    def refuse(error: str, description: str) -> AnswerNow:
        return AnswerNow(answer_url(redirect_uri, state, error=error, error_description=description))

    if credentials.get("code_challenge_method") != "S256":
        raise refuse("invalid_request", "Use PKCE with code_challenge_method=S256.")
    server = resources.find(request.GET.getlist("resource"))
    if server is None:
        raise refuse("invalid_target", "The resource is not an MCP server of this portal.")
    try:
        asked_scopes = scopes_for(wanted, server)
    except NoSuchTool as error:
        raise refuse("invalid_scope", str(error)) from None
    credentials.pop("request", None)
    client = get_application_model().objects.get(client_id=credentials["client_id"])
    return Asked(client, server, asked_scopes, redirect_uri, state, credentials)


def give_code(request: HttpRequest, asked: Asked, connection: Connection, granted: list[str]) -> str:
    """The client's address with an authorization code for `connection`. Raises OAuth2Error."""
    library = core()
    headers, _body, _status = library.server.create_authorization_response(
        uri=library._get_escaped_full_path(request),
        http_method="GET",
        headers={},
        scopes=granted,
        credentials={
            **asked.credentials,
            "user": request.user,
            "connection": connection,
            "resource": [asked.server.url],
        },
    )
    location: str = headers["Location"]
    return location + ("&" if "?" in location else "?") + urlencode({"iss": settings.PORTAL_URL})


def _error_url(error: OAuth2Error) -> str:
    uri = error.in_uri(error.redirect_uri)
    return f"{uri}{'&' if '?' in uri else '?'}{urlencode({'iss': settings.PORTAL_URL})}"


def _explained(request: HttpRequest, error: OAuth2Error) -> str:
    client_id = request.GET.get("client_id", "")
    client = get_application_model().objects.filter(client_id=client_id[:255]).first() if client_id else None
    if client is None:
        if client_id.startswith("https://") and not settings.OAUTH2_PROVIDER["CIMD_ENABLED"]:
            return _("This portal does not look up clients by their address. The client has to register itself.")
        if client_id.startswith("https://"):
            return _("What the client says about itself could not be read at the address that is its id.")
        return _("This AI client is not known here. Let it connect anew, so that it registers.")
    asked = request.GET.get("redirect_uri", "")
    return _("The client asked to be answered at %(asked)s, which is none of the addresses it registered.") % {
        "asked": asked[:200] or "—"
    }
