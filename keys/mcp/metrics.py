"""Figures of this process for Prometheus, at `/metrics` for who knows the token. Without a token there are none."""

from __future__ import annotations

from collections.abc import Iterable
from secrets import compare_digest
from typing import TYPE_CHECKING

from latchkey import AsyncVerifier
from latchkey.store import Name
from latchkey.verdicts import Verdict
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.types import Scope

_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Meter:
    """What one application counts."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._registry = CollectorRegistry()
        self._requests = Histogram(
            "latchkey_mcp_request_seconds", "Requests to the MCP server and how long each took, by status", ["status"],
            buckets=_BUCKETS, registry=self._registry,
        )  # fmt: skip
        self._questions = Counter(
            "latchkey_mcp_questions_total",
            "Questions about keys, answered from the verifier's memory or by asking the portal",
            ["by"],
            registry=self._registry,
        )

    def request(self, scope: Scope, status: int, seconds: float) -> None:
        """Count one request; those for health and for these figures are none that count."""
        if not scope["path"].endswith(("/health", "/metrics")):
            self._requests.labels(str(status)).observe(seconds)

    def question(self, from_memory: bool) -> None:
        """Count one question about a key."""
        self._questions.labels("memory" if from_memory else "portal").inc()

    def routes(self) -> Iterable[Route]:
        """The address of the figures; none without a token."""
        return [Route("/metrics", self._answer)] if self._token else []

    async def _answer(self, request: Request) -> Response:
        given = request.headers.get("authorization", "").encode()
        if not compare_digest(given, f"Bearer {self._token}".encode()):
            return PlainTextResponse("Not found", 404)
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)


class CountingVerifier(AsyncVerifier):
    """The verifier, which tells `meter` how often its memory sufficed."""

    meter: Meter

    def _reset(self) -> None:
        super()._reset()
        remembered = self._get

        def get(name: Name) -> Verdict | None:
            verdict = remembered(name)
            self.meter.question(verdict is not None)
            return verdict

        self._get = get
