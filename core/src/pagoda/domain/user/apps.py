"""Users, roles, permissions and API tokens as a Django app."""

from django.apps import AppConfig, apps

from pagoda.domain import hard_deletes
from pagoda.domain.planning import never_compile


class UserConfig(AppConfig):
    """App `user`."""

    name = "pagoda.domain.user"
    label = "user"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Have hard deletes look at rows that no installed model knows, and connections plan for rights."""
        never_compile()
        for model in (self.get_model("User"), apps.get_model("auth", "Group"), self.get_model("Role")):
            hard_deletes.refuse_referenced(model)
