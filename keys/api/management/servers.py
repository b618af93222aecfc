"""/api/v1/servers: the MCP servers that a company can make keys for, and its own ones with their credentials."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from keys.api.management.base import PAGING, ManagementView, actor_of, caller_of, iso, page_of, with_etag
from keys.api.management.idempotency import HEADER as IDEMPOTENCY_KEY
from keys.api.management.idempotency import Made, once
from keys.api.management.keys import _ERRORS, _WITH_MISSING
from keys.api.management.serializers import (
    CredentialSerializer,
    CredentialsSerializer,
    NewCredentialSerializer,
    NewServerSerializer,
    ReasonSerializer,
    ServerPageSerializer,
    ServerSerializer,
    server_json,
)
from keys.api.verify import PROBLEMS, json_response
from keys.models import ManagementScope, McpServer, ServerCredential
from keys.selectors import visible_servers
from keys.servers import services as servers

_READ, _WRITE = ManagementScope.SERVERS_READ.value, ManagementScope.SERVERS_WRITE.value


@extend_schema(tags=["servers"])
class ServersView(ManagementView):
    """MCP servers."""

    scopes = {"GET": _READ, "POST": _WRITE}

    @extend_schema(
        operation_id="list_servers",
        description="Everyone's MCP servers and the company's own.",
        parameters=PAGING,
        responses={200: ServerPageSerializer, **_ERRORS},
    )
    def get(self, request: Request) -> HttpResponse:
        """List."""
        found, following = page_of(request, visible_servers(caller_of(request).company))
        return json_response({"results": [server_json(server) for server in found], "next": following})

    @extend_schema(
        operation_id="register_server",
        description="Registers an MCP server for the company alone. Send an `Idempotency-Key`: asked again with it, "
        "the first server comes back with status 200.",
        parameters=[IDEMPOTENCY_KEY],
        request=NewServerSerializer,
        responses={201: ServerSerializer, 200: ServerSerializer, **_WITH_MISSING, 409: PROBLEMS[400]},
    )
    def post(self, request: Request) -> HttpResponse:
        """Register."""
        serializer = NewServerSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        company = caller_of(request).company

        def make() -> Made:
            server = servers.register_server(company=company, actor=actor_of(request), **serializer.validated_data)
            return server.pk, server_json(server)

        def made_before(server_id: str) -> dict[str, Any] | None:
            found = company.servers.filter(pk=server_id).first()
            return server_json(found) if found else None

        try:
            return once(request, make=make, made_before=made_before)
        except DjangoValidationError as error:
            raise ValidationError(error.message_dict) from None


class OwnServerView(ManagementView):
    """Base of the views of a company's own server."""

    def server(self, request: Request, server_id: str) -> McpServer:
        """The company's own server `server_id`. Raises Http404: everyone's servers are the operator's."""
        found: McpServer | None = caller_of(request).company.servers.filter(pk=server_id, archived_at=None).first()
        if found is None:
            raise Http404
        return found


@extend_schema(tags=["servers"])
class ServerView(ManagementView):
    """One MCP server."""

    scopes = {"GET": _READ}

    @extend_schema(
        operation_id="get_server", description="One MCP server.", responses={200: ServerSerializer, **_WITH_MISSING}
    )
    def get(self, request: Request, server_id: str) -> HttpResponse:
        """Show."""
        found = visible_servers(caller_of(request).company).filter(pk=server_id).first()
        if found is None:
            raise Http404
        return with_etag(server_json(found))


@extend_schema(tags=["servers"])
class CredentialsView(OwnServerView):
    """Credentials of the company's own server."""

    scopes = {"GET": _READ, "POST": _WRITE}

    @extend_schema(
        operation_id="list_credentials",
        description="The credentials of the company's own MCP server.",
        responses={200: CredentialsSerializer, **_WITH_MISSING},
    )
    def get(self, request: Request, server_id: str) -> HttpResponse:
        """List."""
        found = self.server(request, server_id).credentials.order_by("-created_at")[:100]
        return json_response({"results": [credential_json(credential) for credential in found]})

    @extend_schema(
        operation_id="create_credential",
        description="Makes a credential with which the server calls the verify API; `value` is shown this once. Send "
        "an `Idempotency-Key`: asked again with it, the first credential comes back with status 200 and without its "
        "value.",
        parameters=[IDEMPOTENCY_KEY],
        request=NewCredentialSerializer,
        responses={201: CredentialSerializer, 200: CredentialSerializer, **_WITH_MISSING, 409: PROBLEMS[400]},
    )
    def post(self, request: Request, server_id: str) -> HttpResponse:
        """Create."""
        serializer = NewCredentialSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        server = self.server(request, server_id)

        def make() -> Made:
            credential, token = servers.create_credential(
                server=server,
                name=serializer.validated_data["name"],
                actor=actor_of(request),
                created_by=caller_of(request).membership.user,
            )
            return credential.pk, credential_json(credential) | {"value": token.text}

        def made_before(credential_id: str) -> dict[str, Any] | None:
            found = server.credentials.filter(pk=credential_id).first()
            return credential_json(found) | {"value": None} if found else None

        return once(request, make=make, made_before=made_before)


@extend_schema(tags=["servers"])
class RevokeCredentialView(OwnServerView):
    """Revocation of a credential."""

    scopes = {"POST": _WRITE}

    @extend_schema(
        operation_id="revoke_credential",
        description="Refuses the credential from now on. Safe to repeat.",
        request=ReasonSerializer,
        responses={200: CredentialSerializer, **_WITH_MISSING, 400: PROBLEMS[400]},
    )
    def post(self, request: Request, server_id: str, credential_id: str) -> HttpResponse:
        """Revoke."""
        serializer = ReasonSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        credential = self.server(request, server_id).credentials.filter(pk=credential_id).first()
        if credential is None:
            raise Http404
        revoked = servers.revoke_credential(
            credential=credential, reason=serializer.validated_data["reason"], actor=actor_of(request)
        )
        return with_etag(credential_json(revoked))


def credential_json(credential: ServerCredential) -> dict[str, Any]:
    """`credential` as CredentialSerializer describes it, without its value."""
    return {
        "id": credential.pk,
        "name": credential.name,
        "hint": credential.hint,
        "state": credential.state.value,
        "created_at": iso(credential.created_at),
        "last_used_at": iso(credential.last_used_at),
    }
