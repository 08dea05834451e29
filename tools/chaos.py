"""Hurt a whole Pagoda in every way that its jobs are promised to survive, and print a line per promise."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # run as a script

from tools.chaos_promises import PROMISES, BrokenPromise  # noqa: E402
from tools.chaos_world import BACKENDS, World  # noqa: E402
from tools.servers import missing_programs  # noqa: E402
from tools.stack import StackError  # noqa: E402


def main() -> int:
    """Run every backend in a process of its own; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", choices=BACKENDS, help="only this one")
    parser.add_argument(
        "--only", default="", help="promises whose names begin with one of these, such as 2b,4"
    )
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)  # in this very process
    options = parser.parse_args()
    if options.here:
        return _run(options.backend, options.only)
    broken = 0
    for backend in [options.backend] if options.backend else BACKENDS:
        missing = missing_programs() if backend == "postgresql+redis" else []
        if missing:
            print(f"chaos: {backend} needs Debian's packages: apt-get install {' '.join(missing)}")
            broken += 1
            continue
        command = (sys.executable, __file__, "--here", "--backend", backend, "--only", options.only)
        broken += subprocess.run(command, check=False).returncode != 0
    if not options.only and not missing_programs():  # 7. what it costs, beside raw Celery tasks
        broken += subprocess.run(
            (sys.executable, ROOT / "benchmarks" / "bench_jobs.py"), check=False
        ).returncode
    print(f"chaos: {'all promises held' if not broken else f'{broken} part(s) with broken promises'}")
    return 1 if broken else 0


def _run(backend: str, only: str) -> int:
    folder = Path(tempfile.mkdtemp(prefix="pagoda-chaos-"))
    world = World(backend=backend, folder=folder, say=lambda _: None)
    broken = []
    try:
        world.start()
        for name, promise in PROMISES.items():
            if name.startswith(tuple(only.split(","))) and not _try(world, backend, name, promise):
                broken.append(name)
                break  # what is hurt stays hurt: the next figures would mean nothing
    except StackError as error:
        broken.append(f"the stack: {error}")
        print(f"chaos: {error}")
    finally:
        world.stop()
        if broken:
            print(world.stack.tails())
            print(f"chaos: data kept in {folder}")
        else:
            shutil.rmtree(folder)
    return 1 if broken else 0


def _try(world: World, backend: str, name: str, promise: object) -> bool:
    try:
        fact = promise(world)  # type: ignore[operator]  # PROMISES holds callables
    except (BrokenPromise, StackError) as error:
        print(f"BROKEN  {backend:<17} {name:<38} {error}", flush=True)
        return False
    print(f"held    {backend:<17} {name:<38} {fact}", flush=True)
    return True


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
