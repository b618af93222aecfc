"""The staff room."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class StaffConfig(AppConfig):
    """Pages of the operator's staff."""

    name = "portal.staff"
    label = "staff"
    default = True

    def ready(self) -> None:
        """Listen to who becomes staff."""
        from portal.staff import reactions  # noqa: F401


class PortalAdminConfig(admin_apps.AdminConfig):
    """Django's admin with the portal's own site."""

    default_site = "portal.staff.site.PortalAdminSite"
    default = False
