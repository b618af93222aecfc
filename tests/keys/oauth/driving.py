"""An AI client and its person, driven through the front door."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from django.conf import settings
from django.test import Client

CALLBACK = "http://127.0.0.1:51234/callback"


def pkce() -> tuple[str, str]:
    """A verifier and its S256 challenge."""
    verifier = secrets.token_urlsafe(48)
    return verifier, base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def register(**metadata: Any) -> dict[str, Any]:
    """A client that registered itself."""
    body = {"redirect_uris": [CALLBACK], "client_name": "Test Agent", "token_endpoint_auth_method": "none"} | metadata
    response = Client().post("/oauth/register", json.dumps(body), content_type="application/json")
    assert response.status_code == 201, response.content
    return response.json()


class Agent:
    """An AI client with one sign-in under way."""

    def __init__(self, registered: dict[str, Any] | None = None, redirect_uri: str = CALLBACK) -> None:
        self.client = registered or register()
        self.redirect_uri = redirect_uri
        self.verifier, self.challenge = pkce()
        self.state = secrets.token_urlsafe(12)

    def address(self, **changes: Any) -> str:
        """Where it sends the person; `changes` with None leave a parameter out."""
        query = {
            "response_type": "code",
            "client_id": self.client["client_id"],
            "redirect_uri": self.redirect_uri,
            "state": self.state,
            "code_challenge": self.challenge,
            "code_challenge_method": "S256",
            "scope": "tools:read",
            "resource": "http://growerp-system.example.com/mcp",
        } | changes
        return "/oauth/authorize?" + urlencode({k: v for k, v in query.items() if v is not None}, doseq=True)

    def consent(self, browser: Client, choices: dict[str, Any] | None = None, **changes: Any) -> dict[str, str]:
        """What comes back to the client when the person says yes on the page, with what the page offers."""
        address = self.address(**changes)
        page = browser.get(address)
        assert page.status_code == 200, (page.status_code, page.headers.get("Location"), page.content[:500])
        form = page.context["form"]
        data = {
            "company": form["company"].initial,
            "tools": form["tools"].initial,
            "lifetime": "90",
        } | (choices or {})
        response = browser.post(address, data)
        assert response.status_code == 302, response.context["form"].errors
        return answered(response)

    def token(self, code: str, **changes: Any) -> Any:
        """The response of the token endpoint."""
        data = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "client_id": self.client["client_id"],
            "code_verifier": self.verifier,
            "resource": "http://growerp-system.example.com/mcp",
        } | changes
        return Client().post("/oauth/token", {k: v for k, v in data.items() if v is not None})

    def refresh(self, refresh_token: str, **changes: Any) -> Any:
        """The response to a refresh."""
        data = {
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
            "client_id": self.client["client_id"],
        } | changes
        return Client().post("/oauth/token", {k: v for k, v in data.items() if v is not None})

    def sign_in(self, browser: Client, choices: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
        """The tokens, by the whole way."""
        answer = self.consent(browser, choices, **changes)
        response = self.token(answer["code"])
        assert response.status_code == 200, response.content
        return response.json()


def answered(response: Any) -> dict[str, str]:
    """The parameters that a redirect carries to the client."""
    location = response.headers["Location"]
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def verdict(server_token: str, token: str, **question: Any) -> dict[str, Any]:
    """What the verify API says of `token`."""
    response = Client().post(
        "/api/v1/keys/verify",
        json.dumps({"key": token} | question),
        content_type="application/json",
        headers={"Authorization": f"Bearer {server_token}"},
    )
    assert response.status_code == 200, response.content
    return response.json()


def issuer() -> str:
    """The issuer that every answer names."""
    return settings.PORTAL_URL
