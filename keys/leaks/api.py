"""The API for leaks: GitHub's secret scanning, and anybody who holds a whole token."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import orjson
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ParseError, Throttled
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from keys import tokens
from keys.api import problems
from keys.api.parsers import JSONObjectParser, TooLarge
from keys.api.throttling import MachineView, note_failure
from keys.api.verify import PROBLEMS, json_response
from keys.leaks import github, holders, limits
from keys.leaks.finding import find
from keys.leaks.models import Source
from keys.leaks.services import Incident, note_leak

MOST_BYTES: Final = 512 * 1024
MOST_REPORTED: Final = 500
THANKS: Final = (
    "Thank you. If this was a token of ours, its owner's rule decides what happens, and the owner is told. This answer "
    "is the same for every token."
)


class RawParser(BaseParser):
    """The body as it came: the signature is over its bytes."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """The bytes, at most MOST_BYTES."""
        body: bytes = stream.read(MOST_BYTES + 1)
        if len(body) > MOST_BYTES:
            raise TooLarge
        return body


class GithubReportSerializer(serializers.Serializer[Any]):
    """One hit of GitHub's secret scanning."""

    token = serializers.CharField(max_length=400)
    type = serializers.CharField(max_length=100, required=False, allow_blank=True)
    url = serializers.CharField(max_length=4000, required=False, allow_blank=True)
    source = serializers.CharField(max_length=100, required=False, allow_blank=True)  # type: ignore[assignment]


class GithubAnswerSerializer(serializers.Serializer[Any]):
    """Whether the hit was a token of ours. The hash is SHA-256, in hex."""

    token_hash = serializers.CharField()
    token_type = serializers.CharField()
    label = serializers.ChoiceField(["true_positive", "false_positive"])  # type: ignore[assignment]


class ReportSerializer(serializers.Serializer[Any]):
    """A whole token."""

    token = serializers.CharField(max_length=400)


class ThanksSerializer(serializers.Serializer[Any]):
    """The same for every token."""

    message = serializers.CharField()


@extend_schema(tags=["leaks"])
class GithubLeaksView(MachineView):
    """Reports of GitHub's secret scanning partner program."""

    parser_classes = (RawParser,)

    @extend_schema(
        operation_id="report_github_leaks",
        description="For GitHub's secret scanning. The signature is ECDSA P-256 with SHA-256 over the raw body. Sent "
        "again, a report changes nothing; tokens that are not ours do nothing.",
        parameters=[
            OpenApiParameter("Github-Public-Key-Identifier", str, OpenApiParameter.HEADER),
            OpenApiParameter("Github-Public-Key-Signature", str, OpenApiParameter.HEADER),
        ],
        request=GithubReportSerializer(many=True),
        responses={
            200: GithubAnswerSerializer(many=True),
            404: OpenApiResponse(description="No public keys are set up here."),
            **PROBLEMS,
        },
        auth=[],
    )
    def post(self, request: Request) -> HttpResponse:
        """Take a report."""
        if not github.is_set_up():
            raise NotFound("This portal takes no reports of GitHub: no public keys are set up.")
        body: Any = request.data
        if not isinstance(body, bytes):  # no body at all
            body = b""
        key_id = request.headers.get("Github-Public-Key-Identifier", "")
        if not github.is_genuine(body, key_id, request.headers.get("Github-Public-Key-Signature", "")):
            note_failure(request._request)
            return problems.problem(401, "The signature is not one of GitHub's over this body.", type_="bad-signature",
                                    headers={"WWW-Authenticate": "Github-Public-Key-Signature"})  # fmt: skip
        incident = Incident(Source.GITHUB)
        return json_response([_answered(hit, incident) for hit in _hits(body)])


@extend_schema(tags=["leaks"])
class ReportLeakView(MachineView):
    """Reports of anybody, without an account."""

    parser_classes = (JSONObjectParser,)

    @extend_schema(
        operation_id="report_leak",
        description="Have a token revoked that you found: a key, a server credential, a management token, or a token "
        "that an AI client got by OAuth. The whole value is the proof. Whether the token was known, good or revoked "
        "before is not told.",
        request=ReportSerializer,
        responses={202: ThanksSerializer, **PROBLEMS},
        auth=[],
    )
    def post(self, request: Request) -> HttpResponse:
        """Take a report."""
        if seconds := limits.wait(request._request):
            raise Throttled(wait=seconds)
        serializer = ReportSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        try:
            token = tokens.parse(serializer.validated_data["token"].strip())
        except tokens.MalformedToken:
            raise serializers.ValidationError(
                {"token": "This has not the form of a Latchkey token, or a character is wrong. Send all of it."}
            ) from None
        holders.report([token])
        response = json_response({"message": THANKS})
        response.status_code = 202
        return response


def _hits(body: bytes) -> list[dict[str, Any]]:
    try:
        hits = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ParseError("The body is not valid JSON.") from None
    if not isinstance(hits, list):
        raise ParseError("The body must be a JSON array.")
    if len(hits) > MOST_REPORTED:
        raise TooLarge(f"At most {MOST_REPORTED} tokens at a time.")
    serializer = GithubReportSerializer(data=hits, many=True)
    serializer.is_valid(raise_exception=True)
    return list(serializer.validated_data)


def _answered(hit: dict[str, Any], incident: Incident) -> dict[str, str]:
    text = hit["token"].strip()
    try:
        found = find(tokens.parse(text))
    except tokens.MalformedToken:
        found = None
    if found is not None:
        note_leak(found=found, source=Source.GITHUB, url=hit.get("url", ""), incident=incident)
    return {
        "token_hash": hashlib.sha256(text.encode()).hexdigest(),
        "token_type": hit.get("type", ""),
        "label": "true_positive" if found else "false_positive",
    }
