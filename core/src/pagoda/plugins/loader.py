"""Import plugin classes and make their instances. This is the first step that runs plugin code."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from pagoda.plugins.candidates import Candidate, DistributionFacts
from pagoda.plugins.fence import plugin_fence
from pagoda.plugins.records import PluginRefused, ReasonCode
from pagoda_plugin_sdk.plugin import Plugin

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


@contextmanager
def importable(distribution: DistributionFacts) -> Iterator[None]:
    """Put an example's folder at the end of ``sys.path``, again taken out when the block raises.

    Installed distributions need nothing.
    """
    is_added = distribution.is_example and distribution.folder not in sys.path
    if is_added:
        sys.path.append(distribution.folder)
    try:
        yield
    except BaseException:
        if is_added:
            sys.path.remove(distribution.folder)
        raise


def load_plugin(candidate: Candidate) -> Plugin:
    """Import the class that the entry point names and return an instance of it.

    Raises:
        PluginRefused: importing or making it raises, or it is no plugin.
    """
    plugin_class = _load_class(candidate)
    remedy = f"Correct class {candidate.target!r}."
    with plugin_fence(ReasonCode.INVALID_PLUGIN, f"{candidate.label} is invalid", remedy):
        return plugin_class()


def check_names(label: str, names: tuple[str, ...]) -> None:
    """Check that none of a plugin's names is the host's.

    Raises:
        PluginRefused: one is.
    """
    for name in names:
        if name in RESERVED_NAMES:
            raise PluginRefused(
                ReasonCode.RESERVED_NAME,
                f"{label} has the name {name!r}, which is reserved for the host "
                f"(reserved: {', '.join(sorted(RESERVED_NAMES))}). Give it another id or entry-point name.",
            )


def _load_class(candidate: Candidate) -> type[Plugin]:
    doing = f"{candidate.label} fails to import {candidate.target!r}"
    remedy = "Install what it needs or correct it; it stays skipped until then."
    with plugin_fence(ReasonCode.IMPORT_FAILED, doing, remedy):
        module = import_module(candidate.module)
    found: object = module
    for part in filter(None, candidate.attribute.split(".")):
        found = getattr(found, part, None)
    if not inspect.isclass(found) or not issubclass(found, Plugin) or found is Plugin:
        raise _not_a_plugin(candidate, module, found)
    return found


def _not_a_plugin(candidate: Candidate, module: object, found: object) -> PluginRefused:
    classes = [
        name
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, Plugin) and value is not Plugin
    ]
    present = f" The module has: {', '.join(classes)}." if classes else ""
    return PluginRefused(
        ReasonCode.NOT_A_PLUGIN,
        f"{candidate.label} has the entry point {candidate.target!r}, which is {found!r}, "
        f"expected a subclass of pagoda_plugin_sdk.Plugin.{present} Correct its pyproject.toml.",
    )
