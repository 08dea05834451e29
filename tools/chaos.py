"""Hurt a whole Pagoda in every way that its jobs are promised to survive, and print a line per promise.

A figure that misses its bound while other processes use the machine is UNSURE, not BROKEN: it is to be tried
again on an idle one. UNTRIED needs Docker, which is not there. The output ends with every line that is not
``held``.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # run as a script

from tools.chaos_promises import PROMISES, BrokenPromise, NeedsIdleMachine, busy_percent  # noqa: E402
from tools.chaos_world import BACKENDS, World  # noqa: E402
from tools.servers import missing_programs  # noqa: E402
from tools.stack import StackError  # noqa: E402

HELD, BROKEN, UNSURE, UNTRIED = "held", "BROKEN", "UNSURE", "UNTRIED"
FAILOVER = "8  PostgreSQL fails over under load"
BENCH = ROOT / "benchmarks" / "bench_jobs.py"


def main() -> int:
    """Run every backend in processes of its own; return 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", choices=BACKENDS, help="only this one")
    parser.add_argument(
        "--only", default="", help="promises whose names begin with one of these, such as 2b,4"
    )
    parser.add_argument("--here", nargs="+", metavar="PROMISE", help=argparse.SUPPRESS)  # in this process
    options = parser.parse_args()
    if options.here:
        return _run(options.backend, options.here)
    names = [name for name in PROMISES if name.startswith(tuple(options.only.split(",")))]
    missing = missing_programs()
    lines = []
    for backend in [options.backend] if options.backend else BACKENDS:
        if missing and backend == "postgresql+redis":
            lines.append(_line(BROKEN, backend, "", f"it needs: apt-get install {' '.join(missing)}"))
        else:
            lines += tried(backend, names)
    if not options.only and not missing:  # 7. what it costs, beside raw Celery tasks
        lines += _benchmark()
    if FAILOVER.startswith(tuple(options.only.split(","))):
        lines.append(_failover())
        print(lines[-1])
    print(summary(lines))
    return int(any(line.startswith(BROKEN) for line in lines))


def summary(lines: Sequence[str]) -> str:
    """Return what was not held, each line again, below a line with their number."""
    broken, unsure, untried = (
        [line for line in lines if line.startswith(word)] for word in (BROKEN, UNSURE, UNTRIED)
    )
    told = f"{len(broken)} broken" if broken else "all promises held"
    if unsure:
        told += f"; {len(unsure)} unsure, as the machine was busy: try again on an idle one"
    if untried:
        told += f"; {len(untried)} untried"
    return "\n".join((f"\nchaos: {told}", *broken, *unsure, *untried))


def tried(backend: str, names: Sequence[str]) -> list[str]:
    """Return a line per promise. What is hurt stays hurt: after a broken one, the others get a new Pagoda."""
    lines: list[str] = []
    while names:
        command = (sys.executable, __file__, "--backend", backend, "--here", *names)
        told = [line for line in _output(*command) if line.startswith((HELD, BROKEN, UNSURE))]
        if len(told) < len(names) and not (told and told[-1].startswith(BROKEN)):
            told.append(_line(BROKEN, backend, names[len(told)], "the run ended in an error, see above"))
        lines += told
        names = names[len(told) :]
    return lines


def _benchmark() -> list[str]:
    busy = busy_percent()
    output = list(_output(sys.executable, str(BENCH)))
    missed = [line for line in output if "MISSED" in line]
    if missed:
        verdict, note = (UNSURE, f" ({busy:.0f} % busy before)") if busy is not None else (BROKEN, "")
        return [_line(verdict, "bench-jobs", "", " ".join(line.split()) + note) for line in missed]
    if any("CPU per task" in line for line in output):
        return [_line(HELD, "bench-jobs", "", "its bounds")]
    return [_line(BROKEN, "bench-jobs", "", "it ended in an error, see above")]


def _failover() -> str:
    """8. A primary is killed and its standby promoted, as containers: a module of the integration tests."""
    ending, figure = "no test ran", ""
    for line in _output(sys.executable, "-m", "tools.integration", "--only", "test_failover", "-rs"):
        if line.startswith("standby promoted"):
            figure = line
        elif line.startswith("SKIPPED") or (
            "SKIPPED" not in ending and re.search(r"\d (passed|failed|error)", line)
        ):
            ending = line
    verdict = HELD if figure and " passed" in ending else UNTRIED if "SKIPPED" in ending else BROKEN
    return _line(verdict, "containers", FAILOVER, figure.partition("  ")[2].strip() or ending)


def _output(*command: str) -> Iterator[str]:
    """Print what the command prints, and yield its lines."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace") as process:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        for line in process.stdout:
            print(line, end="", flush=True)
            yield line.rstrip()


def _line(verdict: str, backend: str, name: str, fact: str) -> str:
    return f"{verdict:<7} {backend:<17} {name:<38} {fact}"


def _run(backend: str, names: Sequence[str]) -> int:
    folder = Path(tempfile.mkdtemp(prefix="pagoda-chaos-"))
    world = World(backend=backend, folder=folder, say=lambda _: None)
    name, is_whole = names[0], False
    try:
        world.start()
        for name in names:
            _try(world, backend, name)
        is_whole = True
    except (BrokenPromise, StackError) as error:
        print(_line(BROKEN, backend, name, " ".join(str(error).split())), flush=True)
    finally:
        world.stop()
        if is_whole:
            shutil.rmtree(folder)
        else:
            print(world.stack.tails())
            print(f"chaos: data kept in {folder}")
    return int(not is_whole)


def _try(world: World, backend: str, name: str) -> None:
    try:
        fact = PROMISES[name](world)
    except NeedsIdleMachine as error:
        print(_line(UNSURE, backend, name, str(error)), flush=True)
    else:
        print(_line(HELD, backend, name, fact), flush=True)


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
