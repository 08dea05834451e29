"""What plugin code did at a surface, told to whoever counts it.

Outcomes of loads, endpoints and tasks are told one by one. Hooks are too many for that: their handlers are
counted (`pagoda.hooks.records`), and observers read the differences at the end of a request or job.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import structlog

log = structlog.get_logger(__name__)

type Surface = Literal["load", "hook", "endpoint", "task"]
"""Where the host runs plugin code; each place has a fence."""

SURFACES: tuple[Surface, ...] = get_args(Surface.__value__)

type Result = Literal["ok", "rejected", "raised", "timeout", "skipped"]
"""How it went; ``rejected`` and ``skipped`` are no failures: the code refused, or was not run."""

FAILURES = frozenset({"raised", "timeout"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one run of plugin code ended."""

    plugin: str
    surface: Surface
    name: str  # of the hook, the view or the operation
    result: Result
    seconds: float
    error: str | None = None  # type and text of what it raised, or the reason why it was skipped

    @property
    def is_failure(self) -> bool:
        """Return whether it counts against the plugin."""
        return self.result in FAILURES


type Observer = Callable[[Outcome], None]

_observers: list[Observer] = []


def add_observer(observer: Observer) -> None:
    """Tell `observer` every outcome from now on, in the thread that it happened in; twice is once."""
    if observer not in _observers:
        _observers.append(observer)


def remove_observer(observer: Observer) -> None:
    """Tell `observer` nothing more."""
    if observer in _observers:
        _observers.remove(observer)


def report_outcome(outcome: Outcome) -> None:
    """Tell all observers. An observer that fails is logged: watching must not break what is watched."""
    for observer in tuple(_observers):
        try:
            observer(outcome)
        except Exception:
            log.exception("fence_observer_failed", plugin=outcome.plugin, surface=outcome.surface)
