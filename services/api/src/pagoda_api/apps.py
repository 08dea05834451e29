"""The API as a Django app."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    """Carries the admin pages, which Django finds in installed apps."""

    name = "pagoda_api"
    label = "pagoda_api"
    verbose_name = "Pagoda API"
