"""What the host knows of each enabled plugin: its status, and why it is not active."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from pagoda.plugins.permissions import PluginGrants
from pagoda_plugin_sdk.exceptions import PluginError

if TYPE_CHECKING:
    from pagoda.plugins.declaration import Declaration
    from pagoda_plugin_sdk.plugin import Plugin


class PluginStatus(enum.StrEnum):
    """Where a plugin stands."""

    DISCOVERED = "discovered"  # enabled and found, none of its code has run
    LOADED = "loaded"  # its class is imported and valid
    ACTIVE = "active"  # its hooks, tasks, apps and URLs are registered
    SKIPPED = "skipped"  # refused at some step; nothing of it is registered


class ReasonCode(enum.StrEnum):
    """Why a plugin is skipped or at fault. The values are stable."""

    NOT_FOUND = "not_found"  # nothing installed provides the enabled name
    SAFE_MODE = "safe_mode"  # the host runs without plugins on purpose
    DUPLICATE_NAME = "duplicate_name"  # another plugin has its id or alias already
    RESERVED_NAME = "reserved_name"  # its id or alias is a name of the host's
    BAD_METADATA = "bad_metadata"  # its distribution's metadata can't be read
    INCOMPATIBLE_SDK = "incompatible_sdk"  # made for another version of the SDK
    MISSING_REQUIREMENT = "missing_requirement"  # another distribution is absent or of another version
    INCOMPATIBLE_PYTHON = "incompatible_python"  # made for another version of Python
    DEPENDENCY_MISSING = "dependency_missing"  # a plugin it depends on is not enabled
    DEPENDENCY_CYCLE = "dependency_cycle"  # it depends on itself, by way of others
    DEPENDENCY_SKIPPED = "dependency_skipped"  # a plugin it depends on is skipped
    IMPORT_FAILED = "import_failed"  # importing its module raises
    NOT_A_PLUGIN = "not_a_plugin"  # its entry point names no subclass of Plugin
    INVALID_PLUGIN = "invalid_plugin"  # its class breaks the contract
    BAD_SETTINGS = "bad_settings"  # PLUGIN_SETTINGS does not fit its settings model
    UNKNOWN_HOOK = "unknown_hook"  # it handles a hook that does not exist
    BAD_SIGNATURE = "bad_signature"  # a handler can't take its hook's arguments
    APP_LABEL_CLASH = "app_label_clash"  # a Django app of it has a label that is taken
    APP_FAILED = "app_failed"  # a Django app of it, or its models, can't be installed
    READY_FAILED = "ready_failed"  # ready() of a Django app of it raises
    BAD_TASKS = "bad_tasks"  # its tasks are declared for another plugin, or twice
    TASK_NOT_FOUND = "task_not_found"  # a declared task function does not exist or fails to import
    TASK_OFFSET_MISMATCH = "task_offset_mismatch"  # decorator and declaration disagree on a task's offset
    URLS_FAILED = "urls_failed"  # a URL module of it can't be served; the rest of it is active
    SIDE_EFFECTS = "side_effects"  # loading it changed the process; that was put back, it is active
    MIGRATIONS_MISSING = "migrations_missing"  # its tables are not as its models; the rest of it is active
    LOCK_MISMATCH = "lock_mismatch"  # it is not what PLUGIN_LOCK pins
    NO_TASKS = "no_tasks"  # it has a range of operation ids and no tasks; it is active
    OVERRIDE_OFF = "override_off"  # it is bound to an entity's operations, and out of service
    UNKNOWN_PLUGIN = "unknown_plugin"  # a setting names a plugin that nothing provides


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something wrong that does not stop a plugin, or that belongs to no plugin."""

    code: str  # a `ReasonCode`, or a code of the service that reports it
    text: str


class PluginRefused(PluginError):
    """A step of the runtime refuses a plugin; it is skipped with this reason."""

    code: ClassVar[str] = "plugin_refused"

    def __init__(self, reason_code: ReasonCode, text: str) -> None:
        super().__init__(text)
        self.reason_code = reason_code


_TRANSITIONS: Mapping[PluginStatus, frozenset[PluginStatus]] = {
    PluginStatus.DISCOVERED: frozenset({PluginStatus.LOADED, PluginStatus.SKIPPED}),
    PluginStatus.LOADED: frozenset({PluginStatus.ACTIVE, PluginStatus.SKIPPED}),
    PluginStatus.ACTIVE: frozenset(),
    PluginStatus.SKIPPED: frozenset(),
}


@dataclass(slots=True, kw_only=True, eq=False)
class PluginRecord:
    """One enabled plugin. Read it freely; only the registry changes it."""

    id: str  # Plugin.id; the enabled name while the class is not loaded
    entry_point_name: str = ""  # empty when nothing provides it
    distribution: str = ""  # name of the distribution it comes from
    version: str = ""  # Plugin.version; the distribution's while the class is not loaded
    distribution_version: str = ""
    aliases: tuple[str, ...] = ()  # other names it is known by
    order: int | None = None  # place in the load order, from 0; None when it never got one
    status: PluginStatus = PluginStatus.DISCOVERED
    reason_code: ReasonCode | None = None
    reason: str = ""
    faults: list[Fault] = field(default_factory=list)  # what is wrong although it is active
    plugin: Plugin | None = None  # for its handlers; what it declares is in `declared`
    declared: Declaration | None = None
    grants: PluginGrants = field(default_factory=PluginGrants)

    @property
    def names(self) -> tuple[str, ...]:
        """Return every name it answers to, its id first."""
        return tuple(dict.fromkeys((self.id, self.entry_point_name or self.id, *self.aliases)))

    @property
    def label(self) -> str:
        """Return the beginning of a message about it."""
        return plugin_label(self.entry_point_name or self.id, self.distribution)

    @property
    def settings(self) -> Any:
        """Return the plugin's validated settings, an instance of its own model."""
        return None if self.plugin is None else self.plugin.settings

    @property
    def is_active(self) -> bool:
        """Return whether its hooks, tasks and URLs are in service."""
        return self.status is PluginStatus.ACTIVE

    def move(self, status: PluginStatus) -> None:
        """Change the status along the transition table.

        Raises:
            ValueError: the table has no such step.
        """
        if status not in _TRANSITIONS[self.status]:
            allowed = ", ".join(sorted(_TRANSITIONS[self.status])) or "nothing"
            raise ValueError(
                f"Plugin {self.id!r} is {self.status.value} and can't become {status.value}; "
                f"it can become {allowed}."
            )
        self.status = status

    def skip(self, code: ReasonCode, reason: str) -> None:
        """Mark it skipped and let go of its code."""
        self.move(PluginStatus.SKIPPED)
        self.reason_code, self.reason = code, reason
        self.plugin = self.declared = self.order = None


def plugin_label(name: str, distribution: str) -> str:
    """Return how messages call a plugin: by the name that its entry point, and so the operator, uses."""
    return f"Plugin {name!r} (distribution {distribution!r})" if distribution else f"Plugin {name!r}"
