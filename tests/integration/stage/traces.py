"""What the trial plugin has done, as its table in the database tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TrialTraces:
    """The table of traces."""

    rows: Callable[..., list[tuple[Any, ...]]]  # runs a query

    def of(self, what: str, subject: object) -> list[tuple[str, int]]:
        """Return ``(host, attempt)`` of each time that something was done to or by `subject`."""
        query = "SELECT host, attempt FROM pagoda_trial_trace WHERE what = %s AND subject = %s ORDER BY id"
        return [(str(host), int(attempt)) for host, attempt in self.rows(query, what, str(subject))]

    def walk(self, job_id: int) -> list[str]:
        """Return the steps that a job of the task `walk` took."""
        query = "SELECT what FROM pagoda_trial_trace WHERE what LIKE 'walk: %%' AND subject = %s ORDER BY id"
        return [str(what).removeprefix("walk: ") for (what,) in self.rows(query, str(job_id))]

    def last(self) -> int:
        """Return the number of the newest trace."""
        ((number,),) = self.rows("SELECT coalesce(max(id), 0) FROM pagoda_trial_trace")
        return int(number)

    def hooks(self, subject: str, *, after: int = 0) -> Counter[tuple[str, str]]:
        """Return how often each ``(hook, host)`` ran for `subject` after a trace."""
        query = "SELECT what, host FROM pagoda_trial_trace WHERE subject = %s AND id > %s"
        return Counter((str(what), str(host)) for what, host in self.rows(query, subject, after))
