"""The registry: it holds every enabled plugin and puts plugins in and out of service, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial

import structlog
from django.apps.registry import Apps
from django.core.exceptions import ImproperlyConfigured

from pagoda.config.accounts import is_plugins, plugin_account
from pagoda.fencing import Outcome, report_outcome
from pagoda.fencing.reporting import report_error
from pagoda.hooks.manager import HookManager
from pagoda.plugins import django_apps, task_declarations
from pagoda.plugins.configuration import PluginSettings, settings_of, withheld_settings
from pagoda.plugins.declaration import Declaration, declaration_of
from pagoda.plugins.digest import OperationRanges, digest_lines, registry_digest
from pagoda.plugins.fence import plugin_fence
from pagoda.plugins.loader import check_handlers, check_names
from pagoda.plugins.permissions import PluginPermissions, grants_of
from pagoda.plugins.records import Fault, PluginRecord, PluginRefused, PluginStatus, ReasonCode
from pagoda.plugins.selection import duplicate_name
from pagoda_plugin_sdk import __version__ as sdk_version
from pagoda_plugin_sdk import models
from pagoda_plugin_sdk.checking.load_watch import watched_load
from pagoda_plugin_sdk.checking.migrations import unmigrated_text
from pagoda_plugin_sdk.exceptions import PluginLoadError, near_misses
from pagoda_plugin_sdk.metadata import RESERVED_NAMES
from pagoda_plugin_sdk.plugin import Plugin
from pagoda_plugin_sdk.task_registry import TaskRegistry

log = structlog.get_logger(__name__)

Undo = Callable[[], None]

MODEL_LABELS = {
    "Entity": "entity.Entity",
    "Entry": "entry.Entry",
    "EntityAttr": "entity.EntityAttr",
    "Attribute": "entry.Attribute",
    "AttributeValue": "entry.AttributeValue",
    "User": "user.User",
    "Job": "job.Job",
}
"""``{name in pagoda_plugin_sdk.models: Django's label of the host's model}``"""


def inject_models(apps: Apps) -> None:
    """Bind the names of `pagoda_plugin_sdk.models`. Idempotent, and nothing once they are bound."""
    if not models.is_initialized():
        models.inject({name: apps.get_model(label) for name, label in MODEL_LABELS.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlModules:
    """The URL modules that an active plugin declares; the API service imports them."""

    plugin_id: str
    names: tuple[str, ...]  # the id and its aliases, all of them served
    api_v2_patterns: str | None  # dotted path, served under /api/v2/plugins/<name>/
    url_patterns: str | None  # dotted path, served under /plugins/<name>/
    console_patterns: str | None = None  # dotted path, served under /console/plugins/<name>/


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What plugins are registered with."""

    hooks: HookManager
    tasks: TaskRegistry
    apps: Apps
    plugin_settings: PluginSettings = field(default_factory=dict)
    account: str = (
        ""  # of this process at the database; a plugin's worker has the settings of its plugin alone
    )
    plugin_permissions: PluginPermissions = field(default_factory=dict)
    operation_ranges: OperationRanges = field(default_factory=dict)
    inject: Callable[[Apps], None] = inject_models
    load_seconds: float = 30.0  # for each step of a plugin's load


