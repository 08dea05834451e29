"""Let the process's breaker hear of handlers that fail, and the handlers of the breaker."""

from __future__ import annotations

from collections.abc import Iterator

from pagoda.fencing.breaker import Breaker, Successes
from pagoda.fencing.rows import Key
from pagoda.hooks.errors import HookTimeout
from pagoda.hooks.fence import Step
from pagoda.hooks.manager import HookManager
from pagoda.hooks.records import HandlerRecord


def connect(manager: HookManager, breaker: Breaker) -> None:
    """Have `breaker` decide which plugins' handlers `manager` runs."""
    link = _Link(manager, breaker)
    manager.set_failure_listener(link.failed)
    breaker.add_source(link.successes)
    breaker.add_listener(link.take_out)


class _Link:
    """Between one manager and one breaker."""

    def __init__(self, manager: HookManager, breaker: Breaker) -> None:
        self._manager = manager
        self._breaker = breaker
        self._told: dict[HandlerRecord, int] = {}  # how often each had done no harm when last asked

    def failed(self, step: Step, error: BaseException) -> None:
        """Tell of a failure, and whether the handler has done no harm since its last one."""
        record, counts = step.record, step.counts
        if not record.plugin_id:
            return  # the host's own
        harmless = _harmless(self._manager, record)
        is_first = harmless != counts.harmless_at_failure
        counts.harmless_at_failure = harmless
        text = str(error) if isinstance(error, HookTimeout) else f"{type(error).__name__}: {error}"
        self._breaker.fail(record.plugin_id, "hook", _name(record), text, is_first=is_first)

    def successes(self) -> Iterator[Successes]:
        """Yield how often each handler did no harm since this was last asked.

        A dispatch counts for all of its handlers when it begins, so that the number may be negative: those of
        them that then failed.
        """
        records = [record for record in self._manager.records() if record.plugin_id]
        told, self._told = self._told, {record: _harmless(self._manager, record) for record in records}
        for record, harmless in self._told.items():
            if new := harmless - told.get(record, 0):
                yield record.plugin_id, "hook", _name(record), new

    def take_out(self, refused: frozenset[Key]) -> None:
        """Skip the handlers of plugins whose hooks are out of service."""
        self._manager.set_out_of_service(
            frozenset(plugin for plugin, surface in refused if surface == "hook")
        )


def _harmless(manager: HookManager, record: HandlerRecord) -> int:
    figures = manager.statistics(record)
    return figures.calls - figures.failures


def _name(record: HandlerRecord) -> str:
    return f"{record.hook} handler {record.name}"
