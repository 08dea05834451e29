"""``migrate``: the host's tables first, then those of each plugin, so that a bad one stops nobody else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from django.apps import apps
from django.conf import settings
from django.core.management.base import CommandError
from django.core.management.commands import migrate

from pagoda.fencing import Outcome, report_outcome
from pagoda.fencing.interrupts import is_host_interrupt
from pagoda.fencing.reporting import report_error
from pagoda.plugins.fence import describe
from pagoda.plugins.migrations import (
    missing_by_app,
    note_migration_fault,
    plugin_labels,
    unreadable_migrations,
)
from pagoda.plugins.registry import registry
from pagoda_plugin_sdk.checking.migrations import is_migrated, unmigrated_text

log = structlog.get_logger(__name__)


class Command(migrate.Command):
    """Django's command; without an app label, each plugin's apps are migrated inside a fence."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Any: what Django passes on."""
        labels = plugin_labels(registry())
        if options["app_label"] or not labels:
            super().handle(*args, **options)
            return
        with _left_out(labels):
            super().handle(*args, **options)
        unreadable = unreadable_migrations(labels)
        with _left_out(unreadable):
            faults = {
                label: self._migrate_plugin(label, record.id, unreadable.get(label), options)
                for label, record in labels.items()
            }
        if not (options["plan"] or options["check_unapplied"]):
            missing = missing_by_app(unreadable)
            for label, text in faults.items():
                note_migration_fault(labels[label], label, missing.get(label, []), text)
        failed = [label for label, text in faults.items() if text]
        if failed and settings.PAGODA.pagoda_plugin_strict:
            raise CommandError(f"Migrations of plugins failed: {', '.join(failed)}.")

    def _migrate_plugin(self, label: str, plugin_id: str, fault: str | None, options: dict[str, Any]) -> str:
        """Return why it failed, nothing when it did not."""
        config = apps.get_app_config(label)
        try:
            if fault := fault or unmigrated_text(config):
                raise CommandError(fault)
            if is_migrated(config):  # else it has no models
                super().handle(**{**options, "app_label": label})
        except BaseException as error:  # the fence: the plugin is told as at fault, the others go on
            if is_host_interrupt(error):
                raise
            return self._tell_failure(label, plugin_id, error)
        self.stdout.write(f"Plugin {plugin_id!r}: its app {label!r} is migrated")
        return ""

    def _tell_failure(self, label: str, plugin_id: str, error: BaseException) -> str:
        is_told = isinstance(error, CommandError)  # a sentence for people, which no traceback adds to
        text = str(error) if is_told else describe(error)
        name = f"migrate {label}"
        log.error("plugin_migration_failed", plugin=plugin_id, app=label, error=text, exc_info=not is_told)
        report_error(error, plugin=plugin_id, surface="load", name=name)
        report_outcome(
            Outcome(plugin=plugin_id, surface="load", name=name, result="raised", seconds=0.0, error=text)
        )
        self.stderr.write(f"Plugin {plugin_id!r}: its app {label!r} can't be migrated: {text}")
        return text


@contextmanager
def _left_out(labels: Iterable[str]) -> Iterator[None]:
    """Have Django see no migrations of these apps: reading them runs code of plugins."""
    kept = settings.MIGRATION_MODULES
    settings.MIGRATION_MODULES = {**kept, **dict.fromkeys(labels)}
    try:
        yield
    finally:
        settings.MIGRATION_MODULES = kept
