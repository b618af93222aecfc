"""Addresses of incidents, under /staff/incidents/."""

from django.urls import path

from portal.incidents import views

app_name = "incidents"
urlpatterns = [
    path("", views.incidents, name="list"),
    path("new/", views.new, name="new"),
    path("<slug:incident_id>/", views.incident, name="incident"),
    path("<slug:incident_id>/keys/", views.keys, name="keys"),
    path("<slug:incident_id>/note/", views.note, name="note"),
    path("<slug:incident_id>/notices/", views.notices, name="notices"),
    path("<slug:incident_id>/close/", views.close, name="close"),
    path("<slug:incident_id>/reopen/", views.reopen, name="reopen"),
    path("<slug:incident_id>/report.html", views.report, name="report"),
    path("<slug:incident_id>/report.csv", views.table, name="table"),
]
