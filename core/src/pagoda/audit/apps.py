"""The Django app that keeps the audit log."""

from __future__ import annotations

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """Connects the receivers, so that every write, login and change of rights is recorded."""

    name = "pagoda.audit"
    label = "audit"
    verbose_name = "Audit"

    def ready(self) -> None:
        # Late: these modules use models, which exist once Django has loaded the apps
        from pagoda.audit import receivers

        receivers.connect()
