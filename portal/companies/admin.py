"""Companies and members in Django's admin: to look at, and to correct a currency or time zone."""

from __future__ import annotations

from django.contrib import admin
from django.db import transaction
from django.forms import ModelForm
from django.http import HttpRequest

from portal.accounts.models import User
from portal.audit.actors import Actor
from portal.audit.services import Target, record
from portal.companies.models import Company, Membership
from portal.staff.site import CorrectingAdmin, ReadOnlyAdmin


@admin.register(Company)
class CompanyAdmin(CorrectingAdmin):
    """Companies. Their state changes under /staff/ only."""

    list_display = ["name", "slug", "state", "plan", "currency", "created_at"]
    list_filter = ["state", "plan", "currency"]
    search_fields = ["=id", "name", "slug"]
    fields = [
        "id", "name", "slug", "state", "plan", "currency", "time_zone", "created_at", "activated_at", "suspended_at",
        "suspended_reason", "closed_at",
    ]  # fmt: skip
    correctable = ("currency", "time_zone")

    def save_model(self, request: HttpRequest, obj: Company, form: ModelForm, change: bool) -> None:
        """Save the corrected fields with their audit event, on the company's chain."""
        assert isinstance(request.user, User)
        with transaction.atomic():
            obj.save(update_fields=list(self.correctable))
            record(
                "company:updated",
                actor=Actor.staff(request.user, request),
                company=obj,
                target=Target("company", obj.pk, obj.name),
                data={"fields": form.changed_data},
            )


@admin.register(Membership)
class MembershipAdmin(ReadOnlyAdmin):
    """Who belongs to which company."""

    list_display = ["user", "company", "role", "created_at"]
    list_filter = ["role"]
    list_select_related = ["user", "company"]
    search_fields = ["=company__id", "=user__id", "company__name", "user__email"]
    fields = ["user", "company", "role", "created_at"]
    ordering = ["-pk"]
