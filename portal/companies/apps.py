"""The companies room."""

from django.apps import AppConfig


class CompaniesConfig(AppConfig):
    """Companies, members and roles."""

    name = "portal.companies"
    label = "companies"
