"""How long the queues are, how old what waits in them, and who consumes them: all from the database."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count, Min
from django.db.models.functions import Coalesce

from pagoda.jobs import plugin_host
from pagoda.jobs.clock import database_now, parse_moment
from pagoda.jobs.models import Job
from pagoda.jobs.operations import CORE_QUEUE
from pagoda.jobs.transitions import PHASE, UNFINISHED, Phase
from pagoda.watching.presence import living


@dataclass(slots=True, kw_only=True)
class Queue:
    """One queue as it stands."""

    name: str
    phases: dict[str, int] = field(default_factory=dict)  # {phase: unfinished jobs}
    oldest_seconds: float = 0.0  # how long the job that waits for a worker longest has waited
    consumers: int = 0  # workers that live

    @property
    def depth(self) -> int:
        """Return how many jobs wait for a worker."""
        return self.phases.get(Phase.QUEUED.value, 0)


def queues() -> dict[str, Queue]:
    """Return the queues of the host and of every plugin that has one, by name."""
    names = [CORE_QUEUE, *(f"plugin.{plugin_id}" for plugin_id in plugin_host.active_plugin_ids())]
    found = {name: Queue(name=name) for name in names}
    now = database_now()
    jobs = Job.objects.filter(status__in=UNFINISHED).order_by().annotate(current=PHASE)
    for row in jobs.values("queue", "current").annotate(
        count=Count("id"), oldest=Min(Coalesce("run_at", "created_at"))
    ):
        queue = found.setdefault(row["queue"], Queue(name=row["queue"]))
        queue.phases[row["current"]] = row["count"]
        if row["current"] == Phase.QUEUED.value:
            queue.oldest_seconds = _age(row["oldest"], now)
    for name, count in living().exclude(queue="").values_list("queue").annotate(Count("node")):
        found.setdefault(name, Queue(name=name)).consumers = count
    return found


def _age(moment: datetime | str, now: datetime) -> float:
    return max(0.0, (now - parse_moment(moment)).total_seconds())
