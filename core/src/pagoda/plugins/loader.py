"""Import plugin classes and make their instances, and refuse what does not fit.

The import is the first step that runs plugin code: requirements are held against what is installed before it,
names and marked methods after it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from pagoda.plugins.candidates import Candidate, DistributionFacts
from pagoda.plugins.fence import plugin_fence
from pagoda.plugins.records import PluginRefused, ReasonCode
from pagoda_plugin_sdk.checking.handlers import handler_faults
from pagoda_plugin_sdk.checking.loading import class_in, reserved_name_text
from pagoda_plugin_sdk.checking.requirements import VersionOf, requirement_faults
from pagoda_plugin_sdk.exceptions import PluginValidationError
from pagoda_plugin_sdk.metadata import RESERVED_NAMES
from pagoda_plugin_sdk.plugin import Plugin


def check_compatibility(candidate: Candidate, version_of: VersionOf) -> None:
    """Check the SDK, the Python version and all other requirements of a plugin's distribution.

    Raises:
        PluginRefused: one of them does not fit; the message lists all that do not.
    """
    of = candidate.distribution
    found = requirement_faults(candidate.label, of.version, of.requires_python, of.requires, version_of)
    if (fault := next(found, None)) is not None:
        raise PluginRefused(ReasonCode(fault.code), fault.text)


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
            raise PluginRefused(ReasonCode.RESERVED_NAME, reserved_name_text(label, name, RESERVED_NAMES))


def check_handlers(plugin: Plugin, label: str) -> None:
    """Check the names and signatures of all handlers.

    Raises:
        PluginRefused: it lists every handler that names an unknown hook, and every method that can't take its
            arguments.
    """
    if faults := list(handler_faults(plugin)):
        listed = " ".join(fault.text for fault in faults)
        raise PluginRefused(
            ReasonCode(faults[0].code), f"{label} has {len(faults)} wrong handler(s). {listed}"
        )


def _load_class(candidate: Candidate) -> type[Plugin]:
    doing = f"{candidate.label} fails to import {candidate.target!r}"
    remedy = "Install what it needs or correct it; it stays skipped until then."
    with plugin_fence(ReasonCode.IMPORT_FAILED, doing, remedy):
        module = import_module(candidate.module)
    try:
        return class_in(module, candidate.attribute, candidate.label, candidate.target)
    except PluginValidationError as error:
        raise PluginRefused(ReasonCode.NOT_A_PLUGIN, str(error)) from error
