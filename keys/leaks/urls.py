"""Addresses of the pages of leaks."""

from django.urls import path

from keys.leaks import views

app_name = "leaks"
urlpatterns = [
    path("leaked/", views.leaked, name="leaked"),
    path("c/<slug:slug>/settings/leaks/", views.company_leaks, name="company"),
    path("staff/leaks/", views.staff_leaks, name="staff"),
]
