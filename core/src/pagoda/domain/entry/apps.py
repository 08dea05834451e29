"""Entries and their values as a Django app."""

from django.apps import AppConfig


class EntryConfig(AppConfig):
    """App `entry`."""

    name = "pagoda.domain.entry"
    label = "entry"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Have plain ORM writes of entries told as changes."""
        from pagoda.domain.entry import models  # which load after apps
        from pagoda.domain.hard_deletes import refuse_referenced
        from pagoda.domain.tracking import track

        hanging = {models.Attribute: "parent_entry", models.AttributeValue: "parent_entry"}
        refuse_referenced(models.Entry, hanging | {models.AttributeReference: "value__parent_entry"})
        track(models.Entry)
