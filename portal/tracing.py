"""Traces by OpenTelemetry, only where OTEL_EXPORTER_OTLP_ENDPOINT is set. The packages are not imported otherwise.

Each request and each task is a span, with the request's id. Addresses lose their query, texts their secrets. How
much is traced and where it goes is said with OpenTelemetry's own variables, such as OTEL_TRACES_SAMPLER.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from portal.logs import redact

_ADDRESSES = frozenset({"http.url", "http.target", "url.full", "url.query"})


def start() -> None:
    """Begin to trace, if an endpoint is set. Before the middleware is loaded, to which this adds its own."""
    if settings.TRACES_TO:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        begin(OTLPSpanExporter())


def begin(exporter: Any) -> None:
    """Trace requests and tasks, and send the spans to `exporter`, cleaned."""
    from opentelemetry import trace
    from opentelemetry.instrumentation.celery import CeleryInstrumentor
    from opentelemetry.instrumentation.django import DjangoInstrumentor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create({"service.name": "latchkey", "service.version": settings.VERSION})
    provider = TracerProvider(resource=resource)
    # Its sending thread starts again in a forked worker: the SDK sees to that itself.
    provider.add_span_processor(BatchSpanProcessor(cleaned(exporter)))
    trace.set_tracer_provider(provider)
    before = set(settings.MIDDLEWARE)
    DjangoInstrumentor().instrument(response_hook=_name_request)
    # The API's handler has a list of its own (portal/wsgi.py).
    settings.MACHINE_MIDDLEWARE[:0] = [name for name in settings.MIDDLEWARE if name not in before]
    CeleryInstrumentor().instrument()


def cleaned(exporter: Any) -> Any:
    """`exporter`, which gets spans whose texts are redacted and whose addresses have no query."""
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class Cleaned(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            """Send copies: a span that ended cannot be changed."""
            return exporter.export([self._copy(span) for span in spans])

        def shutdown(self) -> None:
            """End."""
            exporter.shutdown()

        def force_flush(self, timeout_millis: int = 30000) -> bool:
            """Send what waits."""
            return bool(exporter.force_flush(timeout_millis))

        @staticmethod
        def _copy(span: Any) -> ReadableSpan:
            return ReadableSpan(
                name=redact(span.name),
                context=span.context,
                parent=span.parent,
                resource=span.resource,
                attributes=_clean(span.attributes),
                events=[Event(event.name, _clean(event.attributes), event.timestamp) for event in span.events],
                links=span.links,
                kind=span.kind,
                status=type(span.status)(span.status.status_code, redact(span.status.description or "") or None),
                start_time=span.start_time,
                end_time=span.end_time,
                instrumentation_scope=span.instrumentation_scope,
            )

    return Cleaned()


def _clean(attributes: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in (attributes or {}).items():
        if name in _ADDRESSES:
            value = "" if name == "url.query" else urlsplit(str(value))._replace(query="", fragment="").geturl()
        found[name] = redact(value) if isinstance(value, str) else value
    return found


def _name_request(span: Any, request: Any, response: Any) -> None:
    """The id is known once our own middleware, which stands further in, gave it."""
    if span.is_recording():
        span.set_attribute("latchkey.request_id", getattr(request, "request_id", ""))
