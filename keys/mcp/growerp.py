"""GrowERP's REST endpoints beside the protocol: health, catalogue, sign-in. Published paths, fields and codes."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from latchkey.verdicts import MISSING
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from keys.mcp import VERSION, jsonrpc
from keys.mcp.access import Caller, Refusal
from keys.mcp.config import Config
from keys.mcp.gate import Gate
from keys.mcp.guard import CLIENT_IP
from keys.mcp.login import Incomplete, SignIn, auth_prompt, failure, seconds_left, status_and_headers, success
from keys.mcp.portal_api import PortalRefusal
from keys.mcp.server import listed_prompts, listed_resources, listed_tools

BASE: Final = "/rest/s1/mcp"
_WHOLE: Final = re.compile(r"[0-9]{1,15}", re.ASCII).fullmatch
_NO_STORE: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}
# RFC 6749, section 5.2: a wrong password is 400, not 401, since it was not the client's authentication that failed.
_OAUTH_ERRORS: Final = {400: "invalid_request", 401: "invalid_grant", 403: "unauthorized_client"}


@dataclass(frozen=True, slots=True)
class Surface:
    """The endpoints, with what they need."""

    config: Config
    gate: Gate
    sign_in: SignIn
    metadata_url: str

    def routes(self) -> list[Route]:
        """The routes of all endpoints."""
        catalogue = {"tools": listed_tools, "resources": listed_resources, "prompts": listed_prompts}
        return [
            Route("/health", self.health),
            Route(f"{BASE}/health", self.health),
            *(Route(f"{BASE}/{name}", self.listing(name, listed)) for name, listed in catalogue.items()),
            Route(f"{BASE}/auth/login", self.login, methods=["POST"]),
            Route(f"{BASE}/auth/prompt", self.prompt),
            Route(f"{BASE}/auth/discovery", self.discovery),
            Route(f"{BASE}/auth/token", self.token, methods=["POST"]),
            Route(f"{BASE}/auth/userinfo", self.userinfo),
            Route("/rest/s1/growerp/100/Login", self.growerp_login, methods=["POST"]),
            Route("/rest/s1/growerp/100/Authenticate", self.authenticate),
        ]

    async def health(self, _request: Request) -> Response:
        """Whether this server and the portal are well. 200 in both cases: restarting this process mends no portal."""
        reachable = await self.sign_in.portal.is_reachable()
        return JSONResponse(
            {
                "status": "healthy" if reachable else "degraded",
                "timestamp": int(time.time() * 1000),
                "version": VERSION,
                "portal": "reachable" if reachable else "unreachable",
            }
        )

    def listing(self, name: str, listed: Any) -> Any:
        """The endpoint that shows one part of the catalogue: public, but a bad key is refused as on the protocol."""

        async def endpoint(request: Request) -> Response:
            caller = await self.gate.admit(request.scope, self.metadata_url)
            if isinstance(caller, Refusal) and caller.code != MISSING:
                return jsonrpc.refused(None, caller)
            items = [item.model_dump(mode="json", by_alias=True, exclude_none=True) for item in listed()]
            return JSONResponse({name: items})

        return endpoint

    async def login(self, request: Request) -> Response:
        """`POST /auth/login`: the published form, with the key once more at the top."""
        try:
            given = await _fields(request)
            identifier = jsonrpc.id_of({"id": given.get("requestId")})
            found = await self.sign_in.key_for(request.scope, given)
        except (Incomplete, jsonrpc.BadMessage) as error:
            body = jsonrpc.error(None, jsonrpc.INVALID_PARAMS, str(error))
            return JSONResponse({"loginResponse": body, "success": False, "error": str(error)}, 400)
        except PortalRefusal as refusal:
            body = {"loginResponse": failure(identifier, refusal), "success": False}
            return JSONResponse(body, *status_and_headers(refusal))
        body = {"jsonrpc": "2.0", "id": identifier, "result": success(found)}
        return JSONResponse({"loginResponse": body, "success": True, "apiKey": found["key"]}, headers=_NO_STORE)

    async def prompt(self, request: Request) -> Response:
        """`GET /auth/prompt`: what an unauthenticated call would be told."""
        query = request.query_params
        identifier = query.get("requestId", "")
        reason = query.get("reason") or "API key required for MCP access"
        body = auth_prompt(
            self.config,
            int(identifier) if _WHOLE(identifier) else identifier[:80],
            reason[:200],
            (query.get("operation") or "login")[:80],
        )
        return JSONResponse({"promptResponse": body})

    async def discovery(self, _request: Request) -> Response:
        """`GET /auth/discovery`: GrowERP's own form; the standard one is at `/.well-known/oauth-protected-resource`."""
        base = f"{self.config.public_url}{BASE}"
        found: dict[str, Any] = {
            "issuer": self.config.portal_url,
            "userinfo_endpoint": f"{base}/auth/userinfo",
            "resource": self.config.protocol_url,
            "resource_metadata": self.metadata_url,
            "scopes_supported": ["tools:read", "tools:*"],
            "bearer_methods_supported": ["header"],
        }
        if self.config.password_login:
            found |= {
                "token_endpoint": f"{base}/auth/token",
                "login_endpoint": f"{base}/auth/login",
                "grant_types_supported": ["password"],
                "token_endpoint_auth_methods_supported": ["none"],
            }
        return JSONResponse({"discoveryConfig": found})

    async def token(self, request: Request) -> Response:
        """`POST /auth/token`: the password grant, JSON or form, answers and errors as RFC 6749, section 5."""
        try:
            given = await _fields(request)
        except jsonrpc.BadMessage as error:
            return _oauth_error(400, "invalid_request", str(error))
        grant = given.get("grant_type", given.get("grantType"))
        if not isinstance(grant, str) or not grant:
            return _oauth_error(400, "invalid_request", "grant_type is missing.")
        if grant != "password":
            return _oauth_error(400, "unsupported_grant_type", "Only grant_type=password is offered here.")
        client = given.get("client_id", given.get("clientId"))
        try:
            found = await self.sign_in.key_for(request.scope, given, client if isinstance(client, str) else "")
        except Incomplete as error:
            return _oauth_error(400, "invalid_request", str(error))
        except PortalRefusal as refusal:
            status, headers = status_and_headers(refusal)
            code = _OAUTH_ERRORS.get(status, "temporarily_unavailable")
            headers.pop("WWW-Authenticate", None)
            return _oauth_error(400 if status in {401, 403} else status, code, refusal.message, headers)
        verdict = await self.gate.verifier.verify(found["key"], client_ip=request.scope.get(CLIENT_IP))
        body = {"access_token": found["key"], "token_type": "Bearer", "expires_in": seconds_left(found["expires_at"])}
        if verdict.valid:
            body["scope"] = " ".join(verdict.scopes)
        return JSONResponse(body, headers=_NO_STORE)

    async def userinfo(self, request: Request) -> Response:
        """`GET /auth/userinfo`: who the key is."""
        caller = await self.gate.admit(request.scope, self.metadata_url)
        if isinstance(caller, Refusal):
            return self._refused(caller)
        user, company = _user(caller), _company(caller)
        return JSONResponse(
            {
                "sub": user["userId"],
                "user_id": user["userId"],
                "name": user["name"],
                "email": user["email"],
                "owner_party_id": company["partyId"],
                "company_party_id": company["partyId"],
                "user_party_id": user["userId"],
                "authenticated": True,
            }
        )

    async def growerp_login(self, request: Request) -> Response:
        """`POST /rest/s1/growerp/100/Login`: GrowERP's own sign-in, printed as its scripts search it."""
        try:
            found = await self.sign_in.key_for(request.scope, await _fields(request))
        except (Incomplete, jsonrpc.BadMessage) as error:
            return _pretty({"errors": str(error)}, 400)
        except PortalRefusal as refusal:
            return _pretty({"errors": refusal.message}, *status_and_headers(refusal))
        result = success(found)
        return _pretty({"authenticate": {name: result[name] for name in ("apiKey", "user", "company")}})

    async def authenticate(self, request: Request) -> Response:
        """`GET /rest/s1/growerp/100/Authenticate`: who the key is, in GrowERP's words. Never repeats the key."""
        caller = await self.gate.admit(request.scope, self.metadata_url)
        if isinstance(caller, Refusal):
            return self._refused(caller)
        return _pretty(
            {
                "authenticate": {
                    "classificationId": request.query_params.get("classificationId", "")[:80],
                    "user": _user(caller),
                    "company": _company(caller),
                }
            }
        )

    def _refused(self, refusal: Refusal) -> Response:
        data = auth_prompt(self.config, None, refusal.message)["error"]["data"] if refusal.status == 401 else None
        return jsonrpc.refused(None, refusal, data)


