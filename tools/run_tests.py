"""Run the tests of every distribution, one pytest each, and end with one summary over all of them.

Django knows one settings module per process, so the suites can't share a process: ``conftest.py`` of each
says under which settings it runs. Those that wait for servers run beside the others. Arguments are names of
suites, and after them what pytest takes, such as ``core -k name``; ``--fast`` before them leaves out what
takes long, and says so.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree  # parses what our own pytest wrote a moment ago

ROOT = Path(__file__).resolve().parent.parent
# Stealing keeps the tests of a module, and so what they share, in one process as long as that is busy.
PARALLEL = ("-n", "auto", "--maxprocesses", "4", "--dist", "worksteal")
# The tests start hundreds of processes, each of which would compile our modules anew.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Tests that run in one pytest."""

    folders: tuple[str, ...]
    options: tuple[str, ...] = ()
    waits: bool = False  # for servers that it starts, so it runs beside the others
    is_named: bool = False  # it runs only when it is asked for
    is_fast: bool = False  # it runs with --fast, but for SLOW


SUITES = {
    "sdk": Suite(folders=("sdk/tests",), options=PARALLEL, is_fast=True),
    "hello-world": Suite(folders=("plugins/hello-world/tests",), is_fast=True),
    "inventory": Suite(folders=("plugins/inventory/tests",), options=PARALLEL),
    "core": Suite(folders=("core/tests",), options=PARALLEL, is_fast=True),
    "api": Suite(folders=("services/api/tests",), options=PARALLEL),
    "worker": Suite(folders=("services/worker/tests",), options=PARALLEL),
    "contract": Suite(folders=("tests/contract",), options=PARALLEL, is_fast=True),
    "zoo": Suite(folders=("tests/zoo",), waits=True),
    "readme": Suite(folders=("tests/readme",), waits=True),
    "author": Suite(folders=("tests/author",), waits=True),
    "observability": Suite(folders=("tests/observability",), waits=True),
    "architecture": Suite(folders=("tests/architecture", "tests/tools"), options=PARALLEL),
    "browser": Suite(folders=("tests/browser",), is_named=True),
    "schema": Suite(folders=("tests/schema",), is_named=True),
    "chart": Suite(folders=("tests/chart",), options=(*PARALLEL, "--dist", "loadfile"), is_named=True),
}
ALL = [name for name, suite in SUITES.items() if not suite.is_named]
FAST = [name for name, suite in SUITES.items() if suite.is_fast]
SLOW = (  # processes of their own, waits, state machines, matrices and generated texts
    "sdk/tests/checking/test_checks.py",
    "sdk/tests/test_public_names.py",
    "core/tests/cli",
    "core/tests/domain/test_foreign_text.py",
    "core/tests/hooks/test_fault_matrix.py",
    "core/tests/hooks/test_slow_queries_on_postgresql.py",
    "core/tests/hooks/test_time_budget.py",
    "core/tests/jobs/test_store_machine.py",
    "core/tests/jobs/test_store_races.py",
    "core/tests/test_foreign_columns.py",
    "tests/contract/test_fixtures.py",
)
NO_TESTS = 5  # pytest's exit code when it found none


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteRun:
    """What one suite reported."""

    name: str
    exit_code: int  # pytest's
    counts: Counter[str]  # by pytest's words, see WORDS


WORDS = ("failed", "passed", "skipped", "errors")  # in the order of pytest's closing line


def counts_of(report: Path, exit_code: int) -> Counter[str]:
    """Read a JUnit report into pytest's words; a suite that could not run (exit code above 1) is an error."""
    broken = Counter(errors=int(exit_code > 1))
    if not report.exists():
        return broken
    suite = ElementTree.parse(report).getroot()[0]  # noqa: S314 - our own file
    keys = {"failed": "failures", "skipped": "skipped", "errors": "errors"}
    counts = Counter({word: int(suite.get(key, 0)) for word, key in keys.items()})
    counts["passed"] = int(suite.get("tests", 0)) - counts.total()
    return counts | broken


def run(name: str, reports: Path, options: Sequence[str] = ()) -> SuiteRun:
    """Run one suite with pytest's `options`; what it prints is shown at once, or at its end if it waits."""
    suite, report = SUITES[name], reports / f"{name}.xml"
    heading = f"\n{name}: {', '.join(suite.folders)}"
    if not suite.waits:
        print(heading, flush=True)
    pytest = (sys.executable, "-m", "pytest", "--quiet", f"--junitxml={report}")
    command = (*pytest, *suite.options, *options, *suite.folders)
    output = subprocess.PIPE if suite.waits else None
    ended = subprocess.run(
        command, cwd=ROOT, env=ENVIRONMENT, stdout=output, stderr=subprocess.STDOUT, text=True, check=False
    )
    exit_code = ended.returncode
    if suite.waits:
        print(f"{heading}\n{ended.stdout}", flush=True)
    if exit_code == NO_TESTS and options:  # they are in another suite
        return SuiteRun(name=name, exit_code=exit_code, counts=Counter())
    return SuiteRun(name=name, exit_code=exit_code, counts=counts_of(report, exit_code))


def run_all(names: Sequence[str], reports: Path, options: Sequence[str]) -> list[SuiteRun]:
    """Run the suites one after the other, and beside them those that wait, one after the other too."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        waiting = [name for name in names if SUITES[name].waits]
        beside = pool.submit(lambda: [run(name, reports, options) for name in waiting])
        others = [run(name, reports, options) for name in names if name not in waiting]
        return others + beside.result()


def described(counts: Counter[str]) -> str:
    """Return counts as pytest writes them."""
    return ", ".join(f"{counts[word]} {word}" for word in WORDS if counts[word]) or "no tests ran"


def summary(outcomes: list[SuiteRun], seconds: float) -> str:
    """Return a line per suite and pytest's closing line for all of them together."""
    total = sum((outcome.counts for outcome in outcomes), Counter[str]())
    lines = [f"  {outcome.name:<14}{described(outcome.counts)}" for outcome in outcomes]
    return "\n".join([*lines, f" {described(total)} in {seconds:.2f}s ".center(80, "=")])


def main(arguments: Sequence[str]) -> int:
    """Run the named suites, or all, to the end; return 0 when tests ran and every one passed."""
    is_fast = "--fast" in arguments[:1]
    words = list(arguments[is_fast:])
    count = next((index for index, word in enumerate(words) if word.startswith("-")), len(words))
    names, options = words[:count], words[count:]
    if unknown := sorted(set(names) - set(SUITES)):
        sys.exit(
            f"run_tests: unknown suites {unknown!r}: expected some of {', '.join(SUITES)}, "
            "and pytest's options behind them"
        )
    names = names or (FAST if is_fast else ALL)
    if is_fast:
        options += [f"--ignore={path}" for path in SLOW]
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        outcomes = run_all(names, Path(folder), options)
    print("\n" + summary(outcomes, time.monotonic() - start))
    if is_fast:
        print(f"FAST left out {', '.join([*(name for name in ALL if name not in names), *SLOW])}")
    failed = any(outcome.exit_code not in {0, NO_TESTS} for outcome in outcomes)
    return int(failed or not any(outcome.exit_code == 0 for outcome in outcomes) or _is_empty(outcomes))


def _is_empty(outcomes: Sequence[SuiteRun]) -> bool:
    """Tell whether a whole suite has no tests, which is an error, as opposed to none that were chosen."""
    return any(outcome.counts["errors"] for outcome in outcomes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
