"""Where to report a weakness (RFC 9116)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from portal import checks


def fields(text: str) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in text.splitlines())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("security@example.com", "mailto:security@example.com"),
        ("mailto:security@example.com", "mailto:security@example.com"),
        ("https://example.com/report", "https://example.com/report"),
    ],
)
def test_it_names_the_contact_as_the_standard_has_it(client, settings, given, said):
    settings.SECURITY_CONTACT = given
    response = client.get("/.well-known/security.txt")
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    found = fields(response.content.decode())
    assert found["Contact"] == said
    assert found["Canonical"] == f"{settings.PORTAL_URL}/.well-known/security.txt"
    expires = datetime.fromisoformat(found["Expires"].replace("Z", "+00:00"))
    assert timedelta(days=30) < expires - datetime.now(UTC) < timedelta(days=366)


@pytest.mark.django_db
def test_without_a_contact_there_is_no_such_page(client, settings):
    settings.SECURITY_CONTACT = ""
    assert client.get("/.well-known/security.txt").status_code == 404


def test_production_refuses_a_contact_that_is_none(settings):
    settings.SECURITY_CONTACT = "call me"
    assert any("LATCHKEY_SECURITY_CONTACT" in problem for problem in checks.problems())
    settings.SECURITY_CONTACT = "security@example.com\nExpires: never"
    assert any("LATCHKEY_SECURITY_CONTACT" in problem for problem in checks.problems())
