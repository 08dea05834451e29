"""Measure hook dispatch beside a bare loop, pluggy, Django's send_robust and blinker, in one run.

Ours is `HookManager.execute_hook`, as the hook bridge calls it: with time budget, savepoint guard,
containment and counters on. The bare loop is a ``for`` with a ``try`` over the same bound handlers. All is
timed hot, one dispatch after the other, and cold: one each 50 ms, as in a process that serves people. All
of all cases take turns, so that they see the same machine, also where it changes its pace; the fastest
counts when hot, the median when cold. "3 of 500": 500 handlers are registered, 3 of them handle the entity.
Prints nanoseconds per dispatch, writes them to benchmarks/results/hooks.json, exits 1 when a bound is
missed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import blinker
import pluggy
from django.conf import settings
from django.dispatch import Signal

from pagoda.hooks.manager import HookManager
from pagoda_plugin_sdk import Plugin
from pagoda_plugin_sdk.decorators import entry_hook

HOOK = "entry.after_create"
ENTITY = "customer"
BARE_LIMIT = 3.0  # times a bare loop, for 3 handlers and more
OTHERS_LIMIT = 1.2  # times 3 of 3, for 3 of 500
EMPTY_LIMIT_NS = 300  # without handlers
PAUSE_SECONDS = 0.05
RESULTS = Path(__file__).parent / "results" / "hooks.json"

type Timer = Callable[[int], int]
"""Takes a number of dispatches, returns the nanoseconds of all."""

user, entry = object(), object()

spec, impl = pluggy.HookspecMarker("bench"), pluggy.HookimplMarker("bench")


class BenchPlugin(Plugin):
    """A plugin with the handler that plugins most often have."""

    id = name = "bench"

    @entry_hook("after_create")
    def on_create(self, entity_name: str, user: Any, entry: Any, **kwargs: Any) -> None:
        """Do nothing, so that dispatch is all there is."""


class Specs:
    """The hook as pluggy wants it declared."""

    @spec
    def on_create(self, entity_name: str, user: Any, entry: Any) -> None:
        """Tell that an entry was made."""


class Implementation:
    """The handler as pluggy wants it written."""

    @impl
    def on_create(self, entity_name: str, user: Any, entry: Any) -> None:
        """Do nothing."""


class Receiver:
    """The handler as Django's signals and blinker call it."""

    def on_create(self, sender: Any, **kwargs: Any) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """How many handlers are registered, and how many of them handle the entity."""

    matching: int
    others: int = 0

    @property
    def name(self) -> str:
        """Return its name in the figures."""
        return f"{self.matching} of {self.matching + self.others}"

    @property
    def times(self) -> int:
        """Return how many dispatches one turn has."""
        return 6_000 // (self.matching + 1)


type Timers = dict[tuple[Case, str], Timer]
type Spent = dict[tuple[Case, str], float]

CASES = tuple(
    Case(matching=matching, others=others)
    for matching, others in ((0, 0), (1, 0), (3, 0), (10, 0), (50, 0), (3, 497))
)


def ours(case: Case, manager: HookManager) -> Timer:
    """Return our timer, each handler of a plugin of its own."""
    for number in range(case.others):
        manager.register_hook(HOOK, BenchPlugin().on_create, plugin_id=f"o{number}", entity=f"other {number}")
    for number in range(case.matching):
        entity = ENTITY if case.others else None
        manager.register_hook(HOOK, BenchPlugin().on_create, plugin_id=f"p{number}", entity=entity)
    execute = manager.execute_hook

    def run(times: int) -> int:
        started = time.perf_counter_ns()
        for _ in range(times):
            execute(HOOK, ENTITY, user, entry, entity_name=ENTITY)
        return time.perf_counter_ns() - started

    return run


def bare(count: int) -> Timer:
    """Return a timer of the loop that ours is held against."""
    handlers = [BenchPlugin().on_create for _ in range(count)]

    def dispatch(entity_name: str, user: object, entry: object) -> None:
        for handler in handlers:
            try:  # noqa: SIM105 - the loop that ours is held against
                handler(entity_name, user, entry)
            except Exception:  # noqa: BLE001, S110
                pass

    def run(times: int) -> int:
        started = time.perf_counter_ns()
        for _ in range(times):
            dispatch(ENTITY, user, entry)
        return time.perf_counter_ns() - started

    return run


def with_pluggy(count: int) -> Timer:
    """Return a timer of pluggy."""
    manager = pluggy.PluginManager("bench")
    manager.add_hookspecs(Specs)
    for _ in range(count):
        manager.register(Implementation())
    call = manager.hook.on_create

    def run(times: int) -> int:
        started = time.perf_counter_ns()
        for _ in range(times):
            call(entity_name=ENTITY, user=user, entry=entry)
        return time.perf_counter_ns() - started

    return run


def with_django(count: int) -> Timer:
    """Return a timer of the way of Django's signals that contains errors."""
    signal = Signal(use_caching=True)
    receivers = [Receiver() for _ in range(count)]
    for receiver in receivers:
        signal.connect(receiver.on_create, sender=Receiver, weak=False)

    def run(times: int) -> int:
        started = time.perf_counter_ns()
        for _ in range(times):
            signal.send_robust(Receiver, user=user, entry=entry)
        return time.perf_counter_ns() - started

    return run


