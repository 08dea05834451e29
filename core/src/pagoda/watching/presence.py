"""Which processes live: rows that they renew, so that nobody has to ask them over the broker."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from django.db.models import QuerySet
from django.db.models.functions import Now
from pydantic import Field

from pagoda.fencing.foreign_rows import RowReader
from pagoda.jobs import runtime as jobs
from pagoda.jobs.clock import after
from pagoda.plugins.records import PluginStatus, ReasonCode
from pagoda.plugins.registry import registry
from pagoda.watching.models import Presence

RENEW_SECONDS = 5.0
KEPT_SECONDS = 600.0

type Word = Annotated[str, Field(max_length=200)]
_SKIPPED: RowReader[dict[Word, Word]] = RowReader(
    "presence", Annotated[dict[Word, Word], Field(max_length=1000)]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LivingProcess:
    """One process that says that it lives."""

    service: str
    queue: str = ""

    @property
    def node(self) -> str:
        """Return its name among all processes; the account of a plugin's worker may not take another's."""
        return f"{self.queue or self.service}@{socket.gethostname()}/{os.getpid()}"[:200]


def renew(process: LivingProcess) -> None:
    """Say that the process lives; one statement once it is known."""
    facts = {
        "service": process.service,
        "queue": process.queue,
        "host": socket.gethostname()[:200],
        "pid": os.getpid(),
        "digest": jobs.registry_digest(),
        "skipped": _skipped(),
        "seen_at": Now(),
    }
    if not Presence.objects.filter(node=process.node).update(**facts):
        facts.pop("seen_at")
        Presence.objects.create(node=process.node, **facts)


def leave(process: LivingProcess) -> None:
    """Say that the process ends."""
    Presence.objects.filter(node=process.node).delete()


def living(seconds: float | None = None) -> QuerySet[Presence]:
    """Return the processes that said so in the last `seconds`, by default HEALTH_PRESENCE_SECONDS."""
    limit = seconds if seconds is not None else jobs.host_settings().health_presence_seconds
    return Presence.objects.filter(seen_at__gt=after(-limit))


def skipped_anywhere() -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the service of each living process with what it left out, ``{plugin: reason code}``."""
    for node, service, told in living().values_list("node", "service", "skipped"):
        skipped = _SKIPPED.of_values(node, told)
        if skipped is not None:
            yield service, skipped


def prune() -> int:
    """Forget processes that ended long ago; return how many."""
    return Presence.objects.filter(seen_at__lt=after(-KEPT_SECONDS)).delete()[0]


def _skipped() -> dict[str, str]:
    """Return ``{plugin: reason code}`` of those that this process left out against the operator's will."""
    found: dict[str, str] = {}
    for record in registry().records:
        if record.status is PluginStatus.SKIPPED and record.reason_code is not ReasonCode.SAFE_MODE:
            found[record.id] = str(record.reason_code)
        elif record.faults:
            found[record.id] = str(record.faults[0].code)
    return found
