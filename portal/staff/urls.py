"""Addresses of the staff's pages, under /staff/."""

from django.urls import path

from portal.staff.views import (
    companies,
    connections,
    credentials,
    dashboard,
    finding,
    keys,
    people,
    revocations,
    servers,
)

app_name = "staff"

urlpatterns = [
    path("", dashboard.dashboard, name="dashboard"),
    path("audit/", dashboard.audit, name="audit"),
    path("find/", finding.find, name="find"),
    path("companies/", companies.companies, name="companies"),
    path("companies/<slug:company_id>/", companies.company, name="company"),
    path("companies/<slug:company_id>/suspend/", companies.suspend, name="company_suspend"),
    path("companies/<slug:company_id>/reactivate/", companies.reactivate, name="company_reactivate"),
    path("keys/", keys.keys, name="keys"),
    path("keys/select/", keys.select, name="keys_select"),
    path("keys/revoke/", keys.revoke_selected, name="keys_revoke"),
    path("keys/<slug:key_id>/", keys.key, name="key"),
    path("keys/<slug:key_id>/revoke/", keys.revoke, name="key_revoke"),
    path("revoke/", revocations.revoke_rule, name="revoke_rule"),
    path("revocations/", revocations.all_runs, name="runs"),
    path("revocations/<slug:run_id>/", revocations.run, name="run"),
    path("revocations/<slug:run_id>/continue/", revocations.go_on, name="run_continue"),
    path("revocations/<slug:run_id>/stop/", revocations.stop, name="run_stop"),
    path("revocations/<slug:run_id>/approve/", revocations.approve, name="run_approve"),
    path("revocations/<slug:run_id>/refuse/", revocations.refuse, name="run_refuse"),
    path("people/", people.people, name="people"),
    path("people/<slug:user_id>/", people.person, name="person"),
    path("people/<slug:user_id>/role/", people.role, name="person_role"),
    path("people/<slug:user_id>/sign-out/", people.sign_out, name="person_sign_out"),
    path("connections/", connections.connections, name="connections"),
    path("connections/<slug:connection_id>/", connections.connection, name="connection"),
    path("tokens/<slug:token_id>/", finding.token, name="token"),
    path("tokens/<slug:token_id>/revoke/", finding.token_revoke, name="token_revoke"),
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
