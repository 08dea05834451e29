"""Errors of the plugin runtime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pagoda_plugin_sdk.exceptions import PluginLoadError


class PluginBootError(PluginLoadError):
    """Plugins are at fault and PAGODA_PLUGIN_STRICT is set; the message lists all faults."""

    code: ClassVar[str] = "plugin_boot_error"

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        listed = "\n".join(f"  - {fault}" for fault in faults)
        super().__init__(
            f"The plugins have {len(faults)} fault(s), and PAGODA_PLUGIN_STRICT lets none pass:\n{listed}"
        )
