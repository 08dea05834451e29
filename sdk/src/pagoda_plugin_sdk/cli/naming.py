"""The names of a new plugin, made of the one that its author gives."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from pagoda_plugin_sdk.exceptions import PluginValidationError
from pagoda_plugin_sdk.metadata import RESERVED_NAMES

LONGEST = 40
"""Of an id, in characters: tables are named after it, and a database takes 63."""

_NAME = re.compile(r"[A-Za-z0-9]+(?:[-_. ]+[A-Za-z0-9]+)*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginNames:
    """How a new plugin is called in each place."""

    id: str  # "rack-power": Plugin.id, entry point, queue, URL
    title: str  # "Rack Power": for people
    distribution: str  # "pagoda-rack-power-plugin": no index and no host has another of that name
    package: str  # "pagoda_rack_power_plugin": an identifier that no module of others has
    class_name: str  # "RackPowerPlugin"


def names_of(name: str) -> PluginNames:
    """Return the names for a plugin called `name`.

    Raises:
        PluginValidationError: it is no name, too long, or the host's own.
    """
    plain = Path(name).name.strip()
    if not _NAME.fullmatch(plain):
        raise PluginValidationError(
            f"{name!r} is no name for a plugin: expected letters (a-z), digits, hyphens and underscores, "
            "beginning and ending with a letter or digit, such as rack-power."
        )
    plugin_id: str = canonicalize_name(re.sub(r"\s+", "-", plain))
    plugin_id = re.sub(r"^pagoda-(.+)-plugin$", r"\1", plugin_id)
    if len(plugin_id) > LONGEST:
        raise PluginValidationError(
            f"{plain!r} is too long for a plugin's name: it has {len(plugin_id)} characters, "
            f"expected at most {LONGEST}. Choose a shorter one."
        )
    if plugin_id in RESERVED_NAMES:
        raise PluginValidationError(
            f"{plugin_id!r} is reserved for the host (reserved: {', '.join(sorted(RESERVED_NAMES))}). "
            f"Choose another name, such as my-{plugin_id}."
        )
    words = plugin_id.split("-")
    return PluginNames(
        id=plugin_id,
        title=" ".join(word.capitalize() for word in words),
        distribution=f"pagoda-{plugin_id}-plugin",
        package=f"pagoda_{plugin_id.replace('-', '_')}_plugin",
        class_name=f"{_class_words(words)}Plugin",
    )


def _class_words(words: list[str]) -> str:
    joined = "".join(word.capitalize() for word in words)
    return joined if joined[0].isalpha() else f"The{joined}"
