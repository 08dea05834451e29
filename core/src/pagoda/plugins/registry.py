"""The registry: it holds every enabled plugin and puts plugins in and out of service, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

import structlog
from django.apps.registry import Apps

from pagoda.hooks.manager import HookManager
from pagoda.plugins import django_apps, task_declarations
from pagoda.plugins.configuration import PluginSettings, configure
from pagoda.plugins.digest import OperationRanges, digest_lines, registry_digest
from pagoda.plugins.fence import plugin_fence
from pagoda.plugins.handlers import check_handlers
from pagoda.plugins.injection import inject_models
from pagoda.plugins.loader import Undo, check_names
from pagoda.plugins.records import Fault, PluginRecord, PluginRefused, PluginStatus, ReasonCode
from pagoda.plugins.reports import report_skipped
from pagoda.plugins.selection import duplicate_name
from pagoda_plugin_sdk import __version__ as sdk_version
from pagoda_plugin_sdk.exceptions import PluginLoadError, near_misses
from pagoda_plugin_sdk.plugin import Plugin
from pagoda_plugin_sdk.task_registry import TaskRegistry

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlModules:
    """The URL modules that an active plugin declares; the API service imports them."""

    plugin_id: str
    names: tuple[str, ...]  # the id and its aliases, all of them served
    api_v2_patterns: str | None  # dotted path, served under /api/v2/plugins/<name>/
    url_patterns: str | None  # dotted path, served under /plugins/<name>/


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What plugins are registered with."""

    hooks: HookManager
    tasks: TaskRegistry
    apps: Apps
    plugin_settings: PluginSettings = field(default_factory=dict)
    operation_ranges: OperationRanges = field(default_factory=dict)
    inject: Callable[[Apps], None] = inject_models


