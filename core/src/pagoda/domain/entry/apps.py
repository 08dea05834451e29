"""Entries and their values as a Django app."""

from django.apps import AppConfig


class EntryConfig(AppConfig):
    """App `entry`."""

    name = "pagoda.domain.entry"
    label = "entry"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Have plain ORM writes of entries told as changes."""
        from pagoda.domain.entry.models import Entry
        from pagoda.domain.tracking import track

        track(Entry)
