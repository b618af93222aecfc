"""Addresses of the key pages, under /c/<slug>/keys/."""

from django.urls import path

from keys import editing_views, ending_views, making_views, views
from keys.trying import views as trying_views

app_name = "keys"
urlpatterns = [
    path("", views.key_list, name="list"),
    path("new/", making_views.new, name="new"),
    path("revoke/", ending_views.revoke_many, name="revoke_many"),
    path("<str:key_id>/", views.detail, name="detail"),
    path("<str:key_id>/edit/", editing_views.edit, name="edit"),
    path("<str:key_id>/test/", trying_views.test_key, name="test"),
    path("<str:key_id>/first-call/", trying_views.first_call, name="first_call"),
    path("<str:key_id>/rotate/", making_views.rotate, name="rotate"),
    path("<str:key_id>/end-overlap/", ending_views.end_overlap, name="end_overlap"),
    path("<str:key_id>/revoke/", ending_views.revoke, name="revoke"),
]
