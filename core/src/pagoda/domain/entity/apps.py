"""Entities and their attributes as a Django app."""

from typing import cast

from django.apps import AppConfig

from pagoda import running
from pagoda.domain import hard_deletes


class EntityConfig(AppConfig):
    """App `entity`."""

    name = "pagoda.domain.entity"
    label = "entity"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Give the models their services, and have plain ORM writes of entities told as changes."""
        # Models, and what needs them, load after the apps
        from pagoda.domain import tracking
        from pagoda.domain.entity import models, services

        models.Entity.services = cast("models.EntityServices", running.Hosted(services))
        hard_deletes.refuse_referenced(models.Entity)
        hard_deletes.refuse_referenced(models.EntityAttr)
        tracking.track(models.Entity)
