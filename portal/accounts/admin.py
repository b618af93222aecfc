"""People in Django's admin: to look at, and to correct a name."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import transaction
from django.forms import ModelForm
from django.http import HttpRequest

from portal.accounts.models import User
from portal.audit.actors import Actor
from portal.audit.services import Target, record
from portal.staff.site import CorrectingAdmin


@admin.register(User)
class UserAdmin(CorrectingAdmin):
    """People. Password, address, rights and factors change on their own pages only."""

    list_display = ["email", "name", "is_active", "is_staff", "date_joined", "last_login"]
    list_filter = ["is_staff", "is_active"]
    search_fields = ["=id", "email", "name"]
    ordering = ["email"]
    fields = ["id", "email", "name", "is_active", "is_staff", "is_superuser", "date_joined", "last_login"]
    correctable = ("name",)

    def save_model(self, request: HttpRequest, obj: User, form: ModelForm, change: bool) -> None:
        """Save the name with its audit event, on the platform's chain."""
        assert isinstance(request.user, User)
        with transaction.atomic():
            User.objects.filter(pk=obj.pk).update(name=obj.name)
            data: dict[str, Any] = {"fields": form.changed_data}
            target = Target("user", obj.pk, obj.name)
            record("account:updated", actor=Actor.staff(request.user, request), company=None, target=target, data=data)
