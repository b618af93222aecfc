"""Addresses of a company's usage pages, under /c/<slug>/usage/."""

from django.urls import path

from keys.usage import views

urlpatterns = [
    path("", views.usage, name="usage"),
    path("export.csv", views.export, name="usage_export"),
]
