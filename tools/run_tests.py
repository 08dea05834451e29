"""Run the tests of every distribution, one pytest each, and end with one summary over all of them.

Django knows one settings module per process, so the suites can't share a process: ``conftest.py`` of each
says under which settings it runs. Small ones run in one process each, beside those that xdist spreads.
Arguments are names of suites, and after them what pytest takes, such as ``core -k name``. A named suite runs
whole. Without names all run but for what is slow for a reason; ``--slow`` runs that alone, and ``--fast``
leaves out more. Both lists are here, and a run ends with what it left out.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree  # parses what our own pytest wrote a moment ago

from tools.examples import THOROUGH, is_thorough
from tools.suite_settings import SPREAD

ROOT = Path(__file__).resolve().parent.parent
# Stealing keeps the tests of a module, and so what they share, in one process as long as that is busy.
PARALLEL = ("-n", "auto", "--maxprocesses", "4", "--dist", "worksteal")
BY_FILE = (*PARALLEL, "--dist", "loadfile")  # what the tests of a file share takes longer than they do
# The tests start hundreds of processes, each of which would compile our modules anew.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Tests that run in one pytest."""

    folders: tuple[str, ...]
    slow: tuple[str, ...] = ()  # of them, files and tests that run with --slow or when the suite is named
    options: tuple[str, ...] = ()
    is_small: bool = False  # one process is enough, so it runs beside the others
    is_named: bool = False  # it runs only when it is asked for
    is_fast: bool = False  # it runs with --fast, but for what is slow and NOT_FAST


