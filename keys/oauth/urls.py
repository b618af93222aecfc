"""Addresses of the authorization server. The metadata has to stand at the root (RFC 8414, section 3)."""

from django.urls import path

from keys.oauth import grant, introspection, metadata, registration
from keys.oauth.views import devices, endpoints

app_name = "oauth"
urlpatterns = [
    path(".well-known/oauth-authorization-server", metadata.authorization_server, name="metadata"),
    path(".well-known/openid-configuration", metadata.openid_configuration, name="openid_metadata"),
    path("oauth/jwks", metadata.jwks, name="jwks"),
    path("oauth/authorize", endpoints.authorize, name="authorize"),
    path("oauth/device_authorization", devices.authorization, name="device_authorization"),
    path("oauth/device", devices.device, name="device"),
    path("oauth/device/consent", devices.consent, name="device_consent"),
    path("oauth/grant/<str:key_id>", grant.grant, name="grant"),
    path("oauth/token", endpoints.token, name="token"),
    path("oauth/register", registration.register, name="register"),
    path("oauth/revoke", endpoints.revoke, name="revoke"),
    path("oauth/introspect", introspection.introspect, name="introspect"),
]
