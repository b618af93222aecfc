"""Card confirmations in Django's admin: brand and last four, to look at."""

from __future__ import annotations

from django.contrib import admin

from portal.billing.models import CardConfirmation
from portal.staff.site import ReadOnlyAdmin


@admin.register(CardConfirmation)
class CardConfirmationAdmin(ReadOnlyAdmin):
    """Confirmed cards. The gateway's token is not shown."""

    list_display = ["company", "brand", "last_four", "gateway", "confirmed_at", "replaced_at"]
    list_select_related = ["company"]
    search_fields = ["=company__id", "company__name", "=last_four"]
    fields = [
        "company", "gateway", "brand", "last_four", "expiry_month", "expiry_year", "cardholder", "confirmed_by",
        "confirmed_at", "replaced_at",
    ]  # fmt: skip
