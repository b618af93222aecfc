"""Addresses of the API, version 1."""

from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from keys.api import login, server, verify
from keys.api.data import views as data
from keys.api.management import keys, reads, servers
from keys.api.problems import no_such_address
from keys.leaks import api as leaks

urlpatterns = [
    path("keys/verify", verify.VerifyView.as_view(), name="verify"),
    path("keys/verify/batch", verify.VerifyBatchView.as_view(), name="verify-batch"),
    path("revocations", server.RevocationsView.as_view(), name="revocations"),
    path("usage", server.UsageReportView.as_view(), name="usage-report"),
    path("login", login.LoginView.as_view(), name="login"),
    path("keys", keys.KeysView.as_view(), name="manage-keys"),
    path("keys/<str:key_id>", keys.KeyView.as_view(), name="manage-key"),
    path("keys/<str:key_id>/rotate", keys.RotateKeyView.as_view(), name="manage-key-rotate"),
    path("keys/<str:key_id>/end-overlap", keys.EndOverlapView.as_view(), name="manage-key-end-overlap"),
    path("keys/<str:key_id>/revoke", keys.RevokeKeyView.as_view(), name="manage-key-revoke"),
    path("servers", servers.ServersView.as_view(), name="manage-servers"),
    path("servers/<str:server_id>", servers.ServerView.as_view(), name="manage-server"),
    path("servers/<str:server_id>/credentials", servers.CredentialsView.as_view(), name="manage-credentials"),
    path(
        "servers/<str:server_id>/credentials/<str:credential_id>/revoke",
        servers.RevokeCredentialView.as_view(),
        name="manage-credential-revoke",
    ),
    path("company", reads.CompanyView.as_view(), name="manage-company"),
    path("company/usage", reads.UsageView.as_view(), name="manage-usage"),
    path("audit", reads.AuditView.as_view(), name="manage-audit"),
    path("data/whoami", data.WhoAmIView.as_view(), name="data-whoami"),
    path("data/companies", data.CompaniesView.as_view(), name="data-companies"),
    path("data/users", data.UsersView.as_view(), name="data-users"),
    path("data/keys", data.KeysView.as_view(), name="data-keys"),
    path("data/entities", data.EntitiesView.as_view(), name="data-entities"),
    path("data/services", data.ServicesView.as_view(), name="data-services"),
    path("data/system", data.SystemView.as_view(), name="data-system"),
    path("leaks/github", leaks.GithubLeaksView.as_view(), name="leaks-github"),
    path("leaks/report", leaks.ReportLeakView.as_view(), name="leaks-report"),
    path("", csrf_exempt(no_such_address)),
    path("<path:rest>", csrf_exempt(no_such_address)),
]
