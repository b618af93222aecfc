"""What oauthlib asks of us, on top of django-oauth-toolkit: connections, audiences, replay, and whom to tell."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final

from django.db import transaction
from django.utils import timezone
from oauth2_provider.models import get_refresh_token_model
from oauth2_provider.oauth2_validators import OAuth2Validator
from oauthlib.oauth2.rfc6749 import errors
from oauthlib.oauth2.rfc8628.grant_types import DeviceCodeGrant

from keys import scopes, tokens
from keys.oauth import assertions, connections, devices, machines, redirects, resources
from keys.oauth.backend import code_digest
from keys.oauth.client_secrets import is_secret
from keys.oauth.models import AccessValue, Approval, Connection, DeviceRequest
from keys.peppers import newest
from portal.audit.actors import SYSTEM
from portal.audit.services import record

OFFLINE: Final = "offline_access"  # every client gets a refresh token; asking for it is no mistake
DEVICE_CODE: Final = "urn:ietf:params:oauth:grant-type:device_code"
MACHINE: Final = "client_credentials"
GRANT_TYPES: Final = ("authorization_code", "refresh_token", DEVICE_CODE, MACHINE)


def grants_of(client: Any) -> frozenset[str]:
    """The grant types that `client` may use. What a person approves by redirect they may approve by a code too."""
    by_person = {"refresh_token", DEVICE_CODE}
    return {
        client.GRANT_AUTHORIZATION_CODE: frozenset({"authorization_code", *by_person}),
        client.GRANT_DEVICE_CODE: frozenset(by_person),
        client.GRANT_CLIENT_CREDENTIALS: frozenset({MACHINE}),
    }.get(client.authorization_grant_type, frozenset())


class Validator(OAuth2Validator):
    """django-oauth-toolkit's validator, with tokens that belong to a connection."""

    def _check_secret(self, provided_secret: str, stored: str) -> bool:
        return is_secret(provided_secret, stored)

    def client_authentication_required(self, request: Any, *args: Any, **kwargs: Any) -> bool:
        """Confidential clients always, and whoever sends an assertion."""
        return bool(getattr(request, "client_assertion", None)) or super().client_authentication_required(
            request, *args, **kwargs
        )

    def authenticate_client(self, request: Any, *args: Any, **kwargs: Any) -> bool:
        """Whether the client is who it says: by its secret, or by a signature of its own key (RFC 7523)."""
        kind, assertion = getattr(request, "client_assertion_type", ""), getattr(request, "client_assertion", "")
        if kind or assertion:
            client = assertions.client_of(kind or "", assertion or "")
            if client is None or request.client_id not in {None, "", client.client_id}:
                return False
            request.client, request.client_id = client, client.client_id
            return True
        return bool(super().authenticate_client(request, *args, **kwargs))

    def validate_grant_type(
        self, client_id: str, grant_type: str, client: Any, request: Any, *a: Any, **k: Any
    ) -> bool:
        """Whether the client may use this grant."""
        return grant_type in grants_of(client)

    def validate_scopes(self, client_id: str, scopes: list[str], client: Any, request: Any, *a: Any, **k: Any) -> bool:
        """Whether each is a scope at all; what the MCP server offers and the person grants is decided at consent.

        A machine asked nobody: it gets what it was made for, or less.
        """
        if not all(_is_scope(scope) for scope in scopes):
            return False
        return getattr(request, "grant_type", "") != MACHINE or machines.may_ask_for(client, scopes)

    def get_default_scopes(self, client_id: str, request: Any, *args: Any, **kwargs: Any) -> list[str]:
        """If a client asks for nothing in particular: read-only tools, or all that a machine was made for."""
        connection = machines.connection_of(request.client) if getattr(request, "grant_type", "") == MACHINE else None
        return list(connection.scopes) if connection else [scopes.READ]

    def validate_redirect_uri(self, client_id: str, redirect_uri: str, request: Any, *a: Any, **k: Any) -> bool:
        """Exactly one of the client's own (any port on loopback), and one that is safe at all."""
        return redirects.is_allowed(redirect_uri) and super().validate_redirect_uri(client_id, redirect_uri, request)

    def save_authorization_code(self, client_id: str, code: dict[str, Any], request: Any, *a: Any, **k: Any) -> None:
        """Store the code's digest, and which connection it is for (set by the consent page)."""
        digest = code_digest(code["code"])
        with transaction.atomic():
            self._create_authorization_code(request, code | {"code": digest})
            Approval.objects.create(connection=request.connection, code_digest=digest)

    def validate_code(self, client_id: str, code: str, client: Any, request: Any, *args: Any, **kwargs: Any) -> bool:
        """Whether the code is good. One that comes a second time ends the tokens that came of it (OAuth 2.1, 4.1.3)."""
        approval = _approvals().filter(code_digest=code, connection__client=client).first()
        if approval is None:
            return False
        if approval.redeemed_at is not None:
            connections.token_stolen(approval=approval, reason=connections.REPLAYED)
            return False
        return _may_go_on(approval.connection) and bool(super().validate_code(client_id, code, client, request))

    def validate_refresh_token(self, refresh_token: str, client: Any, request: Any, *args: Any, **kwargs: Any) -> bool:
        """Whether the token is good. One that was replaced already ends its whole family, and its person is told."""
        checksum = hashlib.sha256(refresh_token.encode()).hexdigest()
        model = get_refresh_token_model()
        found = model.objects.filter(token_checksum=checksum, application=client).order_by("pk").last()
        approval = _approvals().filter(token_family=found.token_family).first() if found else None
        if found is None or approval is None:
            return False
        family_lives = model.objects.filter(token_family=found.token_family, revoked=None).exists()
        if found.revoked is not None and family_lives:
            connections.token_stolen(approval=approval, reason=connections.REUSED)
            return False
        if not super().validate_refresh_token(refresh_token, client, request):
            return False
        return _may_go_on(approval.connection)

    def validate_device_code(self, client_id: str, device_code: str, request: Any, *args: Any, **kwargs: Any) -> Any:
        """What the person has decided about the device code (its digest), in oauthlib's words."""
        status, found = devices.poll(code_digest=device_code, client=request.client)
        if status != DeviceCodeGrant.DEVICE_CODE_AUTHORIZED or found is None:
            return status
        connection = found.connection
        if connection is None or not _may_go_on(connection):
            return DeviceCodeGrant.DEVICE_CODE_DENIED
        request.user, request.scopes = connection.user, list(connection.scopes)
        return status

    def _check_and_set_request_resource(self, request: Any) -> None:
        """The audience is the MCP server that was approved; `resource` may name it in any of its spellings."""
        asked_for = [value for name, value in (request.decoded_body or []) if name == "resource"]
        server = request.connection.server
        if any(not resources.names(server, asked) for asked in asked_for):
            raise errors.CustomOAuth2Error(
                error="invalid_target", description="The token is for another resource.", request=request
            )
        request.resource = [server.url]

    def _save_bearer_token(self, token: dict[str, Any], request: Any, *args: Any, **kwargs: Any) -> None:
        """In the transaction of django-oauth-toolkit: one code and one refresh token give tokens once."""
        request.connection, request.approval = _GIVEN_FOR[request.grant_type](request)
        super()._save_bearer_token(token, request, *args, **kwargs)
        if request.grant_type == "refresh_token":
            connections.forget([request.connection])  # the access token that was replaced

    def _create_access_token(self, expires: Any, request: Any, token: Any, source_refresh_token: Any = None) -> Any:
        made = super()._create_access_token(expires, request, token, source_refresh_token)
        value = tokens.parse(token["access_token"])
        pepper_id, pepper = newest()
        AccessValue.objects.create(
            id=value.id,
            connection=request.connection,
            access_token=made,
            digest=tokens.digest(value.text, pepper),
            pepper=pepper_id,
            scopes=scopes.normalize(token["scope"].split()),
            expires_at=expires,
        )
        return made

    def _create_refresh_token(self, request: Any, code: str, access_token: Any, previous: Any) -> Any:
        made = super()._create_refresh_token(request, code, access_token, previous)
        if request.approval.token_family is None:
            request.approval.token_family = made.token_family
            request.approval.save(update_fields=["token_family"])
        return made

    @transaction.atomic
    def revoke_token(self, token: str, token_type_hint: str, request: Any, *args: Any, **kwargs: Any) -> None:
        """End the token and what belongs to it (RFC 7009), for verifiers too."""
        connection = _connection_of(token, request.client)
        super().revoke_token(token, token_type_hint, request)
        if connection is not None:
            record(
                "connection:signed_out", actor=SYSTEM, company=connection.company_id,
                target=connections.target(connection),
            )  # fmt: skip
            connections.forget([connection])


