"""When each host was last scanned: the finished scan jobs know, no attribute has to be written for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from pagoda_plugin_sdk import Job, JobStatus

FINISHED = (JobStatus.DONE, JobStatus.WARNING)

NEWEST_JOBS = 200
"""So many scans are looked at: a host that was not scanned in any of them counts as never scanned."""

KEEP_SECONDS = 5.0
"""So long an answer serves: a page of hosts asks once."""


def last_scans() -> dict[str, datetime]:
    """Return ``{host: end of its last scan}``, in one query."""
    results = (
        Job.objects.filter(plugin="inventory", operation_name="scan", status__in=FINISHED)
        .order_by("-id")
        .values_list("result", flat=True)[:NEWEST_JOBS]
    )
    found: dict[str, datetime] = {}
    for result in results:
        host, scanned_at = _scan_of(result)
        if host is not None:
            found.setdefault(host, scanned_at)
    return found


def age_seconds(moment: datetime) -> float:
    """Return how long ago `moment` was, with a tenth of a second."""
    return max(0.0, round((datetime.now(UTC) - moment).total_seconds(), 1))


class LastScans:
    """Answers for many hosts with one query in `KEEP_SECONDS`; threads may share it."""

    def __init__(
        self,
        read: Callable[[], Mapping[str, datetime]] = last_scans,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._clock = clock
        self._kept: tuple[float, Mapping[str, datetime]] | None = None

    def of(self, host: str) -> datetime | None:
        """Return the end of the last scan of `host`, None when none is known."""
        kept = self._kept
        if kept is None or self._clock() - kept[0] > KEEP_SECONDS:
            kept = (self._clock(), self._read())
            self._kept = kept
        return kept[1].get(host)


def _scan_of(result: Any) -> tuple[str | None, datetime]:
    """Return host and end of the scan with this result; a job of another version may have another one."""
    if isinstance(result, Mapping) and isinstance(host := result.get("host"), str):
        return host, datetime.fromisoformat(result["scanned_at"])
    return None, datetime.min.replace(tzinfo=UTC)
