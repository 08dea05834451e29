"""The Django app that keeps what happened."""

from django.apps import AppConfig


class TrialConfig(AppConfig):
    """Keeps traces."""

    name = "pagoda_trial"
    default_auto_field = "django.db.models.BigAutoField"
