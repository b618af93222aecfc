"""Addresses of the staff's page of background work, under /staff/jobs/."""

from django.urls import path

from portal.jobs import views

app_name = "jobs"
urlpatterns = [
    path("", views.jobs, name="list"),
    path("<str:letter_id>/replay/", views.replay, name="replay"),
    path("<str:letter_id>/dismiss/", views.dismiss, name="dismiss"),
]
