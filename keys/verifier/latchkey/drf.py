"""For Django REST framework: an authentication class. A view's `latchkey_tool` names the tool that it is;
without it, the tools of a JSON-RPC `tools/call` are checked."""

from __future__ import annotations

from typing import Any

from rest_framework import authentication, exceptions
from rest_framework.request import Request

from latchkey import credentials, jsonrpc
from latchkey.django import check, find_key
from latchkey.verdicts import User, Verdict


class KeyUser:
    """The person for whom the key acts, as DRF's permissions see a user. It is not a row of this project's database."""

    is_authenticated = True
    is_active = True
    is_anonymous = False
    is_staff = False
    is_superuser = False

    def __init__(self, user: User | None) -> None:
        self.pk = self.id = user.id if user else ""
        self.name = user.name if user else ""
        self.email = user.email if user else ""

    def __str__(self) -> str:
        return self.email


class KeyAuthentication(authentication.BaseAuthentication):
    """`request.user` is a KeyUser, `request.auth` the verdict. Without a key the next class is asked."""

    def authenticate(self, request: Request) -> tuple[KeyUser, Verdict] | None:
        """Raises what DRF answers as 400, 401, 403, 429 or 503."""
        if credentials.is_key_in_url(request.get_full_path()):
            raise exceptions.ParseError(credentials.KEY_IN_URL)
        if not find_key(request._request):
            return None
        view = (request.parser_context or {}).get("view")
        try:
            verdict = check(request._request, getattr(view, "latchkey_tool", None))
        except jsonrpc.Unreadable as error:
            raise exceptions.ParseError(error.message) from None
        if not verdict.valid:
            raise _error(verdict)
        return KeyUser(verdict.user), verdict

    def authenticate_header(self, request: Request) -> str:
        """The challenge of a 401; its presence is why DRF answers 401 and not 403."""
        verdict: Verdict | None = getattr(request._request, "latchkey", None)
        return (verdict.challenge() if verdict is not None else "") or 'Bearer realm="latchkey"'


class Unavailable(exceptions.APIException):
    """Nobody can say at the moment whether the key is good."""

    status_code = 503
    default_code = "unavailable"


def _error(verdict: Verdict) -> exceptions.APIException:
    if verdict.status == 429:
        return exceptions.Throttled(verdict.retry_after or 1, verdict.message)
    if verdict.status == 503:
        error: Any = Unavailable(verdict.message)
        error.wait = verdict.retry_after or 1
        return error
    kind = exceptions.AuthenticationFailed if verdict.status == 401 else exceptions.PermissionDenied
    error = kind(verdict.message, verdict.code)
    error.auth_header = verdict.challenge()
    return error
