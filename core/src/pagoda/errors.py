"""Errors of the host; their root is the SDK's. And what to do with what any error holds."""

from __future__ import annotations

from traceback import clear_frames
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


def let_go(error: BaseException | None) -> None:
    """Empty the frames that an error holds, and those that it came of.

    A cursor in one of them may be in the middle of a statement that writes and returns rows: SQLite undoes no
    savepoint while there is one.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
