"""Measure hook dispatch against a bare loop with ``try`` over the same bound handlers, in one run.

Ours is what the hook bridge does for ``entry.after_create``: it looks the runner of the entity up and calls
it, with time budget, savepoint guard, containment and counters on. The two take turns, so that both see the
same machine, and the fastest of each counts. "3 of 50": 50 handlers are registered, 3 of them handle the
entity; the bare loop has the 3. Prints nanoseconds per dispatch, writes them to
benchmarks/results/hooks.json, exits 1 when a bound is missed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from pagoda.hooks.dispatcher import Dispatcher
from pagoda.hooks.manager import HookManager
from pagoda_plugin_sdk import Plugin
from pagoda_plugin_sdk.decorators import entry_hook

HOOK = "entry.after_create"
ENTITY = "customer"
LIMIT = 1.5
RESULTS = Path(__file__).parent / "results" / "hooks.json"

type Handler = Callable[..., Any]
type Timer = Callable[[int], int]  # takes a number of dispatches, returns the nanoseconds of all


class BenchPlugin(Plugin):
    """A plugin with the handler that plugins most often have."""

    id = name = "bench"

    @entry_hook("after_create")
    def on_create(self, entity_name: str, user: Any, entry: Any, **kwargs: Any) -> None:
        """Do nothing, so that dispatch is all there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """How many handlers are registered, and how many of them handle the entity."""

    metric: str
    matching: int
    others: int = 0
    is_bound: bool = True  # the limit holds for it


CASES = (
    Case(metric="n=0", matching=0, is_bound=False),
    Case(metric="n=1", matching=1, is_bound=False),
    Case(metric="n=3", matching=3),
    Case(metric="n=10", matching=10),
    Case(metric="n=50", matching=50),
    Case(metric="3 of 50", matching=3, others=47),
    Case(metric="3 of 500", matching=3, others=497),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Nanoseconds of one dispatch."""

    ours: float
    bare: float

    @property
    def ratio(self) -> float:
        """Return how many times the bare loop's time ours takes."""
        return self.ours / self.bare


def bare_timer(handlers: Sequence[Handler]) -> Timer:
    """Return a timer of the bare loop."""

    def dispatch(entity_name: str, user: object, entry: object) -> None:
        for handler in handlers:
            try:  # noqa: SIM105 - the loop that ours is held against
                handler(entity_name, user, entry)
            except Exception:  # noqa: BLE001, S110
                pass

    def run(times: int) -> int:
        entity_name, user, entry = ENTITY, object(), object()
        turns = range(times)
        started = time.perf_counter_ns()
        for _ in turns:
            dispatch(entity_name, user, entry)
        return time.perf_counter_ns() - started

    return run


def our_timer(dispatcher: Dispatcher) -> Timer:
    """Return a timer of what `pagoda.hooks.bridge.Bridge` does per change."""

    def run(times: int) -> int:
        entity_name, user, entry = ENTITY, object(), object()
        turns = range(times)
        started = time.perf_counter_ns()
        for _ in turns:
            try:
                runner = dispatcher.runners[entity_name]
            except KeyError:
                runner = dispatcher.resolve(entity_name)
            runner(entity_name, user, entry)
        return time.perf_counter_ns() - started

    return run


def measure(case: Case, repeats: int) -> Figure:
    """Time both, taking turns, and return the best of each."""
    hooks = HookManager()
    hooks.open()
    matching = [BenchPlugin().on_create for _ in range(case.matching)]
    for number in range(case.others):
        hooks.register_hook(HOOK, BenchPlugin().on_create, entity=f"other {number}")
    for handler in matching:
        hooks.register_hook(HOOK, handler, entity=ENTITY if case.others else None)
    timers = {"ours": our_timer(hooks.dispatcher(HOOK)), "bare": bare_timer(matching)}
    times = 20_000 // (case.matching + 1)
    best = {name: min(run(times) for _ in range(3)) for name, run in timers.items()}  # warm
    for _ in range(repeats):
        for name, run in timers.items():
            best[name] = min(best[name], run(times))
    check_counted(hooks, matching, times * (repeats + 3))
    hooks.close()
    return Figure(ours=best["ours"] / times, bare=best["bare"] / times)


def check_counted(hooks: HookManager, matching: Sequence[Handler], expected: int) -> None:
    """Stop when the measured dispatches were not all of them counted, contained or not."""
    for record in hooks.records():
        statistics = hooks.statistics(record)
        calls = expected if record.handler in matching else 0
        if (statistics.calls, statistics.failures) != (calls, 0):
            raise SystemExit(f"{record.name}: {statistics}, expected {calls} calls")


def main() -> int:
    """Run the benchmark, print the table and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=150)
    arguments = parser.parse_args()
    settings.configure(DATABASES={})
    figures = {case: measure(case, arguments.repeats) for case in CASES}
    rows = {case.metric: {"ours": f.ours, "bare": f.bare, "ratio": f.ratio} for case, f in figures.items()}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(rows, indent=2) + "\n")
    print(f"{'handlers':10s} {'ours ns':>9s} {'bare ns':>9s} {'ratio':>6s} {'limit':>6s}")
    for case, figure in figures.items():
        limit = f"{LIMIT:.2f}" if case.is_bound else "-"
        print(f"{case.metric:10s} {figure.ours:9.0f} {figure.bare:9.0f} {figure.ratio:6.2f} {limit:>6s}")
    missed = [case.metric for case, f in figures.items() if case.is_bound and f.ratio > LIMIT]
    verdict = f"MISSED by {', '.join(missed)}" if missed else "ok"
    print(f"hooks: at most {LIMIT} times a bare loop from 3 handlers on: {verdict}")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
