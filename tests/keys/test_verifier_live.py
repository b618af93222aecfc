"""The wheel `latchkey` against the real portal over HTTP, and the calls that docs/other-languages.md shows."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.db.models import Sum
from latchkey import Verifier
from latchkey.cli import snippets as cli_snippets

from keys import services, snippets
from keys.usage.counter import counter
from keys.usage.models import UsageHour
from portal.audit.actors import Actor

PAGE = Path(__file__).parents[2] / "docs/other-languages.md"
CALLS = re.findall(r"```bash\n(.*?)```", PAGE.read_text(), re.DOTALL)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def verifier(live_server, server_token):
    with Verifier(live_server.url, server_token, report_seconds=0.2, timeout=10) as made:
        yield made


def remember(verifier: Verifier, token: str) -> None:
    end = time.monotonic() + 10
    while not (verifier.remembered and verifier.is_trusting):
        assert verifier.verify(token).valid
        assert time.monotonic() < end


def test_the_portals_verdict_is_understood_whole(verifier, key, key_token, company, owner):
    verdict = verifier.verify(key_token, "get_companies", "192.0.2.1", "test")
    assert verdict.valid
    assert (verdict.key_id, verdict.key_name) == (key.pk, key.name)
    assert (verdict.company.id, verdict.company.slug) == (company.pk, company.slug)
    assert verdict.user.email == owner.email
    assert verdict.cache_seconds > 0
    assert verdict.rate_limit is None or verdict.rate_limit.remaining < verdict.rate_limit.limit


def test_a_key_revoked_in_the_portal_is_refused_within_a_second(verifier, key, key_token, owner):
    remember(verifier, key_token)
    services.revoke_key(key=key, reason="left in a log", actor=Actor.user(owner))
    end = time.monotonic() + 1
    while verifier.verify(key_token).valid:
        assert time.monotonic() < end
    assert verifier.verify(key_token).code == "REVOKED"


def test_a_value_rotated_out_is_refused_within_a_second(verifier, key, key_token, owner):
    remember(verifier, key_token)
    _new, token = services.rotate_key(key=key, overlap=timedelta(0), actor=Actor.user(owner))
    end = time.monotonic() + 1
    while verifier.verify(key_token).valid:
        assert time.monotonic() < end
    assert verifier.verify(token.text).valid


def test_a_wrong_credential_fails_closed(live_server, key_token, server_token):
    wrong = services.tokens.generate(services.tokens.Kind.SERVER).text
    with Verifier(live_server.url, wrong) as verifier:
        assert verifier.verify(key_token).code == "UNAVAILABLE"


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
@pytest.mark.parametrize("call", CALLS, ids=[re.search(r"\$PORTAL/([\w/]+)", call)[1] for call in CALLS])
def test_every_call_of_the_page_runs(live_server, server_token, key, key_token, call):
    environment = {
        "PORTAL": live_server.url, "CREDENTIAL": server_token, "KEY": key_token, "KEY_ID": key.pk,
        "PATH": "/usr/local/bin:/usr/bin:/bin",
    }  # fmt: skip
    ran = subprocess.run(["bash", "-euc", call], env=environment, capture_output=True, text=True, timeout=30)
    assert ran.returncode == 0, ran.stderr
    if "%{http_code}" in call:
        assert ran.stdout.strip() in {"304", "202"}
        return
    answer = json.loads(ran.stdout)
    if "introspect" in call:
        assert answer["active"] is True and answer["key_id"] == key.pk and answer["scope"] == "tools:*"
    elif "revocations" in call:
        assert answer["cursor"].isdigit()
    else:
        assert all(verdict["valid"] for verdict in answer.get("results", [answer]))


@pytest.mark.parametrize("client", cli_snippets.CLIENTS)
def test_the_command_line_prints_the_portals_snippets(client):
    to = snippets.Connection(name="growerp-system", url="https://mcp.example.com/mcp")
    found = next(snippet for snippet in snippets.snippets(to) if snippet.client == client)
    form = next(form for form in found.forms if not form.holds_key)
    assert cli_snippets.CLIENTS[client](to.name, to.url) == form.text
    assert cli_snippets.variable(to.name) == to.variable


def test_calls_answered_from_memory_are_counted_in_the_portal(verifier, key, key_token):
    remember(verifier, key_token)
    for _ in range(500):
        verifier.verify(key_token)
    verifier.close()
    counter.flush()
    counted = UsageHour.objects.filter(key_id=key.pk, code="VALID").aggregate(total=Sum("count"))["total"]
    assert counted >= 500