def with_blinker(count: int) -> Timer:
    """Return a timer of blinker."""
    signal = blinker.Signal()
    receivers = [Receiver() for _ in range(count)]
    for receiver in receivers:
        signal.connect(receiver.on_create, weak=False)

    def run(times: int) -> int:
        started = time.perf_counter_ns()
        for _ in range(times):
            signal.send(ENTITY, user=user, entry=entry)
        return time.perf_counter_ns() - started

    return run


def hot(timers: Timers, repeats: int) -> Spent:
    """Return the nanoseconds of one dispatch among many, the best of each."""
    best = dict.fromkeys(timers, float("inf"))
    for _ in range(repeats):
        for (case, name), run in timers.items():
            best[case, name] = min(best[case, name], run(case.times) / case.times)
    return best


def cold(timers: Timers, repeats: int) -> Spent:
    """Return the nanoseconds of a dispatch that comes after a pause, the median of each."""
    spent: dict[tuple[Case, str], list[int]] = {key: [] for key in timers}
    for _ in range(repeats):
        for key, run in timers.items():
            time.sleep(PAUSE_SECONDS)
            spent[key].append(run(1))
    return {key: median(values) for key, values in spent.items()}


def measure(repeats: int, pauses: int) -> dict[Case, dict[str, dict[str, float]]]:
    """Return ``{case: {rate: {what: nanoseconds}}}``."""
    managers = {case: HookManager() for case in CASES}
    timers: Timers = {}
    for case, manager in managers.items():
        manager.open()
        timers[case, "ours"] = ours(case, manager)
        timers[case, "bare"] = bare(case.matching)
        timers[case, "pluggy"] = with_pluggy(case.matching)
        timers[case, "send_robust"] = with_django(case.matching)
        timers[case, "blinker"] = with_blinker(case.matching)
    rates = {"hot": hot(timers, repeats), "each 50 ms": cold(timers, pauses)}
    for case, manager in managers.items():
        check_counted(manager, case.times * repeats + pauses)
        manager.close()
    return {
        case: {
            rate: {name: value for (of, name), value in spent.items() if of == case}
            for rate, spent in rates.items()
        }
        for case in CASES
    }


def check_counted(manager: HookManager, expected: int) -> None:
    """Stop when the measured dispatches were not all of them counted, contained or not."""
    for record in manager.records():
        statistics = manager.statistics(record)
        calls = expected if record.entity in (None, ENTITY) else 0
        if (statistics.calls, statistics.failures) != (calls, 0):
            raise SystemExit(f"{record.name}: {statistics}, expected {calls} calls")


def faults(figures: dict[Case, dict[str, dict[str, float]]]) -> list[str]:
    """Return a sentence for each bound that is missed."""
    found = []
    three = next(rates for case, rates in figures.items() if case == Case(matching=3))
    for case, rates in figures.items():
        for rate, spent in rates.items():
            add = partial("{0} handlers, {1}: {2}".format, case.name, rate)
            if case.matching == 0:
                if spent["ours"] > EMPTY_LIMIT_NS and rate == "hot":
                    found.append(add(f"{spent['ours']:.0f} ns, at most {EMPTY_LIMIT_NS}"))
                continue
            if case.matching >= 3 and spent["ours"] > BARE_LIMIT * spent["bare"]:
                found.append(
                    add(f"x {spent['ours'] / spent['bare']:.2f} of a bare loop, at most {BARE_LIMIT}")
                )
            if case.others and spent["ours"] > OTHERS_LIMIT * three[rate]["ours"]:
                found.append(add(f"x {spent['ours'] / three[rate]['ours']:.2f} of 3, at most {OTHERS_LIMIT}"))
            found += [
                add(f"slower than {peer}")
                for peer in ("pluggy", "send_robust", "blinker")
                if case.matching >= 3 and spent["ours"] > spent[peer]
            ]
    return found


def main() -> int:
    """Run the benchmark, print the table and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=200, help="rounds of dispatches without a pause")
    parser.add_argument("--pauses", type=int, default=40, help="dispatches after a pause")
    arguments = parser.parse_args()
    settings.configure(DATABASES={})
    figures = measure(arguments.repeats, arguments.pauses)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps({case.name: rates for case, rates in figures.items()}, indent=2) + "\n")
    print(
        f"{'handlers':10s} {'rate':11s}"
        + "".join(f"{name:>12s}" for name in (*figures[CASES[0]]["hot"], "x bare"))
    )
    for case, rates in figures.items():
        for rate, spent in rates.items():
            columns = "".join(f"{value:12.0f}" for value in spent.values())
            print(f"{case.name:10s} {rate:11s}{columns}{spent['ours'] / spent['bare']:12.2f}")
    missed = faults(figures)
    for sentence in missed:
        print(f"MISSED {sentence}")
    print(f"hooks: {'MISSED' if missed else 'ok'}")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
