"""Addresses of the company's record."""

from django.urls import path, re_path

from portal.audit import views

urlpatterns = [
    path("c/<slug:slug>/audit/", views.audit, name="audit"),
    re_path(r"^c/(?P<slug>[-\w]+)/audit/export\.(?P<file_format>csv|json)$", views.export, name="audit_export"),
]
