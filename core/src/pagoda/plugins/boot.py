"""Start the process's plugins: discover, check compatibility, order, load, register, in that order.

A plugin that fails at one step is skipped there, with its reason, and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import structlog
from django.apps.registry import Apps

from pagoda.config.settings import Settings
from pagoda.fencing.interrupts import tell_interrupts_apart
from pagoda.hooks.manager import manager
from pagoda.plugins import overrides, task_declarations
from pagoda.plugins.candidates import Candidate, Catalogue
from pagoda.plugins.discovery import discover
from pagoda.plugins.fence import plugin_fence
from pagoda.plugins.loader import check_compatibility, importable, load_plugin
from pagoda.plugins.lock import check_pin
from pagoda.plugins.ordering import Node, dependency_skipped, load_order
from pagoda.plugins.permissions import line_to_add
from pagoda.plugins.records import PluginRecord, PluginRefused, PluginStatus, ReasonCode
from pagoda.plugins.registry import Host, PluginRegistry, install
from pagoda.plugins.selection import Selected, select
from pagoda_plugin_sdk.checking.requirements import installed_versions, requires_sdk
from pagoda_plugin_sdk.exceptions import PluginLoadError, near_misses
from pagoda_plugin_sdk.task_registry import PluginTaskRegistry

log = structlog.get_logger(__name__)

before_plugins: list[Callable[[], None]] = []
"""Called when all of the host is loaded and nothing of a plugin: a server that stands by waits here."""


class PluginBootError(PluginLoadError):
    """Plugins are at fault and PAGODA_PLUGIN_STRICT is set; the message lists all faults."""

    code: ClassVar[str] = "plugin_boot_error"

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        listed = "\n".join(f"  - {fault}" for fault in faults)
        super().__init__(
            f"The plugins have {len(faults)} fault(s), and PAGODA_PLUGIN_STRICT lets none pass:\n{listed}"
        )


def start(settings: Settings, apps: Apps) -> PluginRegistry:
    """Make the process's registry and start the enabled plugins.

    The registry is reachable even when this raises, so that a command can show what is wrong.

    Raises:
        PluginBootError: PAGODA_PLUGIN_STRICT is set and something is at fault.
        ImproperlyConfigured: BACKEND_PLUGIN_ENTITY_OVERRIDES is at fault.
    """
    for call in before_plugins:
        call()
    registry = PluginRegistry(
        Host(
            hooks=manager(),
            tasks=PluginTaskRegistry,
            apps=apps,
            account=settings.database_account,
            plugin_settings=settings.plugin_settings,
            plugin_permissions=settings.plugin_permissions,
            operation_ranges=settings.plugin_operation_id_config,
            load_seconds=settings.plugin_load_timeout_seconds,
        )
    )
    install(registry)
    boot(registry, settings)
    overrides.bind(registry, settings.backend_plugin_entity_overrides)
    return registry


def boot(registry: PluginRegistry, settings: Settings) -> None:
    """Fill the registry with the enabled plugins.

    Raises:
        PluginBootError: PAGODA_PLUGIN_STRICT is set and something is at fault; it lists everything.
    """
    tell_interrupts_apart()
    registry.host.inject(registry.host.apps)  # first: plugin code imports the models
    run = _Boot(registry, settings, discover(settings.plugin_examples_dir))
    run.select()
    steps = (run.check_compatibility, run.order_by_source, run.load, run.order_by_class, run.activate)
    for step in (run.skip_all,) if settings.pagoda_safe_mode else steps:
        step()
        run.drop_skipped()
    run.check_settings()
    _report(registry, settings)


def faults(registry: PluginRegistry) -> tuple[str, ...]:
    """Return a sentence for everything that is wrong with the plugins and their configuration."""
    of_plugins: list[str] = []
    for record in registry.records:
        if record.status is PluginStatus.SKIPPED and record.reason_code is not ReasonCode.SAFE_MODE:
            of_plugins.append(record.reason)
        of_plugins += [f"{record.label}: {fault.text}" for fault in record.faults]
    return (*of_plugins, *(fault.text for fault in registry.faults))


@dataclass(frozen=True, slots=True)
class _Found:
    """A discovered plugin on its way through the steps."""

    record: PluginRecord
    candidate: Candidate


class _Boot:
    """One run of the steps; `found` holds the plugins that none of them has skipped so far."""

    def __init__(self, registry: PluginRegistry, settings: Settings, catalogue: Catalogue) -> None:
        self.registry = registry
        self.settings = settings
        self.catalogue = catalogue
        self.found: list[_Found] = []

    def select(self) -> None:
        for chosen in select(self.settings.enabled_plugins, self.catalogue):
            record = self.registry.add(_record(chosen))
            if chosen.refused is not None:
                self.registry.skip(record, chosen.refused)
            elif chosen.candidate is not None:
                self.found.append(_Found(record, chosen.candidate))

    def skip_all(self) -> None:
        for item in self.found:
            text = f"{item.record.label} is off: PAGODA_SAFE_MODE starts the host without plugins. Unset it."
            self._skip(item, PluginRefused(ReasonCode.SAFE_MODE, text))

    def check_compatibility(self) -> None:
        version_of = installed_versions()
        for item in self.found:
            doing = f"{item.record.label}: what is installed of it can't be checked"
            with self._skipping(item), plugin_fence(ReasonCode.BAD_METADATA, doing, "Reinstall it."):
                check_pin(item.candidate, _lock_names(item.candidate), self.settings.plugin_lock)
                check_compatibility(item.candidate, version_of)
                if not requires_sdk(item.candidate.distribution.requires):
                    log.warning("plugin_without_sdk_requirement", plugin=item.record.id)

    def order_by_source(self) -> None:
        """Order by the dependencies that the sources write down: a plugin with a gap never runs any code."""
        candidates = {item.candidate.name: item.candidate for item in self.found}
        declared = {key: candidate.declared_dependencies() for key, candidate in candidates.items()}
        wanted = {name for names in declared.values() for name in names}
        by_id = bool(wanted - set(declared))  # only then are ids worth the reading
        self._order(
            [
                Node(key=key, names=_source_names(candidate, by_id=by_id), dependencies=declared[key])
                for key, candidate in candidates.items()
            ]
        )

    def load(self) -> None:
        for item in self.found:
            doing, remedy = f"{item.record.label} can't be loaded", "Correct it."
            with (
                self._skipping(item),
                importable(item.candidate.distribution),
                self.registry.loading(item.record, ReasonCode.INVALID_PLUGIN, doing, remedy),
            ):
                self._load_one(item)

    def order_by_class(self) -> None:
        """Order again by the loaded classes: dependencies may be computed or inherited."""
        self._order(
            [
                Node(
                    key=item.candidate.name,
                    names=item.record.names,
                    dependencies=_dependencies(item.record),
                )
                for item in self.found
            ]
        )

    def activate(self) -> None:
        for item in self.found:
            doing, remedy = f"{item.record.label} can't be put in service", "Correct it."
            with (
                self._skipping(item),
                self.registry.loading(item.record, ReasonCode.INVALID_PLUGIN, doing, remedy),
            ):
                self._check_dependencies_active(item)
                self.registry.activate(item.record)

    def check_settings(self) -> None:
        """Report names in settings that nothing provides; installed but disabled plugins may stay."""
        plugins = self.registry.known_names()
        # The host's own worker is sized beside those of plugins, as "core"
        for setting, known in (
            ("plugin_settings", plugins),
            ("plugin_lock", plugins),
            ("plugin_permissions", plugins),
            ("plugin_worker_config", {*plugins, "core"}),
        ):
            for name in getattr(self.settings, setting):
                if name not in known and not self.catalogue.find(name):
                    self.registry.report_configuration_fault(
                        ReasonCode.UNKNOWN_PLUGIN,
                        f"{setting.upper()} names plugin {name!r}, but nothing provides it."
                        f"{near_misses(name, known)} Correct the name or remove it.",
                    )
        with_tasks = self.registry.host.tasks.get_all_configs()
        for name in self.settings.plugin_operation_id_config:
            record = self.registry.find(name)
            if record is not None and record.is_active and record.id not in with_tasks:
                self.registry.report_fault(
                    name,
                    ReasonCode.NO_TASKS,
                    f"It has a range in PLUGIN_OPERATION_ID_CONFIG, as {name!r}, and no tasks. Register them "
                    "as `task_config` or in ready() of an app of `django_apps`, or remove the range.",
                )
        for unreadable in self.catalogue.unreadable:
            log.warning("plugin_metadata_unreadable", distribution=unreadable.name, fault=unreadable.fault)
        for fault in self.catalogue.faults:
            self.registry.report_configuration_fault(fault.code, fault.text)

    def drop_skipped(self) -> None:
        self.found = [item for item in self.found if item.record.status is not PluginStatus.SKIPPED]

    def _load_one(self, item: _Found) -> None:
        tasks = self.registry.host.tasks
        before = frozenset(tasks.get_all_configs())
        with task_declarations.only_if_successful(tasks):
            plugin = load_plugin(item.candidate)
            self.registry.load(item.record, plugin)
            task_declarations.check_owners(
                tasks, item.record.label, item.record.names, before, self.registry.names_beside(item.record)
            )

    def _order(self, nodes: list[Node]) -> None:
        skipped = {
            name: record.id
            for record in self.registry.records
            if record.status is PluginStatus.SKIPPED
            for name in record.names
        }
        order = load_order(nodes, skipped, self._explain_missing)
        items = {item.candidate.name: item for item in self.found}
        for key, refused in order.refused.items():
            self._skip(items[key], refused)
        for place, key in enumerate(order.keys):
            items[key].record.order = place
        self.found = [items[key] for key in order.keys]

    def _explain_missing(self, name: str) -> str:
        if found := self.catalogue.find(name):
            return f"It is installed: add {found[0].name!r} to ENABLED_PLUGINS."
        hint = near_misses(name, self.catalogue.names())
        return f"Nothing installed provides it.{hint} Install it and add it to ENABLED_PLUGINS."

    def _check_dependencies_active(self, item: _Found) -> None:
        for name in _dependencies(item.record):
            if not (dependency := self.registry.get(name)).is_active:
                raise dependency_skipped(item.candidate.name, dependency.id)

    @contextmanager
    def _skipping(self, item: _Found) -> Iterator[None]:
        """Skip the plugin when the block refuses it."""
        try:
            yield
        except PluginRefused as refused:
            self._skip(item, refused)

    def _skip(self, item: _Found, refused: PluginRefused) -> None:
        """Skip a plugin under the id that its source gives, as settings may name it by that."""
        if item.record.status is PluginStatus.DISCOVERED:
            item.record.id = item.candidate.facts().id or item.record.id
        self.registry.skip(item.record, refused)


def _record(chosen: Selected) -> PluginRecord:
    candidate = chosen.candidate
    if candidate is None:
        return PluginRecord(id=chosen.name)
    return PluginRecord(
        id=candidate.name,
        entry_point_name=candidate.name,
        distribution=candidate.distribution.name,
        version=candidate.distribution.version,
        distribution_version=candidate.distribution.version,
    )


def _dependencies(record: PluginRecord) -> tuple[str, ...]:
    return record.declared.dependencies if record.declared is not None else ()


def _lock_names(candidate: Candidate) -> tuple[str, ...]:
    named = (candidate.name, candidate.distribution.name, candidate.facts().id)
    return tuple(name for name in named if name is not None)


def _source_names(candidate: Candidate, *, by_id: bool) -> tuple[str, ...]:
    plugin_id = candidate.facts().id if by_id else None
    return (candidate.name,) if plugin_id is None else (candidate.name, plugin_id)


def _report(registry: PluginRegistry, settings: Settings) -> None:
    log.info(
        "plugins_started",
        active=[record.id for record in registry.active],
        skipped=[record.id for record in registry.records if not record.is_active],
        digest=registry.digest(),
    )
    for record in registry.active:
        if missing := record.grants.missing:
            log.warning(
                "plugin_permissions_not_granted",
                plugin=record.id,
                missing=[str(each) for each in missing],
                remedy=f"if it may, put into PLUGIN_PERMISSIONS: {line_to_add(record.id, missing)}",
            )
    if settings.pagoda_plugin_strict and (found := faults(registry)):
        raise PluginBootError(found)
