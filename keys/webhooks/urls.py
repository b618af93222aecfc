"""Addresses of a company's webhook pages, below /c/<slug>/webhooks/."""

from django.urls import path

from keys.webhooks import views

app_name = "webhooks"

urlpatterns = [
    path("", views.endpoint_list, name="list"),
    path("new/", views.endpoint_new, name="new"),
    path("<str:endpoint_id>/", views.endpoint_detail, name="detail"),
    path("<str:endpoint_id>/edit/", views.endpoint_edit, name="edit"),
    path("<str:endpoint_id>/secret/", views.endpoint_rotate, name="rotate"),
    path("<str:endpoint_id>/delete/", views.endpoint_delete, name="delete"),
    path("<str:endpoint_id>/test/", views.endpoint_test, name="test"),
    path("<str:endpoint_id>/on/", views.endpoint_on, name="on"),
    path("<str:endpoint_id>/off/", views.endpoint_off, name="off"),
    path("<str:endpoint_id>/replay/", views.endpoint_replay, name="replay_failed"),
    path("<str:endpoint_id>/deliveries/<str:delivery_id>/", views.delivery_detail, name="delivery"),
    path("<str:endpoint_id>/deliveries/<str:delivery_id>/replay/", views.delivery_replay, name="replay"),
]
