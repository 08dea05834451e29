"""Users, roles, permissions and API tokens as a Django app."""

from django.apps import AppConfig


class UserConfig(AppConfig):
    """App `user`."""

    name = "pagoda.domain.user"
    label = "user"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Have hard deletes look at rows that no installed model knows."""
        # Models, and what needs them, load after the apps
        from django.contrib.auth.models import Group

        from pagoda.domain import hard_deletes
        from pagoda.domain.user import models

        for model in (models.User, Group, models.Role):
            hard_deletes.refuse_referenced(model)
