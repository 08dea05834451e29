"""What holds whatever happens to workers, broker and API; each promise hurts a `World` and counts."""

from __future__ import annotations

import random
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import psutil

from tools.chaos_world import LEASE_SECONDS, World, effects_by_job, log_events, overlaps, signal_to

Promise = Callable[[World], str]

OUTAGE_SECONDS = 30
KILLED_JOBS = 1_000
KILLS = 60  # at most: where a start takes longer than what is left between two, no job would ever end
FLOOD_JOBS = 2_000
BEATS = 60
BEAT_SECONDS = 0.5
FLOOD_BOUND = 1.5
BUSY_PERCENT = 25  # of all processors, while Pagoda has nothing to do: a bound on times means nothing beyond

DIE_BEFORE_PUBLISHING = """
import os, signal, django
django.setup()
from pagoda.jobs import publisher
from pagoda.jobs.models import Job
publisher.Publisher.publish = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
Job.objects.submit(plugin="chaos", operation_name="effect", user=None, params={"marker": "unpublished"})
"""


class BrokenPromise(AssertionError):
    """Something was lost, doubled or stuck; the message says what, with the counts."""


class NeedsIdleMachine(Exception):
    """A time missed its bound while other processes used the machine: it says nothing of the promise."""


def busy_percent() -> float | None:
    """Return how much of the processors is used now, None when that is too little to disturb a figure."""
    busy = psutil.cpu_percent(interval=3)
    return busy if busy > BUSY_PERCENT else None


def expect(holds: bool, fact: str) -> None:
    """Raise `BrokenPromise` with `fact` unless it holds."""
    if not holds:
        raise BrokenPromise(fact)


def killed_workers(world: World) -> str:
    """1. Jobs survive workers that are killed with -9, one each second."""
    randomness = random.Random(1)  # noqa: S311 - which process is hit; nothing secret
    jobs, kills, began = world.submit("effect", KILLED_JOBS), 0, time.monotonic()

    def kill() -> None:
        nonlocal kills
        kills += kills < KILLS and world.kill_one(randomness)

    world.wait(jobs, 600, kill)
    attempts = _assert_done_once(jobs)
    seconds = time.monotonic() - began
    return f"{len(jobs)} jobs DONE once, none lost, {kills} kills, {attempts} attempts, {seconds:.0f} s"


def killed_api(world: World) -> str:
    """2a. A process that dies between commit and publish loses nothing."""
    from pagoda.jobs.models import Job

    environ = world.stack.environ | {"DJANGO_SETTINGS_MODULE": "pagoda_api.settings"}
    for _ in range(5):
        died = subprocess.run((sys.executable, "-c", DIE_BEFORE_PUBLISHING), env=environ, check=False)
        expect(
            died.returncode == -signal.SIGKILL,
            f"the process was to be killed, it ended with {died.returncode}",
        )
    jobs = list(Job.objects.filter(params__contains="unpublished").values_list("pk", flat=True))
    expect(len(jobs) == 5, f"{len(jobs)} of 5 jobs were committed")
    world.wait(jobs, 60)
    _assert_done_once(jobs)
    return "5 processes killed between commit and publish, 5 jobs DONE once"


def broker_outage(world: World) -> str:
    """2b. Requests succeed while the broker is gone, and the jobs run when it is back, empty."""
    before = world.submit("effect", 50, seconds=0.2)
    world.broker.stop()
    until, during, slowest = time.monotonic() + OUTAGE_SECONDS, [], 0.0
    while time.monotonic() < until:
        began = time.monotonic()
        answer = world.client.post("/api/v2/plugins/chaos/run/effect/", json={})
        slowest = max(slowest, time.monotonic() - began)
        expect(answer.status_code == 202, f"a request answered {answer.status_code}: {answer.text[:200]}")
        during.append(answer.json()["job"])
        time.sleep(0.5)
    world.broker.start()
    world.wait([*before, *during], 120)
    _assert_done_once([*before, *during])
    return (
        f"{len(during)} requests in {OUTAGE_SECONDS} s without a broker all 202 (slowest {slowest:.1f} s), "
        f"{len(before) + len(during)} jobs DONE once after it came back empty"
    )


def doubled_message(world: World) -> str:
    """3a. One message delivered 20 times runs the job once."""
    from pagoda.jobs import runtime, store
    from pagoda.jobs.models import Job

    (job_id,) = world.submit("effect", seconds=0.5)
    message = store.message_of(Job.objects.get(pk=job_id))
    sent = runtime.publisher().publish([message] * 20)
    expect(len(sent) == 20, f"{len(sent)} of 20 messages went out")
    world.wait([job_id], 60)
    marker = world.submit("noop")  # behind the doubles: once it is done, they have all been delivered
    world.wait(marker, 60)
    _assert_done_once([job_id])
    attempt = Job.objects.get(pk=job_id).attempt
    expect(attempt == 1, f"it took {attempt} attempts")
    return "21 deliveries, 1 attempt, 1 effect"


