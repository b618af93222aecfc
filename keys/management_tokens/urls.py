"""Addresses of the pages of management tokens, under /c/<slug>/tokens/."""

from django.urls import path

from keys.management_tokens import views

app_name = "tokens"
urlpatterns = [
    path("", views.token_list, name="list"),
    path("new/", views.token_new, name="new"),
    path("<str:token_id>/revoke/", views.token_revoke, name="revoke"),
]
