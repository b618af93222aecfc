"""What every answer carries, and what production adds: content policy, cookies, hosts, forwarded addresses."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client, RequestFactory
from django.urls import reverse

from portal.addresses import client_address
from portal.companies.models import Company
from tests import factories, migrated

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["landing", "account_login", "account_signup", "account_reset_password", "api-docs"])
def test_a_public_page_has_a_policy_without_exceptions(client: Client, name: str):
    _check(client.get(reverse(name)))


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["company", "keys:list", "keys:new", "team", "audit", "card"])
def test_a_company_page_has_it_too(owner_client: Client, company: Company, server: object, name: str):
    _check(owner_client.get(reverse(name, args=[company.slug])))


@pytest.mark.django_db
def test_an_error_page_has_it_too(client: Client):
    _check(client.get("/no-such-page/"), status=404)


def _check(response, status=200):
    assert response.status_code == status
    policy = dict(part.strip().partition(" ")[::2] for part in response["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert not any("unsafe" in value or "http" in value or "*" in value for value in policy.values())
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Frame-Options"] == "DENY"
    assert response["Referrer-Policy"] == "same-origin"
    assert "camera=()" in response["Permissions-Policy"]
    assert not any(word in response.content.decode() for word in ("<style", "onclick=", " style="))


@pytest.mark.django_db
def test_a_host_that_is_not_ours_is_refused(client: Client):
    assert client.get("/", headers={"host": "attacker.example"}).status_code == 400
    assert client.get("/", headers={"host": "localhost", "x-forwarded-host": "attacker.example"}).status_code == 200


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "203.0.113.9", "127.0.0.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        (2, "198.51.100.1, 203.0.113.9", "198.51.100.1"),
        (2, "203.0.113.9", "127.0.0.1"),
        (1, "", "127.0.0.1"),
        (1, "not an address", None),
    ],
)
def test_a_forwarded_address_counts_only_from_our_proxies(settings, proxies, forwarded, address):
    settings.TRUSTED_PROXY_COUNT = proxies
    request = RequestFactory().get("/", headers={"x-forwarded-for": forwarded} if forwarded else {})
    assert client_address(request) == address


@pytest.mark.slow
def test_production_has_locked_cookies_and_insists_on_https(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory):
    """In a process of its own: these settings are decided when the process starts."""
    code = """
import json, django
from django.conf import settings
django.setup()
from django.core.management import call_command
settings.STATIC_ROOT = settings.DATA_DIR / "static"
call_command("collectstatic", verbosity=0, interactive=False)
from django.test import Client
asked = {"HTTP_HOST": "keys.example.com", "HTTP_X_FORWARDED_PROTO": "https"}
page = Client().get("/accounts/login/", **asked)
plain = Client().get("/accounts/login/", HTTP_HOST="keys.example.com")
other = Client().get("/accounts/login/", HTTP_HOST="localhost", HTTP_X_FORWARDED_PROTO="https")
gone = [Client().get(path, **asked).status_code for path in ("/mailbox/", "/styleguide/")]
cookies = {name: [bool(found["secure"]), bool(found["httponly"]), found["samesite"], found["path"], found["domain"]]
           for name, found in page.cookies.items()}
print(json.dumps({"status": page.status_code, "cookies": cookies, "hsts": page["Strict-Transport-Security"],
                  "plain": [plain.status_code, plain["Location"]], "other": other.status_code, "gone": gone,
                  "session": [settings.SESSION_COOKIE_NAME, settings.SESSION_COOKIE_SECURE], "debug": settings.DEBUG}))
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LATCHKEY_", "REDIS_"))}
    environment |= {
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "LATCHKEY_ENV": "production",
        "LATCHKEY_SECRET_KEY": "kT9mZ4vQ1xW7rB2nL8cJ5hG3fD6sA0pYeUiOqRtXwVzMbNyKjHgFdSaPl",
        "LATCHKEY_PEPPERS": "a:" + base64.b64encode(bytes(range(32))).decode(),
        "LATCHKEY_URL": "https://keys.example.com",
        "LATCHKEY_MCP_URL": "https://mcp.example.com",
        "LATCHKEY_TRUSTED_PROXIES": "1",
        "LATCHKEY_SMTP_HOST": "mail.example.com",
        "LATCHKEY_DATA": str(tmp_path),
        "DATABASE_URL": f"sqlite://{tmp_path}/portal.sqlite3",
    }
    migrated.copy(tmp_path / "portal.sqlite3", tmp_path_factory)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["status"] == 200
    assert seen["cookies"]["__Host-csrf"] == [True, True, "Lax", "/", ""]
    assert seen["session"] == ["__Host-session", True]
    assert seen["hsts"] == "max-age=31536000; includeSubDomains; preload"
    assert seen["plain"] == [301, "https://keys.example.com/accounts/login/"]
    assert seen["other"] == 400
    assert seen["gone"] == [404, 404]
    assert seen["debug"] is False


@pytest.mark.django_db
def test_a_key_in_an_address_of_the_api_opens_nothing(client: Client, key_token: str):
    for name in ("key", "api_key", "access_token", "token"):
        assert client.get("/api/v1/data/whoami", {name: key_token}).status_code == 401
    assert client.get("/api/v1/data/whoami", headers={"authorization": f"Bearer {key_token}"}).status_code == 200


@pytest.mark.django_db
def test_a_name_with_markup_is_shown_as_text_on_every_page_of_its_key(owner_client: Client, owner, company, server):
    key, _ = factories.make_key(company, server, owner, name="<b onmouseover=alert(1)>bold</b>")
    for name in ("keys:list", "keys:detail", "keys:edit", "keys:rotate", "keys:revoke", "audit", "company"):
        arguments = [company.slug] if name in {"keys:list", "audit", "company"} else [company.slug, key.pk]
        page = owner_client.get(reverse(name, args=arguments)).content.decode()
        assert "<b onmouseover" not in page, name
        assert "&lt;b onmouseover" in page or name == "keys:edit", name
