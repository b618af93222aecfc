"""Addresses of the authorization server. The metadata has to stand at the root (RFC 8414, section 3)."""

from django.urls import path

from keys.oauth import device_views, grant, introspection, metadata, registration, views

app_name = "oauth"
urlpatterns = [
    path(".well-known/oauth-authorization-server", metadata.authorization_server, name="metadata"),
    path(".well-known/openid-configuration", metadata.openid_configuration, name="openid_metadata"),
    path("oauth/jwks", metadata.jwks, name="jwks"),
    path("oauth/authorize", views.authorize, name="authorize"),
    path("oauth/device_authorization", device_views.authorization, name="device_authorization"),
    path("oauth/device", device_views.device, name="device"),
    path("oauth/device/consent", device_views.consent, name="device_consent"),
    path("oauth/grant/<str:key_id>", grant.grant, name="grant"),
    path("oauth/token", views.token, name="token"),
    path("oauth/register", registration.register, name="register"),
    path("oauth/revoke", views.revoke, name="revoke"),
    path("oauth/introspect", introspection.introspect, name="introspect"),
]
