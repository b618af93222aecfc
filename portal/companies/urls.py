"""Addresses of the company pages."""

from __future__ import annotations

from django.urls import path

from portal.companies import invitation_views, settings_views, team_views, views

urlpatterns = [
    path("home/", views.home, name="home"),
    path("companies/new/", views.new_company, name="new_company"),
    path("invitation/", invitation_views.invitation, name="invitation"),
    path("invitation/accept/", invitation_views.accept, name="invitation_accept"),
    path("invitation/<str:token>/", invitation_views.link, name="invitation_link"),
    path("c/<slug:slug>/team/", team_views.team, name="team"),
    path("c/<slug:slug>/team/invite/", invitation_views.invite, name="invite"),
    path("c/<slug:slug>/team/leave/", team_views.leave, name="leave"),
    path("c/<slug:slug>/team/transfer/", team_views.transfer, name="transfer"),
    path(
        "c/<slug:slug>/team/invitations/<str:invitation_id>/resend/", invitation_views.resend, name="invitation_resend"
    ),
    path(
        "c/<slug:slug>/team/invitations/<str:invitation_id>/withdraw/",
        invitation_views.withdraw,
        name="invitation_withdraw",
    ),
    path("c/<slug:slug>/team/<str:user_id>/role/", team_views.member_role, name="member_role"),
    path("c/<slug:slug>/team/<str:user_id>/remove/", team_views.member_remove, name="member_remove"),
    path("c/<slug:slug>/settings/", settings_views.settings, name="settings"),
    path("c/<slug:slug>/settings/security/", settings_views.security, name="security"),
    path("c/<slug:slug>/settings/export/", settings_views.export, name="company_export"),
    path(
        "c/<slug:slug>/settings/export/<str:export_id>/file.zip",
        settings_views.export_download,
        name="company_export_download",
    ),
    path("c/<slug:slug>/settings/close/", settings_views.close, name="close_company"),
    path("c/<slug:slug>/reopen/", settings_views.reopen, name="reopen_company"),
]
