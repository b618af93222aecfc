"""The billing room."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    """Card confirmation."""

    name = "portal.billing"
    label = "billing"