class PluginRegistry:
    """Holds the plugins of one process. Filled at start-up by one thread, read by all."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.faults: list[Fault] = []  # of the configuration, belonging to no plugin
        self._records: list[PluginRecord] = []
        self._holders: dict[str, PluginRecord] = {}  # by each name of those loaded or active
        self._undo: dict[PluginRecord, Undo] = {}

    @property
    def records(self) -> tuple[PluginRecord, ...]:
        """Return all enabled plugins: in load order, then those that never got a place in it."""
        return tuple(sorted(self._records, key=lambda r: (r.order is None, r.order or 0)))

    @property
    def active(self) -> tuple[PluginRecord, ...]:
        """Return the plugins in service, in load order."""
        return tuple(record for record in self.records if record.is_active)

    @property
    def has_active(self) -> bool:
        """Return whether any plugin is in service."""
        return any(record.is_active for record in self._records)

    @property
    def urls(self) -> tuple[UrlModules, ...]:
        """Return the URL modules of active plugins, in load order."""
        return tuple(_url_modules(r, r.plugin) for r in self.active if r.plugin is not None)

    def get(self, name: str) -> PluginRecord:
        """Return the plugin with this id or alias; a skipped one only when no other has the name.

        Raises:
            PluginLoadError: no enabled plugin has it; the closest names are given.
        """
        if name in self._holders:
            return self._holders[name]
        for record in self._records:
            if name in record.names:
                return record
        known = self.known_names()
        raise PluginLoadError(
            f"No enabled plugin is called {name!r}.{near_misses(name, known)} "
            f"Enabled: {', '.join(sorted(known)) or 'none'}."
        )

    def known_names(self) -> frozenset[str]:
        """Return every id and alias of the enabled plugins, whatever their status."""
        return frozenset(name for record in self._records for name in record.names)

    def add(self, record: PluginRecord) -> PluginRecord:
        """Hold an enabled plugin that is discovered."""
        self._records.append(record)
        return record

    def load(self, record: PluginRecord, plugin: Plugin) -> None:
        """Take the instance for `record` once its names, settings and handlers are checked.

        Raises:
            PluginRefused: one of them is wrong; the record is as before.
        """
        names = tuple(dict.fromkeys((plugin.id, record.entry_point_name or plugin.id, *record.aliases)))
        check_names(record.label, names)
        for name in names:
            if (holder := self._holders.get(name)) is not None:
                raise duplicate_name(name, holder.label, record.label)
        configure(plugin, record.label, names, self.host.plugin_settings)
        check_handlers(plugin, record.label)
        record.move(PluginStatus.LOADED)
        record.id, record.version, record.plugin = plugin.id, plugin.version, plugin
        self._holders.update(dict.fromkeys(names, record))

    def activate(self, record: PluginRecord) -> None:
        """Register the hooks, tasks and Django apps of a loaded plugin: all, or nothing.

        The models are injected before ``ready()`` of its apps runs.

        Raises:
            PluginRefused: one of them can't be registered; nothing of the plugin is then.
        """
        if record.plugin is None:
            raise ValueError(f"{record.label} is {record.status.value}, expected loaded. Call load() first.")
        with ExitStack() as undo:
            self._register(record, record.plugin, undo)
            record.move(PluginStatus.ACTIVE)
            self._undo[record] = undo.pop_all().close
        # At info this would be a tenth of what a plugin may cost; `plugins_started` names them all.
        log.debug("plugin_active", plugin=record.id, version=record.version)

    def register(self, plugin: Plugin) -> Undo:
        """Put a plugin in service that no entry point provides; return what takes it out again.

        Raises:
            PluginRefused: it can't be; nothing of it is registered then.
        """
        record = self.add(PluginRecord(id=plugin.id, order=self._next_order()))
        try:
            self.load(record, plugin)
            self.activate(record)
        except BaseException:
            self._forget(record)
            raise
        return lambda: self.unregister(plugin.id)

    def unregister(self, name: str) -> None:
        """Take a plugin out and forget it: hooks, tasks, Django apps, names."""
        record = self.get(name)
        self._undo.pop(record, _nothing)()
        self._forget(record)

    def skip(self, record: PluginRecord, refused: PluginRefused) -> None:
        """Mark a plugin skipped, with the refusal's reason."""
        mine = [name for name in record.names if self._holders.get(name, record) is record]
        task_declarations.forget(self.host.tasks, mine)  # importing its module may have registered some
        record.skip(refused.reason_code, str(refused))
        self._release_names(record)
        report_skipped(record, refused)

    def report_fault(self, name: str, code: str, text: str) -> None:
        """Note what is wrong with a plugin that stays active, such as a URL module that fails to import."""
        record = self.get(name)
        record.faults.append(Fault(code=code, text=text))
        log.error("plugin_fault", plugin=record.id, code=code, text=text)

    def report_configuration_fault(self, code: str, text: str) -> None:
        """Note what is wrong with the configuration of plugins and belongs to none of them."""
        self.faults.append(Fault(code=code, text=text))
        log.error("plugin_configuration_fault", code=code, text=text)

    def quarantine(self, name: str, reason: str) -> None:
        """Take an active plugin's handlers out of service while the host runs; `release` puts them back."""
        record = self.get(name)
        record.move(PluginStatus.QUARANTINED)
        record.reason_code, record.reason = ReasonCode.QUARANTINED, reason
        self.host.hooks.unregister_plugin(record.id)
        log.error("plugin_quarantined", plugin=record.id, reason=reason)

    def release(self, name: str) -> None:
        """Put a quarantined plugin back into service."""
        record = self.get(name)
        record.move(PluginStatus.ACTIVE)
        record.reason_code, record.reason = None, ""
        if record.plugin is not None:
            self._register_hooks(record, record.plugin)
        log.info("plugin_released", plugin=record.id)

    def digest(self) -> str:
        """Return the registry digest: equal in processes that run the same plugins in the same way."""
        host = self.host
        return registry_digest(
            digest_lines(sdk_version, self._records, host.tasks, host.operation_ranges, host.hooks)
        )

    def _register(self, record: PluginRecord, plugin: Plugin, undo: ExitStack) -> None:
        host = self.host
        before = frozenset(host.tasks.get_all_configs())
        undo.enter_context(task_declarations.only_if_successful(host.tasks))
        undo.callback(task_declarations.forget, host.tasks, (plugin.id,))
        for alias in record.names[1:]:
            host.tasks.alias(alias, plugin.id)
            undo.callback(host.tasks.alias, alias, alias)
        undo.callback(host.hooks.unregister_plugin, plugin.id)
        self._register_hooks(record, plugin)
        task_declarations.declare(host.tasks, plugin, record.label, record.names)
        if plugin.django_apps:
            installed = django_apps.install(host.apps, plugin.django_apps, record.label)
            undo.callback(django_apps.remove, host.apps, installed)
            host.inject(host.apps)
            django_apps.make_ready(installed)
        task_declarations.check_owners(host.tasks, record.label, record.names, before)
        task_declarations.check_functions(host.tasks, plugin, record.label)

    def _register_hooks(self, record: PluginRecord, plugin: Plugin) -> None:
        doing = f"{record.label}: a hook handler can't be registered"
        with plugin_fence(ReasonCode.BAD_SIGNATURE, doing, "Correct the handler."):
            for declared in plugin._hook_handlers:
                self.host.hooks.register_hook(
                    declared["hook_name"],
                    getattr(plugin, declared["method_name"]),
                    plugin_id=plugin.id,
                    entity=declared["entity"],
                    priority=declared["priority"],
                    plugin_order=record.order or 0,
                    deferred=declared["deferred"],
                    fail_closed=plugin.fail_closed,
                )

    def _next_order(self) -> int:
        return max((r.order + 1 for r in self._records if r.order is not None), default=0)

    def _forget(self, record: PluginRecord) -> None:
        self._records.remove(record)
        self._release_names(record)

    def _release_names(self, record: PluginRecord) -> None:
        for name in [name for name, holder in self._holders.items() if holder is record]:
            del self._holders[name]


def _url_modules(record: PluginRecord, plugin: Plugin) -> UrlModules:
    return UrlModules(
        plugin_id=record.id,
        names=record.names,
        api_v2_patterns=plugin.api_v2_patterns,
        url_patterns=plugin.url_patterns,
    )


def _nothing() -> None:
    """Stand for the undo of a plugin that was never active."""
