"""Find attributes of a plugin class that look like one the host reads, and that it does not."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from difflib import get_close_matches

from pagoda_plugin_sdk.checking.findings import CheckFinding
from pagoda_plugin_sdk.checking.marks import own_classes
from pagoda_plugin_sdk.metadata import DECLARED
from pagoda_plugin_sdk.plugin import Plugin

_CLOSE = 0.88
"""How alike a slip of the pen is, of 1."""


def misspelt_attributes(plugin: Plugin) -> Iterator[CheckFinding]:
    """Yield a warning for each attribute that is nearly called as one that a plugin may declare."""
    written = {name: value for base in own_classes(type(plugin)) for name, value in vars(base).items()}
    missing = [name for name in DECLARED if name not in written]
    for name, value in written.items():
        if name.startswith("_") or hasattr(Plugin, name) or inspect.isroutine(value):
            continue
        for close in get_close_matches(name, missing, n=1, cutoff=_CLOSE):
            yield CheckFinding(
                code="invalid_plugin",
                text=f"Its class has `{name}`, which the host does not read. Did you mean `{close}`?",
                is_warning=True,
            )
