"""Compare the CPU of a durable job with that of a raw Celery task, on PostgreSQL and Redis, in one run.

Both workers have one child and do nothing per task. Their Celery settings are the same but for one: Redis
keeps a book of the raw tasks that a worker has, as these have no row in a database which outlives it. Counted
is the CPU time of this process while it submits, of the worker, of PostgreSQL and of Redis (`whole`);
`submit` is the part until the last task is submitted, `run` leaves this process out. Rounds alternate; the
figures are medians per task. Writes ``benchmarks/results/jobs.json``: ``{metric: {"ours": us, "raw": us,
"ratio": r}}``.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import redis

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # run as a script

from tools.chaos_world import World  # noqa: E402
from tools.servers import missing_programs  # noqa: E402

TASKS = 1_000
ROUNDS = 5
BOUNDS = {"single job, whole": 1.5, "submit_many, whole": 0.8}
RESULTS = ROOT / "benchmarks" / "results" / "jobs.json"


def main() -> int:
    """Measure, print, write the results, and return 1 when a bound is missed."""
    missing = missing_programs()
    if missing:
        print(f"bench-jobs needs Debian's packages {', '.join(missing)}: apt-get install {' '.join(missing)}")
        return 1
    folder = Path(tempfile.mkdtemp(prefix="pagoda-bench-"))
    world = World(backend="postgresql+redis", folder=folder, say=print, extra={"PLUGIN_WORKER_CONFIG": "{}"})
    try:
        world.start()
        with raw_worker(world) as raw:
            figures = measure(world, raw)
    finally:
        world.stop()
        shutil.rmtree(folder)
    return report(figures)


@contextmanager
def raw_worker(world: World) -> Iterator[psutil.Process]:
    """Run a worker of the raw app."""
    command = (
        sys.executable,
        "-m",
        "celery",
        "-A",
        "benchmarks.raw_celery",
        "worker",
        "-c",
        "1",
        "-Q",
        "raw",
    )
    quiet = (*command, "--without-gossip", "--without-mingle", "-l", "ERROR")
    process = subprocess.Popen(quiet, cwd=ROOT, env=world.stack.environ)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way to have `TASKS` tasks run."""

    submit: Callable[[], object]
    is_done: Callable[[], bool]
    workers: list[psutil.Process]


def measure(world: World, raw: psutil.Process) -> dict[str, dict[str, float]]:
    """Return ``{metric: {"ours", "raw", "ratio"}}``, times in microseconds of CPU per task."""
    servers = [psutil.Process(pid) for pid in world.server_pids()]
    times: dict[str, list[float]] = {}
    for round_number in range(ROUNDS + 1):
        for name, variant in variants(world, raw).items():
            for phase, seconds in one_round(variant, servers).items():
                if round_number:  # the first warms up
                    times.setdefault(f"{name}, {phase}", []).append(seconds / TASKS * 1e6)
    return compared({name: statistics.median(values) for name, values in times.items()})


def one_round(variant: Variant, servers: list[psutil.Process]) -> dict[str, float]:
    """Return ``{phase: CPU seconds}`` of submitting and running `TASKS` tasks."""
    here_before, servers_before, workers_before = time.process_time(), cpu(servers), cpu(variant.workers)
    variant.submit()
    submitting = time.process_time() - here_before  # alone: servers and workers are its children
    submitted = submitting + cpu(servers) - servers_before
    while not variant.is_done():
        time.sleep(0.2)
    ran = cpu(servers) - servers_before + cpu(variant.workers) - workers_before
    return {"submit": submitted, "run": ran, "whole": submitting + ran}


def variants(world: World, raw: psutil.Process) -> dict[str, Variant]:
    """Return the peer and ours."""
    from benchmarks.raw_celery import noop
    from pagoda.jobs.models import Job

    def submit_raw() -> None:
        for number in range(TASKS):
            noop.apply_async(kwargs={"job_id": number, "plugin": "chaos", "user": None})

    def submit_single() -> None:
        for _ in range(TASKS):
            Job.objects.submit(plugin="chaos", operation_name="noop", user=None)

    def submit_many() -> None:
        Job.objects.submit_many(plugin="chaos", operation_name="noop", user=None, params=[{}] * TASKS)

    def ours_are_done() -> bool:
        return not Job.objects.filter(finished_at=None).exists()

    def raw_is_done() -> bool:
        broker = redis.Redis.from_url(world.stack.environ["BROKER_URL"])
        return not broker.llen("raw") and not broker.hlen("unacked")

    ours = world.workers(parents_only=True)
    return {
        "raw": Variant(submit=submit_raw, is_done=raw_is_done, workers=[raw]),
        "single job": Variant(submit=submit_single, is_done=ours_are_done, workers=ours),
        "submit_many": Variant(submit=submit_many, is_done=ours_are_done, workers=ours),
    }


def cpu(roots: list[psutil.Process]) -> float:
    """Return the CPU seconds that these processes, their children and those that ended have used."""
    return sum(_seconds(process) for root in roots for process in [root, *root.children(recursive=True)])


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0  # it is in its parent's `children_*` from now on
    return float(times.user + times.system + times.children_user + times.children_system)


def compared(medians: dict[str, float]) -> dict[str, dict[str, float]]:
    """Set ours against the raw task's."""
    figures = {}
    for name, value in medians.items():
        variant, phase = name.split(", ")
        if variant != "raw":
            raw = medians[f"raw, {phase}"]
            figures[name] = {"ours": round(value, 1), "raw": round(raw, 1), "ratio": round(value / raw, 2)}
    return figures


def report(figures: dict[str, dict[str, float]]) -> int:
    """Print and write the figures; return 1 when one misses its bound."""
    print(f"{'CPU per task':<22}{'ours':>10}{'raw':>10}{'ratio':>8}  bound")
    missed = False
    for name, figure in figures.items():
        bound = BOUNDS.get(name)
        is_missed = bound is not None and figure["ratio"] > bound
        missed = missed or is_missed
        print(
            f"{name:<22}{figure['ours']:>7.0f} us{figure['raw']:>7.0f} us{figure['ratio']:>7.2f}x"
            f"  {bound or '-'}{'  MISSED' if is_missed else ''}"
        )
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n")
    return 1 if missed else 0


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
