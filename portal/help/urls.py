"""Addresses of the documents."""

from __future__ import annotations

from django.urls import path, re_path

from portal.help import views

app_name = "help"
urlpatterns = [
    path("", views.index, name="index"),
    path("search/", views.find, name="search"),
    re_path(r"^(?P<name>[a-z0-9-]+(?:/[a-z0-9-]+)?)/$", views.page, name="page"),
]
