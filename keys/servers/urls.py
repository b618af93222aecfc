"""Addresses of the pages of MCP servers, under /c/<slug>/servers/."""

from django.urls import path

from keys.servers import views
from keys.trying.views import check_server

app_name = "servers"
urlpatterns = [
    path("", views.server_list, name="list"),
    path("new/", views.server_new, name="new"),
    path("<str:server_id>/", views.server_detail, name="detail"),
    path("<str:server_id>/check/", check_server, name="check"),
    path("<str:server_id>/edit/", views.server_edit, name="edit"),
    path("<str:server_id>/credentials/new/", views.credential_new, name="credential_new"),
    path("<str:server_id>/credentials/<str:credential_id>/rotate/", views.credential_rotate, name="credential_rotate"),
    path("<str:server_id>/credentials/<str:credential_id>/revoke/", views.credential_revoke, name="credential_revoke"),
]
