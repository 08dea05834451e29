"""Users, roles, permissions and API tokens as a Django app."""

from django.apps import AppConfig


class UserConfig(AppConfig):
    """App `user`."""

    name = "pagoda.domain.user"
    label = "user"
    default_auto_field = "django.db.models.BigAutoField"
