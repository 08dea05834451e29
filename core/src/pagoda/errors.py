"""Errors of the host; their root is the SDK's."""

from __future__ import annotations

from typing import ClassVar

from pagoda_plugin_sdk.exceptions import PagodaError


class SettingsError(PagodaError):
    """The environment configures the host wrongly; the message lists every fault."""

    code: ClassVar[str] = "settings_error"

    def __init__(self, faults: list[str]) -> None:
        self.faults = tuple(faults)
        listed = "\n".join(f"  - {fault}" for fault in faults)
        super().__init__(f"The settings have {len(faults)} fault(s):\n{listed}")


class NotReady(PagodaError):
    """What a process needs to start did not come within the limit; the message says what, and why."""

    code: ClassVar[str] = "not_ready"
