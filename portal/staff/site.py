"""Django's admin: for raw records, behind the portal's own sign-in, read-mostly.

Whatever changes keys, states or roles has a page under /staff/ that goes through the services and leaves an audit
event. The admin shows the rows, and lets harmless fields be corrected.
"""

from __future__ import annotations

from typing import Any

from allauth.account.decorators import secure_admin_login
from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from portal.staff.access import lacks_second_factor


class PortalAdminSite(admin.AdminSite):
    """The admin for the operator's staff."""

    site_header = site_title = "Latchkey"
    index_title = _l("Records")
    site_url = "/staff/"
    enable_nav_sidebar = True

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Only what is read-mostly: an app's own admin that could edit factors, addresses or groups stays out."""
        if admin_class is not None and issubclass(admin_class, ReadOnlyAdmin):
            super().register(model_or_iterable, admin_class, **options)

    def has_permission(self, request: HttpRequest) -> bool:
        """Staff who have the second factor that staff need."""
        return super().has_permission(request) and not lacks_second_factor(request.user)

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """The portal's own sign-in, with its limits and second factor; never the admin's own form."""
        if request.user.is_authenticated and request.user.is_staff and lacks_second_factor(request.user):
            messages.warning(request, _("Staff need a second factor. Set one up, then come back."))
            return redirect("mfa_index")
        signed_in = secure_admin_login(super().login)
        return signed_in(request, extra_context=extra_context)

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """The portal's own page for it."""
        return redirect("account_change_password")


class EndlessPaginator(Paginator):
    """Pages whose rows are counted only so far: at a million rows the exact number costs more than it says."""

    @cached_property
    def count(self) -> int:
        """How many rows there are, at most 10,000."""
        rows: Any = self.object_list
        return rows.order_by()[:10_000].count()


class ReadOnlyAdmin(admin.ModelAdmin):
    """Rows to look at: nothing is added, changed or deleted here."""

    actions = None
    show_full_result_count = False  # a count of a million rows for a number that nobody needs
    paginator = EndlessPaginator

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Whoever may enter the admin."""
        return True

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whoever may enter the admin."""
        return True

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Nobody adds: services do."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody changes."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody deletes."""
        return False


class CorrectingAdmin(ReadOnlyAdmin):
    """Rows of which only the fields `correctable` can be changed; the audit record notes it."""

    correctable: tuple[str, ...] = ()

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Staff with Django's permission for it."""
        return admin.ModelAdmin.has_change_permission(self, request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        """Every field that is shown and not correctable."""
        fields = self.get_fields(request, obj) if self.fields is None else self.fields
        return [str(name) for name in fields if name not in self.correctable]
