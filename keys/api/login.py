"""POST /api/v1/login: GrowERP's sign-in, for the portal's own MCP server alone."""

from __future__ import annotations

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from keys.api.authentication import ServerCredentialAuthentication
from keys.api.parsers import JSONObjectParser
from keys.api.permissions import IsPortalServer
from keys.api.problems import problem
from keys.api.serializers import LoginResultSerializer, LoginSerializer
from keys.api.throttling import MachineView
from keys.api.verify import PROBLEMS, json_response
from keys.models import McpServer
from keys.password_login import LoginFailed, LoginThrottled, log_in
from portal.addresses import normalize_address


@extend_schema(tags=["portal server"])
class LoginView(MachineView):
    """Sign-in by username and password."""

    authentication_classes = (ServerCredentialAuthentication,)
    permission_classes = (IsPortalServer,)
    parser_classes = (JSONObjectParser,)

    @extend_schema(
        operation_id="login",
        description="Signs a person in and gives a named key that lives 7 days; a new sign-in of the same user and "
        "client replaces it. 401-like refusals of the person have status 403 and type `login-failed`.",
        request=LoginSerializer,
        responses={200: LoginResultSerializer, 403: PROBLEMS[401], 422: PROBLEMS[400], **PROBLEMS},
    )
    def post(self, request: Request) -> HttpResponse:
        """Sign in."""
        serializer = LoginSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        data = serializer.validated_data
        address = normalize_address(request.headers.get("X-Client-Address", ""))
        try:
            key, token = log_in(
                server=McpServer.objects.get(pk=request.user.pk),
                username=data["username"],
                password=data["password"],
                client=data.get("client", ""),
                address=address,
            )
        except LoginFailed:
            return problem(403, "The username or the password is wrong.", type_="login-failed")
        except LoginThrottled as error:
            return problem(
                429,
                "Too many failed attempts. Wait, or reset the password in the portal.",
                type_="login-throttled",
                headers={"Retry-After": str(error.seconds)},
            )
        return json_response(
            {
                "key": token.text,
                "key_id": key.pk,
                "user": {"id": key.user_id, "name": key.user.name, "email": key.user.email},
                "company": {"id": key.company_id, "name": key.company.name, "slug": key.company.slug},
                "expires_at": key.expires_at.isoformat() if key.expires_at else None,
            }
        )
