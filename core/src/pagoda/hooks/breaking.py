"""Let the process's breaker hear of handlers that fail, and the handlers of the breaker."""

from __future__ import annotations

from collections.abc import Iterator
from weakref import WeakKeyDictionary

from pagoda.fencing.breaker import CircuitBreaker, Successes
from pagoda.fencing.reporting import described
from pagoda.fencing.rows import Key
from pagoda.hooks.fence import Step
from pagoda.hooks.manager import HookManager
from pagoda.hooks.records import HandlerRecord


def connect(manager: HookManager, breaker: CircuitBreaker) -> None:
    """Have `breaker` decide which plugins' handlers `manager` runs."""
    link = _Link(manager, breaker)
    manager.set_failure_listener(link.failed)
    breaker.add_source(link.successes)
    breaker.add_listener(link.take_out)


class _Link:
    """Between one manager and one breaker."""

    def __init__(self, manager: HookManager, breaker: CircuitBreaker) -> None:
        self._manager = manager
        self._breaker = breaker
        self._told: WeakKeyDictionary[HandlerRecord, int] = WeakKeyDictionary()  # successes told of each

    def failed(self, step: Step, error: BaseException) -> None:
        """Tell of a failure, and how often the handler did no harm before."""
        record = step.record
        if not record.plugin_id:
            return  # the host's own
        successes = self._new_successes(record)
        self._breaker.fail(record.plugin_id, "hook", _name(record), described(error), successes=successes)

    def successes(self) -> Iterator[Successes]:
        """Yield how often each handler did no harm since this was last asked."""
        for record in self._manager.records():
            if record.plugin_id and (new := self._new_successes(record)) > 0:
                yield record.plugin_id, "hook", _name(record), new

    def _new_successes(self, record: HandlerRecord) -> int:
        harmless = _harmless(self._manager, record)
        new, self._told[record] = harmless - self._told.get(record, 0), harmless
        return new

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
