"""What the host holds of a plugin beside its code: told before it is removed, exported, and purged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.apps import apps
from django.apps.registry import Apps
from django.core import serializers
from django.core.management import call_command
from django.db import DatabaseError, connection, models
from django.db.migrations.loader import MigrationLoader

from pagoda.config.accounts import plugin_account
from pagoda.config.settings import Settings
from pagoda.plugins.migrations import plugin_labels
from pagoda.plugins.registry import PluginRegistry
from pagoda_plugin_sdk.exceptions import PluginLoadError
from pagoda_plugin_sdk.operations import JobStatus

UNFINISHED = (JobStatus.PREPARING, JobStatus.PROCESSING)

OF_PLUGINS = ("watching.PermissionUse", "fencing.Breaker", "fencing.PluginSwitch")
"""Models of the host whose rows are about one plugin, and nothing without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remains:
    """What there is of one plugin."""

    plugin_id: str
    names: tuple[str, ...]  # id and aliases
    labels: tuple[str, ...]  # of its Django apps, where it is active
    settings: Settings

    @property
    def jobs(self) -> models.QuerySet[Any]:
        """Its jobs."""
        found: models.QuerySet[Any] = apps.get_model("job.Job").objects.filter(plugin=self.plugin_id)
        return found

    def tables(self) -> Iterator[tuple[str, int]]:
        """Yield ``(table, number of rows)`` of its apps."""
        there = set(connection.introspection.table_names())
        for model in self._models():
            if model._meta.db_table in there:
                yield model._meta.db_table, model._base_manager.count()

    def told(self, *, is_purged: bool) -> Iterator[str]:
        """Yield a line for each thing that stays or goes."""
        try:
            yield from self._told_by_database("goes" if is_purged else "stays")
        except DatabaseError as error:  # there is none yet, or it can't be asked
            yield f"what the database holds of it is not known: {str(error).partition(chr(10))[0]}"
        yield "entities and entries, whoever wrote them: stay, as they are the host's"
        yield f"queue plugin.{self.plugin_id}: no worker serves it once the workers are started anew"
        account = plugin_account(self.plugin_id)
        yield f"account {account} at database and broker: loses its rights at the next `pagoda migrate`"
        yield from self._told_of_account(account) if is_purged else ()
        for name in self.names:
            if name in self.settings.plugin_operation_id_config:
                ids = self.settings.plugin_operation_id_config[name]
                yield f"operation ids {ids}: stay its own until PLUGIN_OPERATION_ID_CONFIG gives them away"

    def _told_of_account(self, account: str) -> Iterator[str]:
        """Yield what takes away for good what the servers hold, which the host may not do itself."""
        queue = f"plugin.{self.plugin_id}"
        if connection.vendor == "postgresql":
            yield f'  then, as a superuser: DROP OWNED BY "{account}"; DROP ROLE IF EXISTS "{account}";'
        broker = self.settings.broker_url
        if broker is not None and broker.get_secret_value().startswith("redis"):
            yield f"  at Redis: DEL {queue}, ACL DELUSER {account} and ACL SAVE"
        if broker is not None and broker.get_secret_value().startswith("amqp"):
            yield f"  at RabbitMQ: rabbitmqctl delete_queue {queue} and rabbitmqctl delete_user {account}"

    def _told_by_database(self, fate: str) -> Iterator[str]:
        for table, rows in self.tables():
            yield f"table {table} with {rows:,} row(s): {fate}"
        if rights := self._rights().count():
            yield f"{rights:,} permission(s) of its models, and who was given them: {fate}"
        waiting = self.jobs.filter(status__in=UNFINISHED).count()
        yield f"{self.jobs.count():,} job(s), of which {waiting:,} wait or run: {fate}"
        if waiting and fate == "stays":
            yield f"  they wait until it is back; `pagoda jobs list --plugin {self.plugin_id}` shows them"

    def export(self, path: Path) -> None:
        """Write its rows and jobs into a new file, as `pagoda manage loaddata` reads them.

        Raises:
            PluginLoadError: the file is there already.
        """
        rows = [row for model in self._models() for row in model._base_manager.order_by("pk")]
        try:
            with path.open("x", encoding="utf-8") as file:
                serializers.serialize("json", [*rows, *self.jobs.order_by("pk")], stream=file, indent=1)
        except FileExistsError as error:
            raise PluginLoadError(f"{str(path)!r} is there already. Name another file.") from error

    def purge(self) -> None:
        """Remove its tables, their permissions, its jobs and what it was switched to, for good.

        Raises:
            PluginLoadError: a job of it runs; nothing is removed then.
        """
        held = self.jobs.filter(finished_at=None).exclude(lease_owner="")
        running = list(held.values_list("pk", flat=True)[:10])
        if running:
            listed = ", ".join(map(str, running))
            raise PluginLoadError(
                f"Jobs of {self.plugin_id!r} run: {listed}. Cancel them, or wait until they end."
            )
        self.jobs.delete()
        for name in OF_PLUGINS:
            apps.get_model(name).objects.filter(plugin=self.plugin_id).delete()
        for label in self.labels:
            call_command("migrate", label, "zero", verbosity=0, interactive=False)
        types = _models_there().get_model("contenttypes", "ContentType")
        types.objects.filter(app_label__in=self.labels).delete()

    def _rights(self) -> models.QuerySet[Any]:
        found: models.QuerySet[Any] = apps.get_model("auth.Permission").objects.filter(
            content_type__app_label__in=self.labels
        )
        return found

    def _models(self) -> Sequence[type[models.Model]]:
        found = [model for label in self.labels for model in apps.get_app_config(label).get_models()]
        return [model for model in found if model._meta.managed and not model._meta.proxy]


def _models_there() -> Apps:
    """Return the models that have tables now: deleting a row asks those of all that may point to it."""
    loader = MigrationLoader(connection)
    found: Apps = loader.project_state(
        [key for key in loader.applied_migrations if key in loader.graph.nodes]
    ).apps
    return found


def remains_of(registry: PluginRegistry, settings: Settings, name: str, plugin_id: str) -> Remains:
    """Return what there is of the plugin that is called `name`; its tables are known where it is active."""
    record = next((each for each in registry.active if name in each.names or plugin_id in each.names), None)
    labels = [label for label, owner in plugin_labels(registry).items() if owner is record]
    known = (plugin_id, name) if record is None else record.names
    return Remains(
        plugin_id=plugin_id if record is None else record.id,
        names=tuple(dict.fromkeys(known)),
        labels=tuple(labels) if record is not None else (),
        settings=settings,
    )
