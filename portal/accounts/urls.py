"""Addresses of accounts: the portal's own page, and allauth's."""

from __future__ import annotations

from django.urls import include, path

from portal.accounts import views

urlpatterns = [
    path("account/", views.account, name="account"),
    path("account/sign-ins/", views.sign_in_list, name="sign_ins"),
    path("account/sessions/<int:session_id>/end/", views.end_session, name="end_session"),
    path("language/", views.language, name="language"),
    path("account/delete/", views.delete, name="account_delete"),
    path("accounts/", include("allauth.urls")),
]
