"""Which migrations of plugins the database lacks."""

from __future__ import annotations

from django.apps import apps
from django.db import DatabaseError, connections
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.migration import Migration

from pagoda.plugins.records import PluginRecord, ReasonCode
from pagoda.plugins.registry import PluginRegistry


def missing_migrations() -> list[Migration]:
    """Return the migrations of all installed apps that are not applied.

    Raises:
        DatabaseError: the database can't be asked.
    """
    executor = MigrationExecutor(connections["default"])
    return [migration for migration, _ in executor.migration_plan(executor.loader.graph.leaf_nodes())]


def plugin_labels(registry: PluginRegistry) -> dict[str, PluginRecord]:
    """Return the labels of the Django apps that plugins brought, with their plugin."""
    return {
        config.label: record
        for record in registry.active
        if record.declared is not None and record.declared.django_apps
        for config in apps.get_app_configs()
        if config.name in _names(record)
    }


def report_missing(registry: PluginRegistry) -> None:
    """Note at each plugin whose migrations are not applied that this is so; call it when a server starts."""
    labels = plugin_labels(registry)
    if not labels:
        return
    try:
        missing = missing_migrations()
    except DatabaseError:
        return  # readiness tells
    for label, record in labels.items():
        names = [
            f"{migration.app_label}.{migration.name}" for migration in missing if migration.app_label == label
        ]
        if names:
            registry.report_fault(record.id, ReasonCode.MIGRATIONS_MISSING, missing_text(names))


def missing_text(names: list[str]) -> str:
    """Return the sentence that says which migrations are not applied, and what to do."""
    return f"Migrations are not applied: {', '.join(names)}. Run `pagoda migrate`; it tells why one fails."


def _names(record: PluginRecord) -> set[str]:
    """Return the modules of its apps: an entry names a module or a config class in one."""
    entries = record.declared.django_apps if record.declared is not None else ()
    return {part for entry in entries for part in (entry, entry.rpartition(".apps.")[0])}
