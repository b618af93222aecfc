"""The API answers alike through the short way of the web process (portal/wsgi.py) and through Django's usual one."""

from __future__ import annotations

import json
from io import BytesIO

import pytest
from django.test import Client

from portal import wsgi

# Real transactions: at the end of a request the short way closes connections that are of no use any more.
pytestmark = pytest.mark.django_db(transaction=True)
GIVEN = {"HTTP_X_REQUEST_ID": "the-same-request"}


@pytest.fixture
def both(client: Client):
    """Status, headers and body of a request, both ways."""

    def both(method: str, path: str, body: bytes = b"", **environ: str):
        response = client.generic(method, path, body, content_type="application/json", **GIVEN, **environ)
        usual = (response.status_code, {name.lower(): value for name, value in response.items()}, response.content)
        begun = []
        answer = wsgi.application(
            {
                "REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": "", "SERVER_NAME": "testserver",
                "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.url_scheme": "http",
                "wsgi.input": BytesIO(body), "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body)),
                "REMOTE_ADDR": "127.0.0.1", **GIVEN, **environ,
            },
            lambda status, headers: begun.append((int(status[:3]), {name.lower(): value for name, value in headers})),
        )  # fmt: skip
        return usual, (*begun[0], b"".join(answer))

    return both


def test_a_verdict(both, server_token, company, server, owner):
    from tests import factories

    _, token = factories.make_key(company, server, owner, scopes=["tool:whoami"])
    body = json.dumps({"key": token.text, "tool": "get_companies"}).encode()
    usual, short = both("POST", "/api/v1/keys/verify", body, HTTP_AUTHORIZATION=f"Bearer {server_token}")
    assert usual == short
    assert json.loads(usual[2])["code"] == "INSUFFICIENT_SCOPE"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/keys/verify", 405),
        ("POST", "/api/v1/keys/verify", 401),
        ("GET", "/api/v1/revocations", 401),
        ("GET", "/api/v1/nothing-here", 404),
        ("GET", "/healthz/live", 200),
    ],
)
def test_everything_else(both, method, path, status):
    usual, short = both(method, path)
    assert usual[0] == short[0] == status
    assert usual == short


def test_the_headers_of_every_answer_are_there(both):
    _usual, (_status, headers, _body) = both("POST", "/api/v1/keys/verify")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-request-id"] == "the-same-request"
    assert "set-cookie" not in headers
