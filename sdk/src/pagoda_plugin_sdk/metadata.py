"""The rules for what a plugin class declares; the host checks what it reads of a plugin by the same ones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from packaging.version import InvalidVersion, Version

from pagoda_plugin_sdk.params import model_faults
from pagoda_plugin_sdk.permissions import permission_faults
from pagoda_plugin_sdk.task_config import PluginTaskConfig

ID_PATTERN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,62}[A-Za-z0-9])?")
"""Letters, digits, hyphens and underscores, at most 64: it is a queue's, a URL's and a container's name."""

RESERVED_NAMES = frozenset(
    {
        "core",  # the host's own queue and workers
        "custom",  # operations of CUSTOM_TASKS
        "health",  # /api/v2/plugins/health/
        "pagoda",  # the host
        "plugins",  # the runtime, in logs and metrics
    }
)
"""Names that no plugin may have, as they mean something of the host's beside plugins' names."""

LONGEST = {"name": 200, "version": 100, "author": 200, "description": 4000}
"""``{field of text: characters at most}``; the host shows them in lists."""

TITLE_MAX = 60
"""Characters at most of what stands in the console's menu and above its panels."""

URL_MODULES = ("api_v2_patterns", "url_patterns", "console_patterns")
"""What names a module of URLs."""

_PAGE_PATH = re.compile(r"([A-Za-z0-9_-]+/)*[A-Za-z0-9_-]+/?")


class NavigationEntry(NamedTuple):
    """A link in the console's menu to a page of the plugin."""

    title: str
    path: str  # of the page, below /console/plugins/<id>/: "scans/"
    permission: str | None = None  # of Django, "app.codename"; the link is for who has it


DECLARED = (
    *("id", *LONGEST, "dependencies", "django_apps", *URL_MODULES, "navigation"),
    *("settings_model", "params_model", "task_config", "fail_closed", "permissions"),
)
"""What a plugin class declares, beside its handlers."""


def declared_faults(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a plugin's values, ``{name in DECLARED: value}``; Any: whatever it wrote."""
    for field in ("id", "name", "version"):
        if not isinstance(values[field], str) or not values[field]:
            yield f"`{field}` is {values[field]!r}, expected a non-empty string"
    yield from _id_faults(values["id"])
    for field, longest in LONGEST.items():
        yield from _text_faults(field, values[field], longest)
    yield from _version_faults(values["version"])
    yield from _list_faults("dependencies", values["dependencies"], "plugin")
    yield from _list_faults("django_apps", values["django_apps"], "module")
    for field in URL_MODULES:
        if values[field] is not None and not is_dotted_path(values[field]):
            yield f"`{field}` is {values[field]!r}, expected the dotted path of a URL module or None"
    yield from _navigation_faults(values["navigation"], values["console_patterns"])
    if not isinstance(values["fail_closed"], bool):
        yield f"`fail_closed` is {values['fail_closed']!r}, expected True or False"
    for field in ("settings_model", "params_model"):
        yield from model_faults(field, values[field])
    yield from permission_faults(values["permissions"])
    if values["task_config"] is not None and not isinstance(values["task_config"], PluginTaskConfig):
        yield f"`task_config` is {values['task_config']!r}, expected a PluginTaskConfig or None"


def _id_faults(value: Any) -> Iterator[str]:
    if value and not ID_PATTERN.fullmatch(str(value)):
        yield (
            f"`id` is {value!r}, expected at most 64 letters, digits, hyphens and underscores, "
            "beginning and ending with a letter or digit"
        )


def _text_faults(field: str, value: Any, longest: int) -> Iterator[str]:
    if not isinstance(value, str):
        if field in ("description", "author"):  # the others are told as empty
            yield f"`{field}` is {value!r}, expected a string"
    elif len(value) > longest:
        yield f"`{field}` has {len(value)} characters, expected at most {longest}"
    elif not all(character.isprintable() or character in "\n\t" for character in value):
        yield f"`{field}` is {value!r}, expected text without control characters"


def title_fault(value: Any) -> str | None:
    """Return what is wrong with the title of a place in the console, None when nothing is."""
    if isinstance(value, str) and value.strip() and value.isprintable() and len(value) <= TITLE_MAX:
        return None
    return f"is {value!r}, expected a line of 1 to {TITLE_MAX} characters"


def _version_faults(value: Any) -> Iterator[str]:
    try:
        if isinstance(value, str) and value:
            Version(value)
    except InvalidVersion:
        yield f"`version` is {value[:100]!r}, expected one like '1.2.3' (PEP 440)"


def _list_faults(field: str, value: Any, what: str) -> Iterator[str]:
    if not isinstance(value, list | tuple):
        yield f"`{field}` is {value!r}, expected a list of strings"
        return
    for item in value:
        if not isinstance(item, str) or not item:
            yield f"`{field}` holds {item!r}, expected non-empty strings"
        elif what == "module" and not is_dotted_path(item):
            yield f"`{field}` holds {item!r}, expected dotted paths, as in INSTALLED_APPS"


def is_dotted_path(value: object) -> bool:
    """Return whether `value` is the dotted path of a module."""
    return isinstance(value, str) and all(part.isidentifier() for part in value.split("."))


def _navigation_faults(value: Any, pages: Any) -> Iterator[str]:
    if not isinstance(value, list | tuple):
        yield f"`navigation` is {value!r}, expected a list of NavigationEntry"
        return
    if value and pages is None:
        yield "`navigation` links to pages, and `console_patterns` names no URL module that has them"
    for entry in value:
        if not isinstance(entry, NavigationEntry):
            yield f"`navigation` holds {entry!r}, expected a NavigationEntry"
            continue
        if (fault := title_fault(entry.title)) is not None:
            yield f"a title of `navigation` {fault}"
        if not _PAGE_PATH.fullmatch(str(entry.path)):
            yield f"the path of {entry.title!r} in `navigation` is {entry.path!r}, expected one like 'scans/'"
        if entry.permission is not None and not is_dotted_path(entry.permission):
            text = f"`permission` of {entry.title!r} in `navigation` is {entry.permission!r}"
            yield f"{text}, expected 'app.codename' or None"
