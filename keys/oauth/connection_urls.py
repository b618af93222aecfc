"""Addresses of the connection pages, under /c/<slug>/connections/."""

from django.urls import path

from keys.oauth import machine_pages, pages

app_name = "connections"
urlpatterns = [
    path("", pages.connection_list, name="list"),
    path("machines/new/", machine_pages.new, name="machine_new"),
    path("<str:connection_id>/", pages.detail, name="detail"),
    path("<str:connection_id>/revoke/", pages.revoke, name="revoke"),
]
