"""Addresses of the key pages, under /c/<slug>/keys/."""

from django.urls import path

from keys.trying import views as trying_views
from keys.views import editing, ending, looking, making

app_name = "keys"
urlpatterns = [
    path("", looking.key_list, name="list"),
    path("new/", making.new, name="new"),
    path("revoke/", ending.revoke_many, name="revoke_many"),
    path("<str:key_id>/", looking.detail, name="detail"),
    path("<str:key_id>/edit/", editing.edit, name="edit"),
    path("<str:key_id>/test/", trying_views.test_key, name="test"),
    path("<str:key_id>/first-call/", trying_views.first_call, name="first_call"),
    path("<str:key_id>/rotate/", making.rotate, name="rotate"),
    path("<str:key_id>/end-overlap/", ending.end_overlap, name="end_overlap"),
    path("<str:key_id>/revoke/", ending.revoke, name="revoke"),
]
