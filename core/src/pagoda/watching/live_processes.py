"""The live processes with what each has loaded, for whoever operates the host."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pagoda.domain.user.permissions import Viewer
from pagoda.watching.operating import require_staff
from pagoda.watching.presence import living
from pagoda_plugin_sdk.rules.saying import say

MOST: Final = 1000
"""Processes that are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveProcess:
    """A process that said in the last HEALTH_PRESENCE_SECONDS that it lives."""

    service: str  # api, worker, dispatcher
    queue: str  # that it consumes, "" for none
    host: str
    pid: int
    digest: str  # of its plugin registry
    differs: bool  # from what most run, the newest where as many run another
    started_at: datetime
    seen_at: datetime


def live_processes(user: Viewer | None) -> Sequence[LiveProcess]:
    """Return the live processes, those that differ first, at most `MOST`; one query.

    Raises:
        PermissionDenied: the user is not staff.
    """
    require_staff(user, say("the live processes"))
    rows = list(living().order_by("-started_at", "node")[:MOST])
    counts = Counter(row.digest for row in rows if row.digest)
    usual = max(counts, key=counts.__getitem__, default="")  # of equals the first, which is the newest
    found = [
        LiveProcess(
            service=row.service,
            queue=row.queue,
            host=row.host,
            pid=row.pid,
            digest=row.digest,
            differs=bool(row.digest) and row.digest != usual,
            started_at=row.started_at,
            seen_at=row.seen_at,
        )
        for row in rows
    ]
    return sorted(found, key=lambda each: (not each.differs, each.service, each.queue, each.host, each.pid))