class PluginRegistry:
    """Holds the plugins of one process. Filled at start-up by one thread, read by all."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.faults: list[Fault] = []  # of the configuration, belonging to no plugin
        self._records: list[PluginRecord] = []
        self._holders: dict[str, PluginRecord] = {}  # by each name of those loaded or active
        self._undo: dict[PluginRecord, Undo] = {}
        self.packages: dict[str, str] = {}  # whose code is in which package, of the active plugins

    @property
    def records(self) -> tuple[PluginRecord, ...]:
        """Return all enabled plugins: in load order, then those that never got a place in it."""
        return tuple(sorted(self._records, key=lambda r: (r.order is None, r.order or 0)))

    @property
    def active(self) -> tuple[PluginRecord, ...]:
        """Return the plugins in service, in load order."""
        return tuple(record for record in self.records if record.is_active)

    @property
    def urls(self) -> tuple[UrlModules, ...]:
        """Return the URL modules of active plugins, in load order."""
        return tuple(_url_modules(r, r.declared) for r in self.active if r.declared is not None)

    def find(self, name: str) -> PluginRecord | None:
        """Return the plugin that `get` returns, or None."""
        named = (record for record in self._records if name in record.names)
        return self._holders.get(name) or next(named, None)

    def get(self, name: str) -> PluginRecord:
        """Return the plugin with this id or alias; a skipped one only when no other has the name.

        Raises:
            PluginLoadError: no enabled plugin has it; the closest names are given.
        """
        found = self.find(name)
        if found is not None:
            return found
        known = self.known_names()
        raise PluginLoadError(
            f"No enabled plugin is called {name!r}.{near_misses(name, known)} "
            f"Enabled: {', '.join(sorted(known)) or 'none'}."
        )

    def known_names(self) -> frozenset[str]:
        """Return every id and alias of the enabled plugins, whatever their status."""
        return frozenset(name for record in self._records for name in record.names)

    def names_beside(self, record: PluginRecord) -> frozenset[str]:
        """Return what other plugins than this one are called, and the host."""
        return (self.known_names() | RESERVED_NAMES) - frozenset(record.names)

    def enabled_accounts(self) -> frozenset[str] | None:
        """Return the accounts that enabled plugins may have, whatever their status.

        None: any, as the id of one is not known here, which may have been another's account.
        """
        if any(record.reason_code is ReasonCode.NOT_FOUND for record in self._records):
            return None
        return frozenset(map(plugin_account, self.known_names()))

    def add(self, record: PluginRecord) -> PluginRecord:
        """Hold an enabled plugin that is discovered."""
        self._records.append(record)
        return record

    def load(self, record: PluginRecord, plugin: Plugin) -> None:
        """Take the instance for `record` once its attributes, names, settings and handlers are checked.

        Raises:
            PluginRefused: one of them is wrong; the record is as before.
        """
        with plugin_fence(ReasonCode.INVALID_PLUGIN, f"{record.label} is invalid", "Correct its class."):
            declared = declaration_of(plugin)
        own_id = declared.id
        names = tuple(dict.fromkeys((own_id, record.entry_point_name or own_id, *record.aliases)))
        check_names(record.label, names)
        for name in names:
            if (holder := self._holders.get(name)) is not None:
                raise duplicate_name(name, holder.label, record.label)
        if is_plugins(self.host.account) and self.host.account != plugin_account(own_id):
            values = withheld_settings(declared, own_id)
        else:
            values = settings_of(declared, record.label, names, self.host.plugin_settings)
        with plugin_fence(ReasonCode.INVALID_PLUGIN, f"{record.label} is invalid", "Correct its class."):
            plugin.settings = values
            check_handlers(plugin, record.label)
        record.move(PluginStatus.LOADED)
        record.id, record.version, record.plugin = own_id, declared.version, plugin
        record.declared = declared
        record.grants = grants_of(declared.permissions, names, self.host.plugin_permissions)
        self._holders.update(dict.fromkeys(names, record))

    def activate(self, record: PluginRecord) -> None:
        """Register the hooks, tasks and Django apps of a loaded plugin: all, or nothing.

        The models are injected before ``ready()`` of its apps runs.

        Raises:
            PluginRefused: one of them can't be registered; nothing of the plugin is then.
        """
        if record.plugin is None or record.declared is None:
            raise ValueError(f"{record.label} is {record.status.value}, expected loaded. Call load() first.")
        with ExitStack() as undo:
            self._register(record, record.plugin, record.declared, undo)
            record.move(PluginStatus.ACTIVE)
            self._undo[record] = undo.pop_all().close
        self._note_packages()
        # At info this would be a tenth of what a plugin may cost; `plugins_started` names them all.
        log.debug("plugin_active", plugin=record.id, version=record.version)

    @contextmanager
    def loading(self, record: PluginRecord, code: ReasonCode, doing: str, remedy: str) -> Iterator[None]:
        """Fence a block that loads a plugin, and note what it does to the process.

        Raises:
            PluginRefused: the block raises anything, or takes too long; see `plugin_fence` for the rest.
        """
        report = partial(self._note_fault, record, ReasonCode.SIDE_EFFECTS)
        seconds = self.host.load_seconds
        with plugin_fence(code, doing, remedy), watched_load(seconds, "Loading it", report):
            yield

    def register(self, plugin: Plugin) -> Undo:
        """Put a plugin in service that no entry point provides; return what takes it out again.

        Raises:
            PluginRefused: it can't be; nothing of it is registered then.
        """
        record = self.add(PluginRecord(id=type(plugin).__qualname__, order=self._next_order()))
        try:
            self.load(record, plugin)
            self.activate(record)
        except BaseException:
            self._forget(record)
            raise
        return lambda: self.unregister(record.id)

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
        _report_skipped(record, refused)

    def report_fault(self, name: str, code: str, text: str) -> None:
        """Note what is wrong with a plugin that stays active, such as a URL module that fails to import."""
        self._note_fault(self.get(name), code, text)

    def report_configuration_fault(self, code: str, text: str) -> None:
        """Note what is wrong with the configuration of plugins and belongs to none of them."""
        self.faults.append(Fault(code=code, text=text))
        log.error("plugin_configuration_fault", code=code, text=text)

    def digest(self) -> str:
        """Return the registry digest: equal in processes that run the same plugins in the same way."""
        host = self.host
        return registry_digest(
            digest_lines(sdk_version, self._records, host.tasks, host.operation_ranges, host.hooks)
        )

    def _register(self, record: PluginRecord, plugin: Plugin, declared: Declaration, undo: ExitStack) -> None:
        host = self.host
        before, others = frozenset(host.tasks.get_all_configs()), self.names_beside(record)
        undo.enter_context(task_declarations.only_if_successful(host.tasks))
        undo.callback(task_declarations.forget, host.tasks, (record.id,))
        for alias in record.names[1:]:
            host.tasks.alias(alias, record.id)
            undo.callback(host.tasks.alias, alias, alias)
        undo.callback(host.hooks.unregister_plugin, record.id)
        self._register_hooks(record, plugin, declared)
        task_declarations.declare(host.tasks, declared.task_config, record.label, record.names, others)
        if declared.django_apps:
            installed = django_apps.install(host.apps, declared.django_apps, record.label)
            undo.callback(django_apps.remove, host.apps, installed)
            host.inject(host.apps)
            django_apps.make_ready(installed)
            for text in filter(None, map(unmigrated_text, installed.configs)):
                self._note_fault(record, ReasonCode.MIGRATIONS_MISSING, text)
        task_declarations.check_owners(host.tasks, record.label, record.names, before, others)
        task_declarations.check_functions(host.tasks, record.id, record.label)

    def _register_hooks(self, record: PluginRecord, plugin: Plugin, declared: Declaration) -> None:
        doing = f"{record.label}: a hook handler can't be registered"
        with plugin_fence(ReasonCode.BAD_SIGNATURE, doing, "Correct the handler."):
            for found in plugin._hook_handlers:
                self.host.hooks.register_hook(
                    found["hook_name"],
                    getattr(plugin, found["method_name"]),
                    plugin_id=record.id,
                    entity=found["entity"],
                    priority=found["priority"],
                    plugin_order=record.order or 0,
                    deferred=found["deferred"],
                    fail_closed=declared.fail_closed,
                )

    def _note_fault(self, record: PluginRecord, code: str, text: str) -> None:
        fault = Fault(code=code, text=text)
        if fault not in record.faults:
            record.faults.append(fault)
            log.error("plugin_fault", plugin=record.id, code=code, text=text)

    def _next_order(self) -> int:
        return max((r.order + 1 for r in self._records if r.order is not None), default=0)

    def _forget(self, record: PluginRecord) -> None:
        self._records.remove(record)
        self._release_names(record)
        self._note_packages()

    def _note_packages(self) -> None:
        found = [(each.declared.module, each.id) for each in self.active if each.declared is not None]
        self.packages.clear()
        # A module that is in no package stands for itself
        self.packages.update({module.rpartition(".")[0] or module: plugin_id for module, plugin_id in found})

    def _release_names(self, record: PluginRecord) -> None:
        for name in [name for name, holder in self._holders.items() if holder is record]:
            del self._holders[name]


def _report_skipped(record: PluginRecord, refused: PluginRefused) -> None:
    """Record that a plugin is skipped: an error with its traceback, unless safe mode is the reason."""
    if refused.reason_code is ReasonCode.SAFE_MODE:
        log.warning("plugin_skipped", plugin=record.id, reason_code=record.reason_code)
        return
    log.error(
        "plugin_skipped",
        plugin=record.id,
        distribution=record.distribution,
        reason_code=record.reason_code,
        reason=record.reason,
        exc_info=refused.__cause__,
    )
    code = str(record.reason_code)
    report_error(refused, plugin=record.id, surface="load", name=code, reason_code=code)
    report_outcome(
        Outcome(
            plugin=record.id, surface="load", name=code, result="raised", seconds=0.0, error=record.reason
        )
    )


def _url_modules(record: PluginRecord, declared: Declaration) -> UrlModules:
    return UrlModules(
        plugin_id=record.id,
        names=record.names,
        api_v2_patterns=declared.api_v2_patterns,
        url_patterns=declared.url_patterns,
        console_patterns=declared.console_patterns,
    )


def _nothing() -> None:
    """Stand for the undo of a plugin that was never active."""


class _RegistryOfProcess:
    """Holds the process's registry."""

    registry: PluginRegistry | None = None


def registry() -> PluginRegistry:
    """Return the process's registry.

    Raises:
        ImproperlyConfigured: Django is not set up yet.
    """
    if _RegistryOfProcess.registry is None:
        raise ImproperlyConfigured(
            "The plugins are not started: pagoda.plugins is not ready. Call django.setup() first, "
            "with 'pagoda.plugins' in INSTALLED_APPS."
        )
    return _RegistryOfProcess.registry


def install(new: PluginRegistry | None) -> PluginRegistry | None:
    """Make `new` the process's registry and return the one it replaces."""
    replaced, _RegistryOfProcess.registry = _RegistryOfProcess.registry, new
    return replaced