def stopped_worker(world: World) -> str:
    """3b. A worker stopped past its lease and continued writes nothing; another one finished the job."""
    from pagoda.jobs.models import Job

    # A stale attempt is refused when it writes, or its parent learns first that it lost the job and ends it.
    stale = ("job_claim_lost", "job_process_killed")
    refused = log_events(world, *stale)
    (job_id,) = world.submit("effect", seconds=2)
    _until(lambda: Job.objects.get(pk=job_id).phase == "running", 30, "the job runs")
    stopped = world.workers()
    for process in stopped:
        signal_to(process, signal.SIGSTOP)
    with world.second_worker():
        world.wait([job_id], 60 + LEASE_SECONDS)
        for process in stopped:
            signal_to(process, signal.SIGCONT)
        _until(lambda: log_events(world, *stale) > refused, 60, "the stale attempt is refused")
    attempts = effects_by_job([job_id])[job_id]
    expect(attempts == [2], f"effects were recorded by attempts {attempts}, expected [2]")
    return "1 completion by attempt 2, attempt 1 refused"


def deadly_tasks(world: World) -> str:
    """4. A task that ends its process or eats memory ends in ERROR with the cause; the next runs."""
    from pagoda.jobs.models import Job

    deadly = {name: world.submit(name)[0] for name in ("exit_hard", "eat_memory")}
    world.wait(deadly.values(), 120)
    after = world.submit("effect", 5)
    world.wait(after, 60)
    _assert_done_once(after)
    causes = []
    for name, job_id in deadly.items():
        job = Job.objects.get(pk=job_id)
        expect(job.get_status_display() == "error", f"{name} ended in {job.get_status_display()}")
        expect(job.attempt == 2, f"{name} took {job.attempt} attempts of 2")
        expect(bool(job.error), f"{name} has no cause")
        causes.append(f"{name}: {job.error.splitlines()[0][:70]!r}")
    return f"ERROR after 2 attempts ({'; '.join(causes)}), 5 jobs behind them DONE"


def flood(world: World) -> str:
    """5. A plugin that floods its queue does not delay another plugin's jobs."""
    busy = busy_percent()
    alone = _beats()
    flooding = world.submit("pause", FLOOD_JOBS, seconds=0.05)
    beside = _beats()
    from pagoda.jobs.models import Job

    left = Job.objects.filter(pk__in=flooding, finished_at=None).count()
    world.wait(flooding, 300)
    ratio = beside / alone
    fact = (
        f"p95 {beside * 1000:.0f} ms beside {FLOOD_JOBS} jobs ({left} left at the end), "
        f"{alone * 1000:.0f} ms alone"
    )
    if ratio > FLOOD_BOUND and busy is not None:
        raise NeedsIdleMachine(f"{fact}: {ratio:.2f}x of {FLOOD_BOUND}x, on a machine {busy:.0f} % busy")
    expect(ratio <= FLOOD_BOUND, f"{fact}: {ratio:.2f}x, expected {FLOOD_BOUND}x at most")
    return f"{fact}: {ratio:.2f}x"


def cancels(world: World) -> str:
    """6a. A job can be cancelled in every state; twice is once; a finished one answers 409."""
    from django.utils import timezone

    from pagoda.jobs.models import Job

    later = Job.objects.submit(
        plugin="chaos", operation_name="pause", user=None, run_at=timezone.now() + timedelta(hours=1)
    )
    waiting = Job.objects.submit(plugin="chaos", operation_name="pause", user=None, depend_on=later)
    running, stubborn = world.submit("pause", seconds=600)[0], world.submit("stubborn")[0]
    for job_id in (running, stubborn):
        _until(lambda job_id=job_id: Job.objects.get(pk=job_id).phase == "running", 30, "the job runs")  # type: ignore[misc]
    queued = world.submit("pause", 20, seconds=0.5)[-1]
    asked = {
        "waiting": waiting.pk,
        "scheduled": later.pk,
        "queued": queued,
        "running": running,
        "stubborn": stubborn,
    }
    for state, job_id in asked.items():
        for _ in range(2):
            answer = world.client.post(f"/api/v2/jobs/{job_id}/cancel/")
            expect(
                answer.status_code in (200, 202),
                f"{state}: cancel answered {answer.status_code} {answer.text[:200]}",
            )
    world.wait(asked.values(), 60)
    ended = {state: Job.objects.get(pk=job_id).get_status_display() for state, job_id in asked.items()}
    expect(set(ended.values()) == {"canceled"}, f"they ended as {ended}")
    expect(Job.objects.get(pk=queued).attempt == 0, "the queued job was started")
    done = world.submit("pause", seconds=0)[0]
    world.wait([done], 60)
    answer = world.client.post(f"/api/v2/jobs/{done}/cancel/")
    expect(answer.status_code == 409, f"cancelling a finished job answered {answer.status_code}")
    return f"{', '.join(asked)}: CANCELED; finished: 409"


