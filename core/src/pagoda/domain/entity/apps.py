"""Entities and their attributes as a Django app."""

from django.apps import AppConfig


class EntityConfig(AppConfig):
    """App `entity`."""

    name = "pagoda.domain.entity"
    label = "entity"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Have plain ORM writes of entities told as changes."""
        from pagoda.domain.entity.models import Entity, EntityAttr  # models load after apps
        from pagoda.domain.hard_deletes import refuse_referenced
        from pagoda.domain.tracking import track

        refuse_referenced(Entity)
        refuse_referenced(EntityAttr)
        track(Entity)
