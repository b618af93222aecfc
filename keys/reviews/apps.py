"""The reviews room."""

from django.apps import AppConfig


class ReviewsConfig(AppConfig):
    """Access reviews."""

    name = "keys.reviews"
    label = "reviews"
