"""What a worker serves: the host's own jobs, or one plugin's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from pagoda.config.settings import WorkerConfig
from pagoda.jobs.operations import CORE_QUEUE
from pagoda.plugins.records import PluginRecord
from pagoda_plugin_sdk.exceptions import PagodaError

CORE = "core"
"""Names the host's own jobs where a plugin is named."""


class TargetError(PagodaError):
    """A worker is asked to serve what it can't."""

    code: ClassVar[str] = "unknown_worker_target"


class Plugins(Protocol):
    """The plugin registry, as workers see it."""

    @property
    def active(self) -> Sequence[PluginRecord]:
        """Return the plugins in service, in load order."""
        ...

    def get(self, name: str) -> PluginRecord:
        """Return the enabled plugin with this id or alias; raises an error with the near misses."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One queue, and the size of the worker that serves it."""

    name: str  # "core", or the plugin's id
    queue: str
    concurrency: int  # jobs at once, each in a process of its own
    memory_mb: int  # a job may take so much; a process that holds more after its job is replaced


def all_targets(plugins: Plugins, config: Mapping[str, WorkerConfig]) -> tuple[Target, ...]:
    """Return the host's own target and one per active plugin, in load order.

    `config` is ``{plugin id or alias, or "core": size}``.

    Raises:
        TargetError: it sizes one plugin twice.
    """
    return (_core(config), *(_of(record, config) for record in plugins.active))


def find(name: str, plugins: Plugins, config: Mapping[str, WorkerConfig]) -> Target:
    """Return the target of plugin `name` (its id or an alias), or the host's own for ``core``.

    Raises:
        PagodaError: no such plugin is enabled, or it is not active; the message says which and why.
    """
    if name == CORE:
        return _core(config)
    record = plugins.get(name)
    if not record.is_active:
        raise TargetError(
            f"Plugin {record.id!r} is {record.status.value} ({record.reason_code or 'no reason code'}), "
            f"so its jobs can't be served: {record.reason or 'no reason is known.'}"
        )
    return _of(record, config)


def _core(config: Mapping[str, WorkerConfig]) -> Target:
    return _sized(CORE, CORE_QUEUE, config.get(CORE))


def _of(record: PluginRecord, config: Mapping[str, WorkerConfig]) -> Target:
    held = [name for name in record.names if name in config]
    if len(held) > 1:
        raise TargetError(
            f"PLUGIN_WORKER_CONFIG has plugin {record.id!r} twice, "
            f"as {' and as '.join(map(repr, held))}. Keep one."
        )
    return _sized(record.id, f"plugin.{record.id}", config[held[0]] if held else None)


def _sized(name: str, queue: str, size: WorkerConfig | None) -> Target:
    size = size or WorkerConfig()
    return Target(name=name, queue=queue, concurrency=size.concurrency, memory_mb=size.memory_mb)
