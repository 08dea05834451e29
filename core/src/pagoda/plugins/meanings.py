"""What the reason codes of plugins mean and what mends each, in the language of whoever reads it.

The reason itself names files, versions and errors of one plugin, in the words of the moment at which it was
left out; no reader was known then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext, gettext_noop

from pagoda.plugins.records import ReasonCode

_RESTART = gettext_noop("Mend the plugin, install it anew and restart the processes.")
_DEPENDENCIES = gettext_noop("Enable and mend what it depends on, or take it out of ENABLED_PLUGINS.")
_VERSIONS = gettext_noop("Install versions that fit each other, and restart the processes.")
_SETTING = gettext_noop("Correct the setting, and restart the processes.")

_MEANINGS: Mapping[ReasonCode, tuple[str, str]] = {
    ReasonCode.NOT_FOUND: (
        gettext_noop("nothing installed provides it"),
        gettext_noop("Install its distribution, or correct ENABLED_PLUGINS."),
    ),
    ReasonCode.SAFE_MODE: (
        gettext_noop("the host runs without plugins on purpose"),
        gettext_noop("Unset PAGODA_SAFE_MODE, and restart the processes."),
    ),
    ReasonCode.DUPLICATE_NAME: (gettext_noop("another plugin has its name already"), _SETTING),
    ReasonCode.RESERVED_NAME: (gettext_noop("its name is one of the host's"), _RESTART),
    ReasonCode.BAD_METADATA: (gettext_noop("the metadata of its distribution can't be read"), _RESTART),
    ReasonCode.INCOMPATIBLE_SDK: (gettext_noop("it is made for another version of the SDK"), _VERSIONS),
    ReasonCode.MISSING_REQUIREMENT: (
        gettext_noop("a distribution that it needs is absent or of another version"),
        _VERSIONS,
    ),
    ReasonCode.INCOMPATIBLE_PYTHON: (gettext_noop("it is made for another version of Python"), _VERSIONS),
    ReasonCode.DEPENDENCY_MISSING: (
        gettext_noop("a plugin that it depends on is not enabled"),
        _DEPENDENCIES,
    ),
    ReasonCode.DEPENDENCY_CYCLE: (gettext_noop("it depends on itself, by way of others"), _DEPENDENCIES),
    ReasonCode.DEPENDENCY_SKIPPED: (gettext_noop("a plugin that it depends on is left out"), _DEPENDENCIES),
    ReasonCode.IMPORT_FAILED: (gettext_noop("importing it fails"), _RESTART),
    ReasonCode.NOT_A_PLUGIN: (gettext_noop("its entry point names no plugin"), _RESTART),
    ReasonCode.INVALID_PLUGIN: (gettext_noop("its class breaks the contract of plugins"), _RESTART),
    ReasonCode.BAD_SETTINGS: (
        gettext_noop("its settings are not as it expects"),
        gettext_noop("Correct PLUGIN_SETTINGS, and restart the processes."),
    ),
    ReasonCode.UNKNOWN_HOOK: (gettext_noop("it handles a hook that does not exist"), _RESTART),
    ReasonCode.BAD_SIGNATURE: (gettext_noop("a handler can't take the arguments of its hook"), _RESTART),
    ReasonCode.APP_LABEL_CLASH: (gettext_noop("a Django app of it has a label that is taken"), _RESTART),
    ReasonCode.APP_FAILED: (gettext_noop("a Django app of it can't be installed"), _RESTART),
    ReasonCode.READY_FAILED: (gettext_noop("a Django app of it fails when it starts"), _RESTART),
    ReasonCode.BAD_TASKS: (gettext_noop("its tasks are declared for another plugin, or twice"), _RESTART),
    ReasonCode.TASK_NOT_FOUND: (gettext_noop("a task that it declares is not there"), _RESTART),
    ReasonCode.TASK_OFFSET_MISMATCH: (
        gettext_noop("a task has one number where it is written and another where it is declared"),
        _RESTART,
    ),
    ReasonCode.URLS_FAILED: (gettext_noop("its URLs can't be served; the rest of it is active"), _RESTART),
    ReasonCode.SIDE_EFFECTS: (
        gettext_noop("loading it changed the process; that was put back, and it is active"),
        _RESTART,
    ),
    ReasonCode.MIGRATIONS_MISSING: (
        gettext_noop("its tables are not as its models; the rest of it is active"),
        gettext_noop("Run `pagoda migrate`."),
    ),
    ReasonCode.LOCK_MISMATCH: (
        gettext_noop("it is not what PLUGIN_LOCK pins"),
        gettext_noop("Install what is pinned, or pin what is installed, and restart the processes."),
    ),
    ReasonCode.NO_TASKS: (
        gettext_noop("it has a range of operation ids and no tasks; it is active"),
        gettext_noop("Take its range out of PLUGIN_OPERATION_ID_CONFIG."),
    ),
    ReasonCode.OVERRIDE_OFF: (
        gettext_noop("it is bound to the operations of an entity, and out of service"),
        gettext_noop("Mend it, or correct BACKEND_PLUGIN_ENTITY_OVERRIDES."),
    ),
    ReasonCode.UNKNOWN_PLUGIN: (gettext_noop("a setting names a plugin that nothing provides"), _SETTING),
}


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a reason code means, and what to do; both are ``""`` where the host does not know the code."""

    text: str
    remedy: str = ""


def meaning_of(code: str | None) -> Meaning:
    """Return what a reason code means in the language of this moment."""
    known = code in ReasonCode.__members__.values()
    return Meaning(*map(gettext, _MEANINGS[ReasonCode(code)])) if code and known else Meaning("")
