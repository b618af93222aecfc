"""Addresses of the staff's pages, under /staff/."""

from django.urls import path

from portal.staff.views import companies, connections, credentials, dashboard, keys, servers

app_name = "staff"

urlpatterns = [
    path("", dashboard.dashboard, name="dashboard"),
    path("audit/", dashboard.audit, name="audit"),
    path("find/", keys.find, name="find"),
    path("companies/", companies.companies, name="companies"),
    path("companies/<slug:company_id>/", companies.company, name="company"),
    path("companies/<slug:company_id>/suspend/", companies.suspend, name="company_suspend"),
    path("companies/<slug:company_id>/reactivate/", companies.reactivate, name="company_reactivate"),
    path("companies/<slug:company_id>/plan/", companies.plan, name="company_plan"),
    path("keys/", keys.keys, name="keys"),
    path("keys/select/", keys.select, name="keys_select"),
    path("keys/revoke/", keys.revoke_selected, name="keys_revoke"),
    path("keys/<slug:key_id>/", keys.key, name="key"),
    path("keys/<slug:key_id>/revoke/", keys.revoke, name="key_revoke"),
    path("keys/<slug:key_id>/limits/", keys.limits, name="key_limits"),
    path("connections/", connections.connections, name="connections"),
    path("connections/<slug:connection_id>/revoke/", connections.revoke, name="connection_revoke"),
    path("servers/", servers.servers, name="servers"),
    path("servers/new/", servers.new, name="server_new"),
    path("servers/<slug:server_id>/", servers.server, name="server"),
    path("servers/<slug:server_id>/edit/", servers.edit, name="server_edit"),
    path("servers/<slug:server_id>/stop/", servers.stop, name="server_stop"),
    path("servers/<slug:server_id>/resume/", servers.resume, name="server_resume"),
    path("servers/<slug:server_id>/credentials/new/", credentials.new, name="credential_new"),
    path("servers/<slug:server_id>/credentials/<slug:credential_id>/rotate/", credentials.rotate,
         name="credential_rotate"),
    path("servers/<slug:server_id>/credentials/<slug:credential_id>/revoke/", credentials.revoke,
         name="credential_revoke"),
]  # fmt: skip
