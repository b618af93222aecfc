"""Error reports and traces: only where somebody asked for them, and nothing secret in them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import sentry_sdk
from django.conf import settings as django_settings
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sentry_sdk.transport import Transport

from keys.tokens import Kind, generate
from portal import reporting, tracing
from portal.logs import request_id

ROOT = Path(__file__).resolve().parents[2]
TOKEN = generate(Kind.LIVE).text
SECRET = TOKEN[18:]
CARD = "4242 4242 4242 4242"


class Kept(Transport):
    """Keeps what would have been sent."""

    def __init__(self, options=None):
        super().__init__(options)
        self.sent = []

    def capture_envelope(self, envelope):
        self.sent.append(envelope.serialize().decode())


@pytest.fixture
def sent():
    transport = Kept()
    with sentry_sdk.isolation_scope():
        sentry_sdk.init(dsn="https://key@errors.example.com/1", transport=transport, **reporting.options())
        yield transport.sent
        sentry_sdk.get_client().close()
        sentry_sdk.get_global_scope().set_client(None)


def fails(key: str) -> None:
    """A local variable, an argument and an exception hold a key."""
    copied = {"card": CARD, "key": key}
    raise ValueError(f"cannot use {key} with {copied}")


def test_no_key_and_no_card_leaves_in_a_report(sent):
    sentry_sdk.set_user({"email": "owner@example.com", "ip_address": "192.0.2.1"})
    sentry_sdk.set_tag("key", TOKEN)
    sentry_sdk.set_extra("body", TOKEN)
    sentry_sdk.set_context("own", {"header": TOKEN})
    sentry_sdk.add_breadcrumb(message=f"verified {TOKEN}")
    token = request_id.set("request-1234")
    try:
        fails(TOKEN)
    except ValueError:
        sentry_sdk.capture_exception()
    finally:
        request_id.reset(token)
    report = "".join(sent)
    assert "ValueError" in report
    assert "request-1234" in report
    assert TOKEN[:20].rpartition("_")[0] in report  # which key it was may be known
    for secret in (SECRET, CARD, "owner@example.com", "192.0.2.1"):
        assert secret not in report


@pytest.mark.django_db
def test_a_request_that_fails_reports_neither_headers_nor_body_nor_query(sent, client, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("on purpose")

    monkeypatch.setattr("portal.health.report", broken)
    client.raise_request_exception = False
    client.cookies["__Host-session"] = "a-session-of-somebody"
    response = client.get(
        f"/healthz/ready?code=a-code-of-oauth&key={TOKEN}",
        headers={"Authorization": f"Bearer {TOKEN}", "X-Api-Key": TOKEN},
    )
    assert response.status_code == 500
    report = "".join(sent)
    assert "on purpose" in report and "/healthz/ready" in report
    for secret in (SECRET, "a-code-of-oauth", "a-session-of-somebody", "Authorization"):
        assert secret not in report


def test_what_is_not_known_to_be_harmless_is_left_out():
    event = {"exception": {"values": [{"value": TOKEN, "stacktrace": {"frames": [{"vars": {"a": TOKEN}}]}}]},
             "request": {"url": f"https://h/p?k={TOKEN}", "headers": {"a": TOKEN}, "data": TOKEN, "env": {"x": 1}},
             "modules": {"x": "1"}, "extra": {"a": 1}, "breadcrumbs": [1], "user": {"id": 1}, "server_name": "host",
             "contexts": {"runtime": {"name": "CPython"}, "device": {"a": TOKEN}}}  # fmt: skip
    kept = reporting.scrubbed(event)
    assert set(kept) == {"exception", "request", "contexts"}
    assert kept["request"] == {"method": None, "url": "https://h/p"}
    assert SECRET not in json.dumps(kept)


def test_something_deep_is_cut_and_not_followed():
    deep: dict = {}
    deep["self"] = deep
    assert "[deep]" in json.dumps(reporting.scrubbed({"exception": deep}))


def test_a_span_loses_its_query_and_its_secrets():
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(tracing.cleaned(kept)))
    with pytest.raises(ValueError, match="cannot"), provider.get_tracer("t").start_as_current_span("GET /x") as span:
        span.set_attribute("http.url", f"https://h/p?code=abc&key={TOKEN}")
        span.set_attribute("url.query", f"key={TOKEN}")
        span.set_attribute("other", f"a {TOKEN}")
        fails(TOKEN)
    (found,) = kept.get_finished_spans()
    assert found.attributes["http.url"] == "https://h/p"
    text = found.to_json()
    assert "ValueError" in text
    assert SECRET not in text and "code=abc" not in text and CARD not in text


def test_an_exporter_that_fails_says_so():
    class Broken(InMemorySpanExporter):
        def export(self, spans):
            return SpanExportResult.FAILURE

    assert tracing.cleaned(Broken()).export([]) is SpanExportResult.FAILURE


def run(script: str, **environment: str) -> str:
    base = {
        name: value for name, value in os.environ.items() if name not in {"SENTRY_DSN", "OTEL_EXPORTER_OTLP_ENDPOINT"}
    }
    base |= {"DJANGO_SETTINGS_MODULE": "portal.settings", "LATCHKEY_DATA": str(django_settings.DATA_DIR)}
    done = subprocess.run([sys.executable, "-c", script], env=base | environment, capture_output=True, text=True,
                          timeout=60, cwd=ROOT)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_neither_library_is_imported_where_nobody_asked_for_it():
    ours = ("sentry_sdk", "opentelemetry.instrumentation.django", "opentelemetry.exporter", "opentelemetry.sdk.trace")
    script = "import sys, django; django.setup(); import portal.wsgi; print(*sys.modules)"
    assert not set(ours) & set(run(script).split())


@pytest.mark.slow
def test_a_request_is_traced_where_somebody_asked_for_it():
    """The API has a handler of its own: it is traced too, under the id of the request."""
    script = """
import io
import django
django.setup()
from opentelemetry import trace
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from portal import tracing
from portal.wsgi import application
kept = InMemorySpanExporter()
trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(tracing.cleaned(kept)))
for path in ("/healthz/live", "/api/v1/keys/verify"):
    application({"REQUEST_METHOD": "GET", "PATH_INFO": path, "SERVER_NAME": "localhost", "SERVER_PORT": "80",
        "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(), "HTTP_HOST": "localhost", "QUERY_STRING": "key=secret",
        "HTTP_X_REQUEST_ID": "request-1234"}, lambda *_: None).close()
for span in kept.get_finished_spans():
    print(span.name, span.attributes.get("latchkey.request_id"), span.to_json().replace("\\n", " "))
"""
    told = run(script, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1", OTEL_BSP_EXPORT_TIMEOUT="100").splitlines()
    assert len(told) == 2
    assert all("request-1234" in line and "secret" not in line for line in told)
