"""The Django app of exports and imports: it registers their jobs, before Celery gets their tasks."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig


class TransferConfig(AppConfig):
    """Exports and imports."""

    name = "pagoda.transfer"
    label = "transfer"

    def ready(self) -> None:
        import_module("pagoda.transfer.tasks")  # models exist only now
