"""Jobs that count what they do, so that a lost or doubled one is seen."""

from __future__ import annotations

import time
from collections import Counter

import httpx

from tests.integration.stage.stack import Stack
from tests.integration.stage.waiting import wait_until

RECOVERY_SECONDS = 60.0
"""Within this time after a fault is over, everything has to be as if it had not been."""

OPEN = "SELECT id, status, queue, attempt FROM job_job WHERE id = ANY(%s) AND finished_at IS NULL"
ENDED = "SELECT status, count(*) FROM job_job WHERE id = ANY(%s) GROUP BY status"
EFFECTS = "SELECT subject FROM pagoda_trial_trace WHERE what = 'effect' AND subject = ANY(%s)"
DONE = 2


class Load:
    """Jobs of the trial plugin, each of which leaves one trace in the transaction that ends it."""

    def __init__(self, stack: Stack, jobs: list[int] | None = None) -> None:
        self._stack = stack
        self.jobs = [] if jobs is None else jobs

    def submit(self, count: int, *, seconds: float = 0.2) -> None:
        """Queue jobs that work for so long each."""
        self.jobs += self._stack.client.submit_many("effect", count, {"seconds": seconds})

    def submit_through(self, key: str, *, seconds: float = 0.1, limit_seconds: float = 60.0) -> None:
        """Queue one job as a client does that tries again until it is told the job's id, under one key."""
        deadline = time.monotonic() + limit_seconds
        while True:
            try:
                self.jobs.append(
                    self._stack.client.submit("effect", {"seconds": seconds}, idempotency_key=key)
                )
            except (httpx.TransportError, OSError, AssertionError):  # it is down, or has no port yet
                assert time.monotonic() < deadline, f"{key}: not accepted within {limit_seconds:g} s"
                time.sleep(0.2)
            else:
                return

    def some_started(self) -> None:
        """Wait until at least one of them has left its trace."""
        wait_until(self._effects, RECOVERY_SECONDS, lambda: "no job has run")

    def assert_recovered(self) -> str:
        """Wait until all have finished; return the figure: jobs, and seconds since now.

        Raises:
            AssertionError: one is not finished in time, not DONE, or left no or several traces.
        """
        began = time.monotonic()
        wait_until(lambda: not self._open(), RECOVERY_SECONDS, lambda: f"unfinished: {self._open()[:10]}")
        seconds = time.monotonic() - began
        assert self._stack.rows(ENDED, self.jobs) == [(DONE, len(self.jobs))]
        effects = self._effects()
        doubled = {job: count for job, count in effects.items() if count > 1}
        lost = {str(job) for job in self.jobs} - effects.keys()
        assert (lost, doubled) == (set(), {})
        return f"{len(self.jobs)} in, {len(effects)} done once, {seconds:.0f} s"

    def _open(self) -> list[tuple[object, ...]]:
        return self._stack.rows(OPEN, self.jobs)

    def _effects(self) -> Counter[str]:
        subjects = [str(job) for job in self.jobs]
        return Counter(str(subject) for (subject,) in self._stack.rows(EFFECTS, subjects))
