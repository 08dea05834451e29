"""Find the class that a plugin's entry point names."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from importlib.util import find_spec

from pagoda_plugin_sdk.exceptions import PluginValidationError
from pagoda_plugin_sdk.plugin import Plugin

_APP_PACKAGE = re.compile(r"pagoda_\w+_plugin")
"""Packages that need not be named in `django_apps`: with ``apps.py`` they have always been installed."""


def conventional_app(module: str, named: Sequence[str]) -> tuple[str, ...]:
    """Return a class's package if its name and its ``apps.py`` make it an app that is not `named`."""
    package = module.partition(".")[0]
    return (package,) if _APP_PACKAGE.fullmatch(package) and is_unnamed_app(package, named) else ()


def is_unnamed_app(package: str, named: Sequence[str]) -> bool:
    """Return whether a package has an ``apps.py``, and neither it nor a part of it is `named`."""
    if any(name.partition(".")[0] == package for name in named):
        return False
    found = find_spec(package)
    is_package = found is not None and found.submodule_search_locations is not None
    return is_package and find_spec(f"{package}.apps") is not None


def named_object(module: object, attribute: str) -> object:
    """Return what ``A.B`` is in a module, None when nothing is."""
    found = module
    for part in filter(None, attribute.split(".")):
        found = getattr(found, part, None)
    return found


def class_in(module: object, attribute: str, label: str, target: str) -> type[Plugin]:
    """Return the plugin class called `attribute` in a module.

    Raises:
        PluginValidationError: there is none; the message names those that are there.
    """
    found = named_object(module, attribute)
    if inspect.isclass(found) and issubclass(found, Plugin) and found is not Plugin:
        return found
    classes = [
        name
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, Plugin) and value is not Plugin
    ]
    present = f" The module has: {', '.join(classes)}." if classes else ""
    raise PluginValidationError(
        f"{label} has the entry point {target!r}, which is {found!r}, "
        f"expected a subclass of pagoda_plugin_sdk.Plugin.{present} Correct its pyproject.toml."
    )


def reserved_name_text(label: str, name: str, reserved: frozenset[str]) -> str:
    """Return the sentence on a name that is the host's."""
    return (
        f"{label} has the name {name!r}, which is reserved for the host "
        f"(reserved: {', '.join(sorted(reserved))}). Give it another id or entry-point name."
    )
