"""Users, roles, permissions and API tokens as a Django app."""

from django.apps import AppConfig


class UserConfig(AppConfig):
    """App `user`."""

    name = "pagoda.domain.user"
    label = "user"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Have hard deletes look at rows that no installed model knows."""
        from django.contrib.auth.models import Group  # models load after apps, here and below

        from pagoda.domain.hard_deletes import refuse_referenced
        from pagoda.domain.user.models import Role, User

        for model in (User, Group, Role):
            refuse_referenced(model)