# What is slow starts another program: a server, a browser, pip, a type checker, a command as a user types it.
SUITES = {
    "core": Suite(
        folders=("core/tests",),
        slow=(
            "core/tests/access/test_groups_on_postgresql.py",
            "core/tests/cli",
            "core/tests/database_accounts/test_value_indexes.py",
            "core/tests/domain/test_on_postgresql.py",
            "core/tests/domain/test_upgrading_on_postgresql.py",
            "core/tests/hooks/test_slow_queries_on_postgresql.py",
            "core/tests/rates/test_logins_on_postgresql.py",
            "core/tests/search/test_finding.py::test_all_this_on_postgresql",
            "core/tests/search/test_plans_on_postgresql.py",
            "core/tests/test_foreign_columns.py::test_all_this_on_postgresql",
        ),
        options=PARALLEL,
        is_fast=True,
    ),
    "api": Suite(
        folders=("services/api/tests",),
        slow=(
            "services/api/tests/test_bounds.py::test_a_request_asks_redis_for_its_rate_limit_alone",
            "services/api/tests/test_cli.py",
            "services/api/tests/test_concurrent_writes.py",
            "services/api/tests/test_console_accessible.py",
            "services/api/tests/test_oidc.py",
            "services/api/tests/test_on_postgresql.py",
            "services/api/tests/test_production.py::test_check_deploy_is_clean",
            "services/api/tests/test_production.py::test_the_api_ends_with_2_and_all_faults",
            "services/api/tests/test_sockets.py",
            "services/api/tests/test_watching.py::test_metrics_are_those_of_all_processes_together",
        ),
        options=PARALLEL,
    ),
    "repository": Suite(
        folders=(
            "tests/architecture",
            "tests/tools",
            "tests/readme",
            "tests/author",
            "tests/zoo",
            "tests/observability",
            "tests/concurrency",
        ),
        slow=(
            "tests/architecture/test_standalone.py",
            "tests/architecture/test_type_checking.py",
            "tests/architecture/test_typing.py",
            "tests/author/test_chaos.py",
            "tests/author/test_chaos_requests.py",
            "tests/author/test_clean_machine.py",
            "tests/author/test_dev.py",
            "tests/author/test_guide.py",
            "tests/author/test_project.py",
            "tests/author/test_publish.py",
            "tests/author/test_update.py",
            "tests/concurrency/test_conversion.py",
            "tests/observability/test_running_host.py",
            "tests/readme/test_plugin_in_the_readme.py",
            "tests/readme/test_printed.py",
            "tests/readme/test_site.py",
            "tests/tools/test_after_failures.py",
            "tests/tools/test_docker_install.py::test_nothing_that_is_left_out_is_imported",
            "tests/tools/test_run_tests.py::test_a_folder_a_file_and_one_test_are_found_alone",
            "tests/tools/test_run_tests.py::test_two_settings_in_one_process_are_told_with_the_remedy",
            "tests/tools/test_trace.py",
            "tests/zoo/test_zoo.py",
        ),
        options=BY_FILE,
    ),
    "sdk": Suite(folders=("sdk/tests",), is_small=True, is_fast=True),
    "contract": Suite(
        folders=("tests/contract",),
        slow=("tests/contract/test_fixtures.py",),
        is_small=True,
    ),
    "hello-world": Suite(folders=("plugins/hello-world/tests",), is_small=True, is_fast=True),
    "inventory": Suite(folders=("plugins/inventory/tests",), is_small=True),
    "worker": Suite(
        folders=("services/worker/tests",),
        slow=("services/worker/tests/processes", "services/worker/tests/test_bounds.py"),
        is_small=True,
    ),
    "browser": Suite(folders=("tests/browser",), is_named=True),
    "schema": Suite(folders=("tests/schema",), is_named=True),
    "chart": Suite(folders=("tests/chart",), options=BY_FILE, is_named=True),
}
ALL = [name for name, suite in SUITES.items() if not suite.is_named]
FAST = [name for name, suite in SUITES.items() if suite.is_fast]
SLOW = [name for name, suite in SUITES.items() if suite.slow]
NOT_FAST = (  # processes of their own, waits, state machines, matrices and generated texts
    "sdk/tests/checking",
    "sdk/tests/test_public_names.py",
    "core/tests/domain/test_migrations.py",
    "core/tests/domain/test_foreign_text.py",
    "core/tests/domain/test_value_indexes.py",
    "core/tests/domain/test_value_machine.py",
    "core/tests/hooks/test_fault_matrix.py",
    "core/tests/hooks/test_stopped_queries.py",
    "core/tests/hooks/test_time_budget.py",
    "core/tests/hooks/test_watchdog.py",
    "core/tests/jobs/test_store_machine.py",
    "core/tests/jobs/test_store_races.py",
    "core/tests/plugins/test_boot_faults.py",
    "core/tests/test_foreign_columns.py",
    "core/tests/transfer",
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


def run(
    name: str, reports: Path, what: Sequence[str], options: Sequence[str] = (), *, is_beside: bool = False
) -> SuiteRun:
    """Run `what` of a suite with pytest's `options`; show what it prints at once, or at its end if beside."""
    report = reports / f"{name}.xml"
    heading = f"\n{name}: {', '.join(word for word in what if not word.startswith('-'))}"
    if not is_beside:
        print(heading, flush=True)
    pytest = (sys.executable, "-m", "pytest", "--quiet", f"--junitxml={report}")
    command = (*pytest, *SUITES[name].options, *options, *what)
    output = subprocess.PIPE if is_beside else None
    suite = SUITES[name]
    is_whole = what[: len(suite.folders)] == suite.folders  # else pytest loads conftests that import models
    is_spread = "-n" in suite.options and is_whole and not options  # pytest's options may say otherwise
    environ = ENVIRONMENT | ({SPREAD: "1"} if is_spread else {})
    ended = subprocess.run(
        command, cwd=ROOT, env=environ, stdout=output, stderr=subprocess.STDOUT, text=True, check=False
    )
    exit_code = ended.returncode
    if is_beside:
        print(f"{heading}\n{ended.stdout}", flush=True)
    if exit_code == NO_TESTS and options:  # they are in another suite
        return SuiteRun(name=name, exit_code=exit_code, counts=Counter())
    return SuiteRun(name=name, exit_code=exit_code, counts=counts_of(report, exit_code))


def run_all(chosen: Mapping[str, Sequence[str]], reports: Path, options: Sequence[str]) -> list[SuiteRun]:
    """Run parts of suites one after the other, and beside large ones the small, one after the other too."""
    small = [name for name in chosen if SUITES[name].is_small]
    large = [name for name in chosen if name not in small]

    def run_each(names: Sequence[str], *, is_beside: bool) -> list[SuiteRun]:
        return [run(name, reports, chosen[name], options, is_beside=is_beside) for name in names]

    with ThreadPoolExecutor(max_workers=2) as pool:
        beside = pool.submit(run_each, small, is_beside=bool(large))
        return run_each(large, is_beside=False) + beside.result()


def choose(mode: str, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return ``{suite: pytest's arguments for its tests}`` of the named suites, or of all in this mode."""
    if mode == "--slow":
        return {name: SUITES[name].slow for name in names or SLOW}
    if names and mode != "--fast":
        return {name: SUITES[name].folders for name in names}
    return {
        name: (*SUITES[name].folders, *map(_without, left_out(mode, name)))
        for name in names or (FAST if mode == "--fast" else ALL)
    }


def _without(path: str) -> str:
    return f"--deselect={path}" if "::" in path else f"--ignore={path}"


def left_out(mode: str, name: str) -> list[str]:
    """Return the folders, files and tests of a suite that a run in this mode leaves out."""
    folders = tuple(f"{folder}/" for folder in SUITES[name].folders)
    more = NOT_FAST if mode == "--fast" else ()
    return [*SUITES[name].slow, *(path for path in more if path.startswith(folders))]


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
    mode = arguments[0] if arguments[:1] in (["--fast"], ["--slow"]) else ""
    words = list(arguments[bool(mode) :])
    count = next((index for index, word in enumerate(words) if word.startswith("-")), len(words))
    names, options = words[:count], words[count:]
    if unknown := sorted(set(names) - set(SUITES)):
        sys.exit(
            f"run_tests: unknown suites {unknown!r}: expected some of {', '.join(SUITES)}, "
            "and pytest's options behind them"
        )
    chosen = choose(mode, names)
    if without := sorted(name for name, what in chosen.items() if not what):
        sys.exit(f"run_tests: nothing of {', '.join(without)} is slow: expected some of {', '.join(SLOW)}")
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        outcomes = run_all(chosen, Path(folder), options)
    print("\n" + summary(outcomes, time.monotonic() - start))
    print(f"hypothesis made {'all' if is_thorough() else f'few ({THOROUGH}=1: all)'} examples")
    if not names:
        print(_told(mode, chosen))
    failed = any(outcome.exit_code not in {0, NO_TESTS} for outcome in outcomes)
    return int(failed or not any(outcome.exit_code == 0 for outcome in outcomes) or _is_empty(outcomes))


def _told(mode: str, chosen: Iterable[str]) -> str:
    """Tell what a run of all suites left out."""
    if mode == "--slow":
        return "`make test` runs the others"
    suites = [name for name in ALL if name not in chosen]
    paths = [path for name in chosen for path in left_out(mode, name)]
    how = "FAST" if mode else "`make test SLOW=1` runs what this"
    return f"{how} left out: {', '.join([*suites, *paths])}"


def _is_empty(outcomes: Sequence[SuiteRun]) -> bool:
    """Tell whether a whole suite has no tests, which is an error, as opposed to none that were chosen."""
    return any(outcome.counts["errors"] for outcome in outcomes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
