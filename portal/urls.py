"""Every address of the portal."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from keys.api.verify import VerifyView
from keys.oauth import connect
from portal import health, mailbox, overview, views
from portal.metrics.views import metrics
from portal.ui import mail_views
from portal.ui import views as ui_views

urlpatterns = [
    # The hot path stands first and flat: looking through the others costs a tenth of the request.
    path("api/v1/keys/verify", VerifyView.as_view()),
    path("healthz/", health.ready, name="health"),
    path("healthz/ready", health.ready, name="health_ready"),
    path("healthz/live", health.live, name="health_live"),
    path("metrics", metrics, name="metrics"),
    path(".well-known/security.txt", views.security_txt, name="security_txt"),
    path("api/v1/", include("keys.api.urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="api-schema"), name="api-docs"),
    path("", views.landing, name="landing"),
    path("", include("keys.oauth.urls")),
    path("connect/", connect.connect, name="connect"),
    path("c/<slug:slug>/connections/", include("keys.oauth.connection_urls")),
    path("theme/", ui_views.theme, name="theme"),
    path("styleguide/", ui_views.styleguide, name="styleguide"),
    path("styleguide/mail/", mail_views.mails, name="styleguide_mail"),
    path("styleguide/mail/frame/", mail_views.mail_frame, name="styleguide_mail_frame"),
    path("styleguide/error/<int:status>/", ui_views.error_page, name="styleguide_error"),
    path("docs/", include("portal.help.urls")),
    path("c/<slug:slug>/keys/", include("keys.urls")),
    path("c/<slug:slug>/usage/", include("keys.usage.urls")),
    path("c/<slug:slug>/tokens/", include("keys.management_tokens.urls")),
    path("c/<slug:slug>/settings/keys/", include("keys.policy.urls")),
    path("c/<slug:slug>/servers/", include("keys.servers.urls")),
    path("", include("keys.leaks.urls")),
    path("", include("keys.reviews.urls")),
    path("", include("portal.audit.urls")),
    path("staff/incidents/", include("portal.incidents.urls")),
    path("staff/jobs/", include("portal.jobs.urls")),
    path("staff/", include("portal.staff.urls")),
    path("admin/", admin.site.urls),
    path("c/<slug:slug>/webhooks/", include("keys.webhooks.urls")),
    path("", include("portal.accounts.urls")),
    path("", include("portal.companies.urls")),
    path("", include("portal.billing.urls")),
    path("c/<slug:slug>/", overview.overview, name="company"),
    path("mailbox/", mailbox.mailbox, name="mailbox"),
    path("mailbox/clear/", mailbox.clear, name="mailbox_clear"),
    path("mailbox/<str:mail_id>/", mailbox.mail, name="mail"),
    path("mailbox/<str:mail_id>/html/", mailbox.mail_html, name="mail_html"),
]

handler400 = "portal.views.bad_request"
handler500 = "portal.views.server_error"