async def _fields(request: Request) -> dict[str, Any]:
    """The fields of a JSON or form body. Raises BadMessage."""
    body = await request.body()
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        try:
            return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=20))
        except ValueError as error:
            raise jsonrpc.BadMessage(jsonrpc.PARSE_ERROR, "The body is no form.") from error
    fields = jsonrpc.loads(body or b"{}")
    if not isinstance(fields, dict):
        raise jsonrpc.BadMessage(jsonrpc.INVALID_REQUEST, "The body must be a JSON object.")
    return fields


def _user(caller: Caller) -> dict[str, str | None]:
    """The user whom the key acts for."""
    user = caller.verdict.user
    if user is None:
        return {"userId": None, "name": None, "email": None}
    return {"userId": user.id, "name": user.name, "email": user.email}


def _company(caller: Caller) -> dict[str, str | None]:
    """The company that the key belongs to."""
    company = caller.verdict.company
    if company is None:
        return {"partyId": None, "pseudoId": None, "name": None}
    return {"partyId": company.id, "pseudoId": company.slug, "name": company.name}


def _pretty(content: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """JSON with a blank on both sides of each colon, as GrowERP prints it and its scripts search it."""
    text = json.dumps(content, indent=2, separators=(",", " : "), ensure_ascii=False)
    return Response(text, status, {**_NO_STORE, **(headers or {})}, media_type="application/json")


def _oauth_error(status: int, error: str, description: str, headers: dict[str, str] | None = None) -> Response:
    body = {"error": error, "error_description": description}
    return JSONResponse(body, status, {**_NO_STORE, **(headers or {})})
