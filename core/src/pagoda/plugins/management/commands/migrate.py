"""``migrate``: the host's tables first, then those of each plugin, so that a bad one stops nobody else."""

from __future__ import annotations

from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import CommandError
from django.core.management.commands import migrate

from pagoda.fencing import Outcome, report_outcome
from pagoda.fencing.reporting import report_error
from pagoda.plugins.fence import describe
from pagoda.plugins.migrations import plugin_labels
from pagoda.plugins.runtime import registry

log = structlog.get_logger(__name__)


class Command(migrate.Command):
    """Django's command; without an app label, each plugin's apps are migrated inside a fence."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Any: what Django passes on."""
        labels = plugin_labels(registry())
        if options["app_label"] or not labels:
            super().handle(*args, **options)
            return
        self._migrate_host(labels, *args, **options)
        failed = [label for label in labels if not self._migrate_plugin(label, labels[label].id, options)]
        if failed and settings.PAGODA.pagoda_plugin_strict:
            raise CommandError(f"Migrations of plugins failed: {', '.join(failed)}.")

    def _migrate_host(self, labels: Any, *args: Any, **options: Any) -> None:
        replaced = settings.MIGRATION_MODULES
        settings.MIGRATION_MODULES = {**replaced, **dict.fromkeys(labels)}
        try:
            super().handle(*args, **options)
        finally:
            settings.MIGRATION_MODULES = replaced

    def _migrate_plugin(self, label: str, plugin_id: str, options: dict[str, Any]) -> bool:
        try:
            super().handle(**{**options, "app_label": label})
        except Exception as error:  # the fence: the plugin is told as at fault, the others go on
            text = describe(error)
            log.exception("plugin_migration_failed", plugin=plugin_id, app=label, error=text)
            report_error(error, plugin=plugin_id, surface="load", name=f"migrate {label}")
            report_outcome(
                Outcome(
                    plugin=plugin_id,
                    surface="load",
                    name=f"migrate {label}",
                    result="raised",
                    seconds=0.0,
                    error=text,
                )
            )
            self.stderr.write(f"Plugin {plugin_id!r}: its app {label!r} can't be migrated: {text}")
            return False
        self.stdout.write(f"Plugin {plugin_id!r}: its app {label!r} is migrated")
        return True