def _approvals() -> Any:
    return Approval.objects.select_related("connection__company", "connection__server", "connection__user")


def _for_code(request: Any) -> tuple[Connection, Approval]:
    approval = _approvals().select_for_update(of=("self",)).filter(code_digest=request.code).first()
    if approval is None or approval.redeemed_at is not None:
        raise errors.InvalidGrantError(request=request)
    approval.redeemed_at = timezone.now()
    approval.save(update_fields=["redeemed_at"])
    return approval.connection, approval


def _for_refresh_token(request: Any) -> tuple[Connection, Approval]:
    instance = request.refresh_token_instance
    found = _approvals().select_for_update(of=("self",)).filter(token_family=instance.token_family).first()
    still = get_refresh_token_model().objects.select_for_update().filter(pk=instance.pk, revoked=None).exists()
    if found is None or not still:
        raise errors.InvalidGrantError(request=request)
    return found.connection, found


def _for_device_code(request: Any) -> tuple[Connection, Approval]:
    waiting = DeviceRequest.objects.select_for_update(of=("self",)).select_related("connection__server")
    found = waiting.filter(code_digest=request.device_code, client=request.client, redeemed_at=None).first()
    if found is None or found.connection is None:
        raise errors.InvalidGrantError(request=request)
    now = timezone.now()
    found.redeemed_at = now
    found.save(update_fields=["redeemed_at"])
    made = Approval.objects.create(connection=found.connection, code_digest=found.code_digest, redeemed_at=now)
    return found.connection, made


