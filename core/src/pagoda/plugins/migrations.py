"""Whether the database is as the models say: those of the host, and, inside a fence, those of each plugin."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.apps import apps
from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from pagoda.plugins.fence import plugin_fence
from pagoda.plugins.records import PluginRecord, PluginRefused, ReasonCode
from pagoda.plugins.registry import PluginRegistry
from pagoda_plugin_sdk.checking.migrations import unmigrated_text, unwritten_changes
from pagoda_plugin_sdk.washing import washed


class SomeMigrations(MigrationLoader):
    """The migrations of all apps but some: those of a plugin run its code when they are read."""

    def __init__(self, connection: BaseDatabaseWrapper | None, left_out: Collection[str]) -> None:
        self._left_out = left_out
        super().__init__(connection, ignore_no_migrations=True)

    def migrations_module(  # type: ignore[override]  # a class method there, called on the instance
        self, app_label: str
    ) -> tuple[str | None, bool]:
        if app_label in self._left_out:
            return None, True
        return super().migrations_module(app_label)

    def missing(self) -> list[tuple[str, str]]:
        """Return ``(app label, name)`` of those that are not applied."""
        return [key for key in sorted(self.graph.nodes) if key not in (self.applied_migrations or {})]


def missing_of_host(registry: PluginRegistry) -> list[str]:
    """Return the migrations of the host that are not applied.

    Raises:
        DatabaseError: the database can't be asked.
    """
    loader = SomeMigrations(connections["default"], plugin_labels(registry))
    return [f"{label}.{name}" for label, name in loader.missing()]


@dataclass(frozen=True, slots=True)
class PluginsLack:
    """What the database lacks of plugins' migrations."""

    pending: tuple[str, ...]  # `app.name`, to be applied by the next `pagoda migrate`
    failed: tuple[str, ...]  # a sentence for each app that `pagoda migrate` could not bring up to date


def missing_of_plugins(registry: PluginRegistry) -> PluginsLack:
    """Return which migrations of plugins are not applied: still, or as applying them failed.

    Raises:
        DatabaseError: the database can't be asked.
    """
    labels = plugin_labels(registry)
    unreadable = unreadable_migrations(labels)
    missing = missing_by_app(unreadable)
    tried = {row.app: row for row in apps.get_model("watching.MigrationFault").objects.all()}
    pending: list[str] = []
    failed = [f"Plugin {labels[label].id!r}: its migrations can't be read." for label in unreadable]
    for label in labels.keys() & missing.keys():
        names, row, record = missing[label], tried.get(label), labels[label]
        if row is not None and (row.version, row.missing) == (record.version, names):
            failed.append(f"Plugin {record.id!r}: {label}.{names[0]} failed; `pagoda migrate` tells why.")
        else:
            pending += [f"{label}.{name}" for name in names]
    return PluginsLack(tuple(sorted(pending)), tuple(sorted(failed)))


def note_migration_fault(record: PluginRecord, label: str, missing: Sequence[str], text: str) -> None:
    """Store why an app of a plugin lacks the migrations `missing`; nothing is kept when it lacks none."""
    rows = apps.get_model("watching.MigrationFault").objects
    if missing:
        told = {"version": record.version, "missing": list(missing), "text": washed(text, 500)}
        rows.update_or_create(app=label, defaults=told)
    else:
        rows.filter(app=label).delete()


def missing_by_app(left_out: Collection[str]) -> dict[str, list[str]]:
    """Return ``{app label: names}`` of the migrations that are not applied; those `left_out` are not read."""
    found: dict[str, list[str]] = {}
    for label, name in SomeMigrations(connections["default"], left_out).missing():
        found.setdefault(label, []).append(name)
    return found


def plugin_labels(registry: PluginRegistry) -> dict[str, PluginRecord]:
    """Return the labels of the Django apps that plugins brought, with their plugin, in load order."""
    return {
        config.label: record
        for record in registry.active
        if record.declared is not None and record.declared.django_apps
        for config in apps.get_app_configs()
        if config.name in _names(record)
    }


def migration_faults(
    registry: PluginRegistry, connection: BaseDatabaseWrapper | None
) -> Iterator[tuple[str, str]]:
    """Yield ``(app label, sentence)`` for what is wrong with the migrations of plugins.

    Without a connection, it is not looked at whether they are applied.

    Raises:
        DatabaseError: the database can't be asked.
    """
    labels = plugin_labels(registry)
    unreadable = unreadable_migrations(labels)
    yield from unreadable.items()
    loader = SomeMigrations(connection, unreadable)
    missing = loader.missing() if connection is not None else []
    changes = unwritten_changes(loader)
    for label in labels.keys() - unreadable.keys():
        if (text := unmigrated_text(apps.get_app_config(label))) is not None:
            yield label, text
        if label in changes:
            yield label, changes[label]
        if names := [f"{of}.{name}" for of, name in missing if of == label]:
            listed = ", ".join(names)
            tried = apps.get_model("watching.MigrationFault").objects.filter(app=label).first()
            why = f" The last time: {tried.text}" if tried is not None else ""
            yield (
                label,
                f"Migrations are not applied: {listed}. Run `pagoda migrate`; it tells why one fails.{why}",
            )


def unreadable_migrations(labels: Iterable[str]) -> dict[str, str]:
    """Return ``{app label: sentence}`` of the plugins' apps whose migrations can't be read."""
    readable: set[str] = set()
    found: dict[str, str] = {}
    for label in labels:
        left_out = {*labels} - readable - {label}
        doing = f"The migrations of app {label!r} can't be read"
        try:
            with plugin_fence(ReasonCode.MIGRATIONS_MISSING, doing, "Correct them."):
                SomeMigrations(None, left_out)
        except PluginRefused as refused:
            found[label] = str(refused)
        else:
            readable.add(label)
    return found


def report_missing(registry: PluginRegistry) -> None:
    """Note at each plugin what is wrong with its migrations; call it when a server starts."""
    labels = plugin_labels(registry)
    if not labels:
        return
    try:
        for label, text in migration_faults(registry, connections["default"]):
            registry.report_fault(labels[label].id, ReasonCode.MIGRATIONS_MISSING, text)
    except DatabaseError:
        return  # readiness tells


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftBehind:
    """What the database still holds of an app that is not installed any more."""

    label: str
    tables: tuple[str, ...]

    def __str__(self) -> str:
        tables = f"the tables {', '.join(self.tables)}" if self.tables else "no table"
        return (
            f"App {self.label!r} is not installed, and the database holds its migrations and {tables}. "
            f"Enable its plugin again, or, to remove them, run `pagoda migrate {self.label} zero` meanwhile."
        )


def left_behind() -> list[LeftBehind]:
    """Return what plugins that are not enabled any more have left in the database.

    Raises:
        DatabaseError: the database can't be asked.
    """
    connection = connections["default"]
    known = {label for label, _ in MigrationRecorder(connection).applied_migrations()}
    tables = connection.introspection.table_names()
    return [
        LeftBehind(label=label, tables=tuple(name for name in tables if name.startswith(f"{label}_")))
        for label in sorted(known - set(apps.app_configs))
    ]


def _names(record: PluginRecord) -> set[str]:
    """Return the modules of its apps: an entry names a module or a config class in one."""
    entries = record.declared.django_apps if record.declared is not None else ()
    return {part for entry in entries for part in (entry, entry.rpartition(".apps.")[0])}
