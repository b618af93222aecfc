"""Addresses of the company pages."""

from __future__ import annotations

from django.urls import path

from portal.companies.views import invitations, settings, start, team

urlpatterns = [
    path("home/", start.home, name="home"),
    path("companies/new/", start.new_company, name="new_company"),
    path("invitation/", invitations.invitation, name="invitation"),
    path("invitation/accept/", invitations.accept, name="invitation_accept"),
    path("invitation/<str:token>/", invitations.link, name="invitation_link"),
    path("c/<slug:slug>/team/", team.team, name="team"),
    path("c/<slug:slug>/team/invite/", invitations.invite, name="invite"),
    path("c/<slug:slug>/team/leave/", team.leave, name="leave"),
    path("c/<slug:slug>/team/transfer/", team.transfer, name="transfer"),
    path("c/<slug:slug>/team/invitations/<str:invitation_id>/resend/", invitations.resend, name="invitation_resend"),
    path(
        "c/<slug:slug>/team/invitations/<str:invitation_id>/withdraw/",
        invitations.withdraw,
        name="invitation_withdraw",
    ),
    path("c/<slug:slug>/team/<str:user_id>/role/", team.member_role, name="member_role"),
    path("c/<slug:slug>/team/<str:user_id>/remove/", team.member_remove, name="member_remove"),
    path("c/<slug:slug>/settings/", settings.settings, name="settings"),
    path("c/<slug:slug>/settings/security/", settings.security, name="security"),
    path("c/<slug:slug>/settings/export/", settings.export, name="company_export"),
    path(
        "c/<slug:slug>/settings/export/<str:export_id>/file.zip",
        settings.export_download,
        name="company_export_download",
    ),
    path("c/<slug:slug>/settings/close/", settings.close, name="close_company"),
    path("c/<slug:slug>/reopen/", settings.reopen, name="reopen_company"),
]
