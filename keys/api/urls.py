"""Addresses of the API, version 1."""

from django.urls import path

from keys.api import data, login, server, verify

urlpatterns = [
    path("keys/verify", verify.VerifyView.as_view(), name="verify"),
    path("keys/verify/batch", verify.VerifyBatchView.as_view(), name="verify-batch"),
    path("revocations", server.RevocationsView.as_view(), name="revocations"),
    path("usage", server.UsageReportView.as_view(), name="usage-report"),
    path("login", login.LoginView.as_view(), name="login"),
    path("data/whoami", data.WhoAmIView.as_view(), name="data-whoami"),
    path("data/companies", data.CompaniesView.as_view(), name="data-companies"),
    path("data/users", data.UsersView.as_view(), name="data-users"),
    path("data/keys", data.KeysView.as_view(), name="data-keys"),
    path("data/entities", data.EntitiesView.as_view(), name="data-entities"),
    path("data/services", data.ServicesView.as_view(), name="data-services"),
    path("data/system", data.SystemView.as_view(), name="data-system"),
]
