"""The portal's addresses and those of the baselines."""

from django.urls import include, path

from bench import baselines

urlpatterns = [
    path("api/v1/bench/django", baselines.bare_django),
    path("api/v1/bench/drf", baselines.BareDRF.as_view()),
    path("", include("portal.urls")),
]
