"""Addresses of the key pages, under /c/<slug>/keys/."""

from django.urls import path

from keys import views

app_name = "keys"
urlpatterns = [
    path("", views.key_list, name="list"),
    path("new/", views.new, name="new"),
    path("<str:key_id>/", views.detail, name="detail"),
    path("<str:key_id>/edit/", views.edit, name="edit"),
    path("<str:key_id>/rotate/", views.rotate, name="rotate"),
    path("<str:key_id>/end-overlap/", views.end_overlap, name="end_overlap"),
    path("<str:key_id>/revoke/", views.revoke, name="revoke"),
]
