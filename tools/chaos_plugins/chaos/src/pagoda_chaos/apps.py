"""The Django app that keeps what the tasks did."""

from django.apps import AppConfig


class ChaosConfig(AppConfig):
    """Keeps effects."""

    name = "pagoda_chaos"
    default_auto_field = "django.db.models.BigAutoField"
