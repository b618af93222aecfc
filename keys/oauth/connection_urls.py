"""Addresses of the connection pages, under /c/<slug>/connections/."""

from django.urls import path

from keys.oauth.views import connections, machines

app_name = "connections"
urlpatterns = [
    path("", connections.connection_list, name="list"),
    path("machines/new/", machines.new, name="machine_new"),
    path("<str:connection_id>/", connections.detail, name="detail"),
    path("<str:connection_id>/revoke/", connections.revoke, name="revoke"),
]
