"""Searches as a Django app."""

from django.apps import AppConfig


class SearchConfig(AppConfig):
    """App `search`: holds the table of the saved ones."""

    name = "pagoda.domain.search"
    label = "search"
    default_auto_field = "django.db.models.BigAutoField"