def two_dispatchers(world: World) -> str:
    """6b. Two dispatchers (and so two schedulers) double nothing: one run per tick."""
    from django.apps import apps

    from pagoda.jobs.models import ScheduleTick

    world.stack.start("second-dispatcher", "pagoda_worker.cli", "dispatch")
    jobs = world.submit("effect", 200)
    world.wait(jobs, 120)
    _assert_done_once(jobs)
    effects = apps.get_model("pagoda_chaos", "Effect").objects.filter(task="tick")
    began = effects.count()
    _until(lambda: effects.count() >= began + 2, 150, "two more ticks ran")
    ticks = list(ScheduleTick.objects.filter(schedule__contains="tick").values_list("tick", flat=True))
    runs = Counter(effects.values_list("job", flat=True))
    expect(
        max(Counter(ticks).values()) == 1, f"ticks were taken more than once: {Counter(ticks).most_common(3)}"
    )
    expect(max(runs.values()) == 1, f"runs were doubled: {runs.most_common(3)}")
    expect(len(runs) <= len(ticks), f"{len(runs)} runs for {len(ticks)} ticks")
    return f"200 jobs DONE once; {len(runs)} runs for {len(ticks)} ticks"


def rolling_restart(world: World) -> str:
    """6c. Restarting every worker in turn under load loses and doubles nothing."""
    jobs = world.submit("effect", 400, seconds=0.1)
    restarted = 0
    for name in ("core", "calm", "chaos"):
        for parent in world.workers(name, parents_only=True):
            if signal_to(parent, signal.SIGTERM):
                parent.wait(60)
                restarted += 1
                _until(partial(world.workers, name), 60, f"worker {name} is back")
    more = world.submit("effect", 100)
    world.wait([*jobs, *more], 300)
    attempts = _assert_done_once([*jobs, *more])
    return f"{restarted} workers restarted in turn, 500 jobs DONE once, {attempts} attempts"


PROMISES: dict[str, Promise] = {
    "1  workers killed -9 each second": killed_workers,
    "2a killed between commit and publish": killed_api,
    "2b broker gone 30 s, its data lost": broker_outage,
    "3a one message delivered 20 times": doubled_message,
    "3b worker stopped past its lease": stopped_worker,
    "4  tasks that exit or eat memory": deadly_tasks,
    "5  a neighbour floods its queue": flood,
    "6a cancel in every state": cancels,
    "6c rolling restart under load": rolling_restart,
    "6b two dispatchers, two schedulers": two_dispatchers,
}
"""``{what happens: the promise}``, in the order in which they are tried."""


def _assert_done_once(jobs: list[int]) -> int:
    """Check that every job is DONE with exactly one effect; return how many attempts they took."""
    from pagoda.jobs.models import Job

    rows = list(Job.objects.filter(pk__in=jobs))
    expect(len(rows) == len(jobs), f"{len(rows)} of {len(jobs)} jobs exist")
    endings = Counter(row.get_status_display() for row in rows)
    expect(
        endings == {"done": len(jobs)},
        f"the jobs ended as {dict(endings)}; {[r.error for r in rows if r.error][:3]}",
    )
    effects = effects_by_job(jobs)
    wrong = {job: attempts for job, attempts in effects.items() if len(attempts) != 1}
    expect(
        not wrong, f"{len(wrong)} jobs without exactly one effect, such as {dict(list(wrong.items())[:3])}"
    )
    expect(overlaps(jobs) == 0, f"{overlaps(jobs)} jobs ran twice at once")
    return sum(row.attempt for row in rows)


def _beats() -> float:
    """Submit a job of the calm plugin each half second; return their 95th percentile in seconds."""
    from pagoda.jobs.models import Job

    jobs = []
    for _ in range(BEATS):
        jobs.append(Job.objects.submit(plugin="calm", operation_name="beat", user=None).pk)
        time.sleep(BEAT_SECONDS)
    _until(lambda: not Job.objects.filter(pk__in=jobs, finished_at=None).exists(), 60, "the beats are done")
    times = Job.objects.filter(pk__in=jobs).values_list("created_at", "finished_at")
    seconds = [(finished - created).total_seconds() for created, finished in times if finished is not None]
    return statistics.quantiles(seconds, n=20)[-1]


def _until(holds: Callable[[], Any], limit_seconds: float, what: str) -> None:
    deadline = time.monotonic() + limit_seconds
    while not holds():
        expect(time.monotonic() < deadline, f"within {limit_seconds:g} s not: {what}")
        threading.Event().wait(0.1)
