"""Entries and their values as a Django app."""

from typing import cast

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from pagoda import running
from pagoda.domain import hard_deletes


class EntryConfig(AppConfig):
    """App `entry`."""

    name = "pagoda.domain.entry"
    label = "entry"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Give the models their services, have plain writes of entries told, and those of users guarded."""
        # Models, and what needs them, load after the apps
        from pagoda.domain import binding, guarding, tracking
        from pagoda.domain.entry import models, services, verifying

        models.Entry.services = cast("models.EntryServices", running.Hosted(services))
        hanging = {models.Attribute: "parent_entry", models.AttributeValue: "parent_entry"}
        hard_deletes.refuse_referenced(
            models.Entry, hanging | {models.AttributeReference: "value__parent_entry"}
        )
        tracking.track(models.Entry)
        post_migrate.connect(
            verifying.after_migrations, sender=self, dispatch_uid="pagoda.entry.after_migrations"
        )
        guarding.guard()
        binding.bind()