def _for_machine(request: Any) -> tuple[Connection, None]:
    connection = machines.connection_of(request.client)
    if connection is None or not _may_go_on(connection):
        raise errors.InvalidClientError(request=request)
    return connection, None


_GIVEN_FOR: Final[dict[str, Callable[[Any], tuple[Connection, Approval | None]]]] = {
    "authorization_code": _for_code,
    "refresh_token": _for_refresh_token,
    DEVICE_CODE: _for_device_code,
    MACHINE: _for_machine,
}


def _connection_of(token: str, client: Any) -> Connection | None:
    """The connection of a live token of `client`."""
    checksum = hashlib.sha256(token.encode()).hexdigest()
    found = Connection.objects.filter(values__access_token__token_checksum=checksum, client=client).first()
    if found is None:
        refresh = get_refresh_token_model().objects.filter(token_checksum=checksum, revoked=None, application=client)
        family = refresh.values_list("token_family", flat=True).first()
        found = Connection.objects.filter(approvals__token_family=family).first() if family else None
    return found


def _may_go_on(connection: Connection) -> bool:
    """Whether new tokens may be given out: it is in force, the company is active, and the person still a member."""
    return (
        connection.is_usable
        and connection.company.is_active
        and connection.user.is_active
        and connection.company.memberships.filter(user=connection.user_id).exists()
    )


def _is_scope(scope: str) -> bool:
    if scope == OFFLINE:
        return True
    try:
        scopes.normalize([scope])
    except scopes.InvalidScope:
        return False
    return True
