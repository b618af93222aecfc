"""Addresses of the card page."""

from __future__ import annotations

from django.urls import path

from portal.billing import views

urlpatterns = [path("c/<slug:slug>/card/", views.card, name="card")]
