"""POST /api/v1/keys/verify: the hot path over HTTP."""

from __future__ import annotations

import math
import time
from datetime import datetime
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.request import Request
from rest_framework.views import APIView

from keys import verification
from keys.api import problems, throttling
from keys.api.authentication import ServerCredentialAuthentication, bearer
from keys.api.parsers import MOST_BYTES_BATCH, JSONObjectParser, read_json
from keys.api.permissions import IsServer
from keys.api.serializers import (
    CODES,
    BatchSerializer,
    ProblemSerializer,
    QuestionSerializer,
    VerdictSerializer,
    VerdictsSerializer,
)
from keys.api.throttling import MachineView
from keys.batch import verify_many
from keys.records import DatabaseAway
from keys.verification import NotAuthenticated, Question
from portal.addresses import normalize_address

PROBLEMS = {
    code: OpenApiResponse(ProblemSerializer, description)
    for code, description in {
        400: "The body is not as described.",
        401: "The caller's own credential is missing or not good.",
        413: "The body is too large.",
        415: "The body is not `application/json`.",
        429: "Too many requests with bad credentials from this address.",
        503: "The database does not answer; see `Retry-After`.",
    }.items()
}
_TEXT_FIELDS = {"tool": 128, "client": 80}


def read_question(data: Any) -> Question:
    """`data` as a question. By hand, since a serializer costs more than the verdict; raises ValidationError."""
    if not isinstance(data, dict):
        raise ValidationError({"key": "Each item must be an object."})
    key = data.get("key")
    if not isinstance(key, str) or not 0 < len(key) <= 512:
        raise ValidationError({"key": "Send the key as text of 1 to 512 characters."})
    for field, most in _TEXT_FIELDS.items():
        value = data.get(field)
        if value is not None and (not isinstance(value, str) or len(value) > most or not value.isprintable()):
            raise ValidationError({field: f"Send text of at most {most} characters, or leave it out."})
    address = data.get("client_ip")
    if address is not None:
        address = normalize_address(address) if isinstance(address, str) else None
        if address is None:
            raise ValidationError({"client_ip": "Send an IPv4 or IPv6 address, or leave it out."})
    return Question(key, data.get("tool"), address, data.get("client") or "")


def json_response(value: Any) -> HttpResponse:
    """`value` as JSON that nobody keeps."""
    response = HttpResponse(orjson.dumps(value), content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response


def with_limit(response: HttpResponse, verdict: dict[str, Any]) -> HttpResponse:
    """Say the key's limit in headers too, to be passed on (IETF draft-ietf-httpapi-ratelimit-headers)."""
    if limit := verdict.get("rate_limit"):
        left = datetime.fromisoformat(limit["reset_at"]).timestamp() - time.time()
        response.headers["RateLimit-Policy"] = f'"key";q={limit["limit"]}'
        response.headers["RateLimit"] = f'"key";r={limit["remaining"]};t={max(1, math.ceil(left))}'
    return response


@extend_schema(tags=["verification"])
class VerifyView(APIView):
    """Is this key good for this?"""

    authentication_classes = (ServerCredentialAuthentication,)
    parser_classes = (JSONObjectParser,)

    @extend_schema(
        operation_id="verify_key",
        description="Whether a key is good for the MCP server that asks. Always 200 for a verdict, good or bad. "
        "`RateLimit` and `RateLimit-Policy` say the key's limit as `rate_limit` does.\n\n" + CODES,
        request=QuestionSerializer,
        responses={200: VerdictSerializer, **PROBLEMS},
    )
    def post(self, request: Request) -> HttpResponse:
        """Answer one question."""
        return self.answer(request._request)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """DRF's dispatch without what this view does not use: negotiation, user, versioning, renderer."""
        if request.method != "POST":
            return super().dispatch(request, *args, **kwargs)  # type: ignore[return-value]
        return self.answer(request)

    def answer(self, request: HttpRequest) -> HttpResponse:
        """The verdict, or a problem document about the request itself."""
        if refusal := throttling.refuse(request):
            return refusal
        try:
            credential = bearer(request)
            if not credential:
                return problems.not_authenticated()
            if request.content_type != "application/json":
                return problems.problem(415, "Send the body as application/json.")
            question = read_question(read_json(request.body))
            verdict = verification.verify(credential, question, request_id=request.request_id)  # type: ignore[attr-defined]
            return with_limit(json_response(verdict), verdict)
        except NotAuthenticated as error:
            throttling.note_failure(request)
            return problems.exception_handler(error, {})
        except (DatabaseAway, APIException) as error:
            return problems.exception_handler(error, {"view": self})


@extend_schema(tags=["verification"])
class VerifyBatchView(MachineView):
    """Up to 100 questions in one request."""

    authentication_classes = (ServerCredentialAuthentication,)
    permission_classes = (IsServer,)
    parser_classes = (JSONObjectParser,)
    most_bytes = MOST_BYTES_BATCH

    @extend_schema(
        operation_id="verify_keys",
        description="A verdict for each of up to 100 questions, in their order. Each counts towards its key's limit.",
        request=BatchSerializer,
        responses={200: VerdictsSerializer, **PROBLEMS},
    )
    def post(self, request: Any) -> HttpResponse:
        """Answer them all."""
        items = request.data.get("items")
        if not isinstance(items, list) or not 1 <= len(items) <= 100:
            raise ValidationError({"items": "Send a list of 1 to 100 questions."})
        questions = [read_question(item) for item in items]
        results = verify_many(request.auth, bearer(request._request), questions, request_id=request._request.request_id)
        return json_response({"results": results})
