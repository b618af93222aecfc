"""Addresses of the company pages."""

from __future__ import annotations

from django.urls import path

from portal.companies import views

urlpatterns = [
    path("home/", views.home, name="home"),
    path("companies/new/", views.new_company, name="new_company"),
    path("c/<slug:slug>/team/", views.team, name="team"),
]
