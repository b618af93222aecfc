"""What an MCP server's verifier asks besides verdicts: the revocation feed, and reports of what its cache answered."""

from __future__ import annotations

from datetime import timedelta

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from keys import feed, polls
from keys.api.authentication import ServerCredentialAuthentication, server_of
from keys.api.parsers import MOST_BYTES_BATCH, JSONObjectParser
from keys.api.permissions import IsServer
from keys.api.serializers import FeedSerializer, UsageReportSerializer
from keys.api.throttling import MachineView
from keys.api.verify import PROBLEMS, json_response
from keys.oauth.records import fetch_connections
from keys.records import fetch_keys
from keys.usage.services import report

POLL_SECONDS = 0.5


@extend_schema(tags=["verification"])
class RevocationsView(MachineView):
    """The invalidation feed."""

    authentication_classes = (ServerCredentialAuthentication,)
    permission_classes = (IsServer,)

    @extend_schema(
        operation_id="revocations",
        description="What to forget since the cursor `after`: keys that were revoked, rotated out or changed, "
        "companies that were suspended. Without `after`: the present cursor. Poll it twice a second with "
        "`If-None-Match`; nothing new is `304`.",
        parameters=[OpenApiParameter("after", str, description="The `cursor` of the last answer.")],
        responses={200: FeedSerializer, 304: None, **{code: PROBLEMS[code] for code in (401, 429, 503)}},
    )
    def get(self, request: Request) -> HttpResponse:
        """One part of the feed."""
        server_id = server_of(request).server_id
        page = feed.read(server_id, request.query_params.get("after"))
        polls.note(server_id, page.cursor)
        etag = f'"{page.cursor}"'
        if not page.events and request.headers.get("If-None-Match") == etag:
            response = HttpResponse(status=304)
        else:
            response = json_response({"cursor": page.cursor, "events": page.events, "poll_seconds": POLL_SECONDS})
        response.headers["ETag"] = etag
        response.headers["Cache-Control"] = "no-cache"
        return response


@extend_schema(tags=["verification"])
class UsageReportView(MachineView):
    """Calls that a verifier answered from its own cache: so that limits and usage stay right."""

    authentication_classes = (ServerCredentialAuthentication,)
    permission_classes = (IsServer,)
    parser_classes = (JSONObjectParser,)
    most_bytes = MOST_BYTES_BATCH

    @extend_schema(
        operation_id="report_usage",
        description="Counted once for its `id`, however often it is sent. Keys of other servers are passed over.",
        request=UsageReportSerializer,
        responses={202: None, **PROBLEMS},
    )
    def post(self, request: Request) -> HttpResponse:
        """Take a report."""
        serializer = UsageReportSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        server = server_of(request).server_id
        items = serializer.validated_data["items"]
        ids = sorted({item["key_id"] for item in items})
        records = fetch_connections(ids) | fetch_keys(ids)
        now = timezone.now()
        known = []
        for item in items:
            record = records.get(item["key_id"])
            if record is not None and record.server_id == server:
                at = min(max(item.get("at") or now, now - timedelta(days=1)), now)
                known.append((record, item, at))
        report(server, f"{server}:{serializer.validated_data['id'].hex}", known)
        return HttpResponse(status=202)
