"""Every address of the portal."""

from django.urls import include, path

from portal import health
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from portal import views
from portal.ui import views as ui_views

urlpatterns = [
    path("healthz/", health.ready, name="health"),
    path("healthz/ready", health.ready, name="health_ready"),
    path("healthz/live", health.live, name="health_live"),
    path("api/v1/", include("keys.api.urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="api-schema"), name="api-docs"),
    path("", views.landing, name="landing"),
    path("theme/", ui_views.theme, name="theme"),
    path("styleguide/", ui_views.styleguide, name="styleguide"),
    path("accounts/", include("allauth.urls")),
]

handler400 = "portal.views.bad_request"
handler500 = "portal.views.server_error"
