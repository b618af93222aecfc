"""GrowERP's sign-in by username and password, in each of its published forms, and the prompt that asks for it.

The portal decides: it checks the password, limits attempts, wants an active company, and makes one named key per user
and client that expires in seven days. Here is only the wording. No error repeats what was sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse, Response

from keys.mcp import jsonrpc
from keys.mcp.access import client_name
from keys.mcp.config import Config
from keys.mcp.guard import CLIENT_IP
from keys.mcp.portal_api import PortalAPI, PortalRefusal

if TYPE_CHECKING:
    from starlette.types import Scope

LONGEST: Final = {"username": 254, "password": 1000}


class Incomplete(Exception):
    """The username or the password is missing or of no use; the text names the field."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """Signs people in at the portal."""

    portal: PortalAPI
    config: Config

    async def key_for(self, scope: Scope, given: Any, client: str = "") -> dict[str, Any]:
        """What the portal answers to a sign-in with `given`. Raises Incomplete, PortalRefusal."""
        fields = given if isinstance(given, dict) else {}
        for name, longest in LONGEST.items():
            value = fields.get(name)
            if not isinstance(value, str) or not value.strip():
                raise Incomplete(f"The {name} is missing: username and password are both required.")
            if len(value) > longest:
                raise Incomplete(f"The {name} is longer than {longest} characters.")
        classification = fields.get("classificationId")
        return await self.portal.login(
            username=fields["username"].strip(),
            password=fields["password"],
            client=(client or client_name(scope) or "")[:80],
            classification=classification[:80] if isinstance(classification, str) else "",
            client_ip=scope.get(CLIENT_IP),
        )

    async def by_protocol(self, scope: Scope, identifier: jsonrpc.Id, params: Any) -> Response:
        """The answer to JSON-RPC `auth/login`."""
        try:
            found = await self.key_for(scope, params)
        except Incomplete as error:
            return JSONResponse(jsonrpc.error(identifier, jsonrpc.INVALID_PARAMS, str(error)), 400)
        except PortalRefusal as refusal:
            return JSONResponse(failure(identifier, refusal), *status_and_headers(refusal))
        return JSONResponse({"jsonrpc": "2.0", "id": identifier, "result": success(found)})


def success(found: dict[str, Any]) -> dict[str, Any]:
    """The published `result` of a login."""
    user, company = found["user"], found["company"]
    return {
        "type": "auth_success",
        "message": "Signed in.",
        "apiKey": found["key"],
        "instructions": "Send this key in the header api_key with every further request. It expires on its own and is"
        " listed on the portal's keys page, where it can be revoked.",
        "expiresAt": found["expires_at"],
        "user": {"userId": user["id"], "name": user["name"], "email": user["email"]},
        "company": {"name": company["name"], "partyId": company["id"]},
    }


def failure(identifier: jsonrpc.Id, refusal: PortalRefusal) -> dict[str, Any]:
    """The published error of a login."""
    data = {"type": "auth_failed", "reason": refusal.message, "retry": refusal.status != 403}
    if refusal.retry_after:
        data["retry_after"] = refusal.retry_after
    return jsonrpc.error(identifier, jsonrpc.LOGIN_FAILED, "Login failed", data)


def status_and_headers(refusal: PortalRefusal) -> tuple[int, dict[str, str]]:
    """HTTP status and headers of a failed login."""
    headers = {"Retry-After": str(refusal.retry_after)} if refusal.retry_after else {}
    if refusal.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="latchkey"'
    return refusal.status, headers


def seconds_left(expires_at: str) -> int:
    """Whole seconds until `expires_at` (RFC 3339)."""
    return max(0, int((datetime.fromisoformat(expires_at) - datetime.now(UTC)).total_seconds()))


def auth_prompt(config: Config, identifier: jsonrpc.Id, reason: str, operation: str = "login") -> dict[str, Any]:
    """The published JSON-RPC error that asks an assistant to sign its person in; for clients that know no browser."""
    if config.password_login:
        instructions = (
            "Ask the user for the username and the password of the portal, call auth/login with them, and send the key"
            f" from its answer in the header api_key. Better: create a key at {config.portal_url} and put it into the"
            " client's settings."
        )
    else:
        instructions = (
            f"Sign-in by password is switched off here: create a key at {config.portal_url} and put it into the"
            " client's settings, in the header api_key."
        )
    data = {
        "type": "auth_prompt",
        "operation": operation,
        "reason": reason,
        "prompt": {
            "name": "growerp_login",
            "description": "Sign in to get an API key for this MCP server.",
            "arguments": {
                "properties": {
                    "username": {
                        "type": "string",
                        "description": "The e-mail address of the portal account.",
                        "required": True,
                    },
                    "password": {
                        "type": "string",
                        "description": "The password of the portal account.",
                        "required": True,
                        "secret": True,
                    },
                    "classificationId": {
                        "type": "string",
                        "description": "The GrowERP application; the portal needs none.",
                        "default": "AppSupport",
                    },
                },
                "required": ["username", "password"],
            },
            "instructions": instructions,
        },
    }
    return jsonrpc.error(identifier, jsonrpc.AUTHENTICATION_REQUIRED, "Authentication required", data)
