"""Run the tests of every distribution, one pytest each, and end with one summary over all of them.

Django knows one settings module per process, so the suites can't share a process: ``conftest.py`` says which
suite runs under which settings.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree  # parses what our own pytest wrote a moment ago

ROOT = Path(__file__).resolve().parent.parent
PARALLEL = ("-n", "auto", "--maxprocesses", "4")


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Tests that run in one pytest."""

    folders: tuple[str, ...]
    options: tuple[str, ...] = ()


SUITES = {
    "sdk": Suite(folders=("sdk/tests",)),
    "hello-world": Suite(folders=("plugins/hello-world/tests",)),
    "inventory": Suite(folders=("plugins/inventory/tests",)),
    "core": Suite(folders=("core/tests",), options=PARALLEL),
    "api": Suite(folders=("services/api/tests",), options=PARALLEL),
    "worker": Suite(folders=("services/worker/tests",), options=PARALLEL),
    "readme": Suite(folders=("tests/readme",)),
    "zoo": Suite(folders=("tests/zoo",)),
    "observability": Suite(folders=("tests/observability",)),
    "architecture": Suite(folders=("tests/architecture", "tests/tools"), options=PARALLEL),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
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


def run(name: str, reports: Path) -> Outcome:
    """Run one suite with its output on the terminal."""
    suite, report = SUITES[name], reports / f"{name}.xml"
    print(f"\n{name}: {', '.join(suite.folders)}", flush=True)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--quiet",
        f"--junitxml={report}",
        *suite.options,
        *suite.folders,
    ]
    exit_code = subprocess.run(command, cwd=ROOT, check=False).returncode
    return Outcome(name=name, exit_code=exit_code, counts=counts_of(report, exit_code))


def described(counts: Counter[str]) -> str:
    """Return counts as pytest writes them."""
    return ", ".join(f"{counts[word]} {word}" for word in WORDS if counts[word]) or "no tests ran"


def summary(outcomes: list[Outcome], seconds: float) -> str:
    """Return a line per suite and pytest's closing line for all of them together."""
    total = sum((outcome.counts for outcome in outcomes), Counter[str]())
    lines = [f"  {outcome.name:<14}{described(outcome.counts)}" for outcome in outcomes]
    return "\n".join([*lines, f" {described(total)} in {seconds:.2f}s ".center(80, "=")])


def main(names: list[str]) -> int:
    """Run the named suites, or all, to the end; return 0 when every one passed."""
    if unknown := sorted(set(names) - set(SUITES)):
        sys.exit(f"run_tests: unknown suites {unknown!r}: expected some of {', '.join(SUITES)}")
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        outcomes = [run(name, Path(folder)) for name in names or SUITES]
    print("\n" + summary(outcomes, time.monotonic() - start))
    return int(any(outcome.exit_code for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
