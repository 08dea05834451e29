"""The dispatcher: looks after jobs that no message and no worker looks after. Any number may run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event

import sentry_sdk
import structlog
from django.db import InterfaceError, OperationalError, connection

from pagoda.jobs import operations, runtime, store
from pagoda.jobs.clock import database_now
from pagoda.jobs.publisher import Message, MessagePublisher
from pagoda_worker import task_fence
from pagoda_worker.schedules import Schedules

log = structlog.get_logger(__name__)

BATCH = 500

WAITS_WHILE = 0.9
"""Messages are not sent again while the broker holds at least this part of those that should wait there."""

TRUSTS_DEPTH = 100
"""At each look of this number or a multiple, some 50 minutes apart, a message goes out whatever the depth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round did, in jobs."""

    released: int = 0  # their dependency had finished
    expired: int = 0  # taken from a worker that was silent for too long
    timed_out: int = 0  # ended past their hard limit
    scheduled: int = 0  # started by a schedule
    published: int = 0
    unpublished: int = 0  # due, but the broker did not take them

    @property
    def is_idle(self) -> bool:
        """Return whether there was nothing to do."""
        return self == Round()


class Dispatcher:
    """Does, round by round, what jobs need beside their workers."""

    def __init__(
        self,
        *,
        interval_seconds: float,
        schedules: Schedules | None = None,
        publisher: MessagePublisher | None = None,
    ) -> None:
        self._interval_seconds = interval_seconds
        self._schedules = schedules if schedules is not None else Schedules.of(operations.all_specs())
        self._publisher = publisher if publisher is not None else runtime.publisher()

    def run_once(self) -> Round:
        """Do one round and return what it did.

        Raises:
            DatabaseError: the database does not answer.
        """
        expired = self._expire()
        overdue = store.end_overdue()
        for attempt in overdue:
            log.warning("job_timed_out", job_id=attempt.job_id, attempt=attempt.number, owner=attempt.owner)
            task_fence.tell(attempt, "timeout", error="it ran past its hard limit")
        released = store.release_dependents()
        scheduled = self._schedules.start_due(database_now())
        published, unpublished = self._publish()
        return Round(
            released=released,
            expired=expired,
            timed_out=len(overdue),
            scheduled=len(scheduled),
            published=published,
            unpublished=unpublished,
        )

    def run_forever(self, stop: Event, *, after_round: Callable[[], None] | None = None) -> None:
        """Do rounds until `stop` is set; faults are reported, and the next round tries again."""
        while not stop.is_set():
            try:
                done = self.run_once()
            except (OperationalError, InterfaceError) as error:
                log.warning("dispatcher_database_unavailable", error=str(error))
                connection.close()
            except Exception as error:  # one fault must not stop what all jobs depend on
                log.exception("dispatcher_round_failed")
                sentry_sdk.capture_exception(error)
            else:
                if not done.is_idle:
                    log.info("dispatcher_round", **_counts(done))
            if after_round is not None:  # also without database: a restart would not bring it back
                after_round()
            stop.wait(self._interval_seconds)

    def _expire(self) -> int:
        expired = store.expire_leases()
        for one in expired:
            attempt, outcome = one.attempt, one.failure.value
            log.warning("job_lease_expired", job_id=attempt.job_id, attempt=attempt.number, outcome=outcome)
            line = store.JobLogLine(
                level="warning",
                message=f"worker lost: no heartbeat from {attempt.owner}",
                extra={"outcome": outcome},
            )
            store.add_log(attempt.job_id, attempt.number, [line])
        return len(expired)

    def _publish(self) -> tuple[int, int]:
        """Publish what is due; return how many went out and how many could not."""
        published = 0
        while due := store.due_jobs(BATCH):
            messages = [job.message for job in due if not job.is_suspect]
            messages += self._lost([job for job in due if job.is_suspect])
            self._publisher.resume()
            sent = self._publisher.publish(messages)
            published += len(sent)
            if len(sent) < len(messages):
                unsent = messages[len(sent) :]
                store.give_back([message.job_id for message in unsent])
                return published, len(unsent)
            if len(due) < BATCH:
                break
        return published, 0

    def _lost(self, suspects: Sequence[store.DueJob]) -> list[Message]:
        """Return the messages to send again: not those of queues that are merely long.

        One that the broker lost is seldom alone: the others of its queue are looked after in the next step.
        """
        long = {queue: self._is_long(queue) for queue in dict.fromkeys(job.message.queue for job in suspects)}
        for queue, is_long in long.items():
            if not is_long:
                store.look_again(queue)
        return [
            job.message
            for job in suspects
            if not long[job.message.queue] or (job.looks + 1) % TRUSTS_DEPTH == 0
        ]

    def _is_long(self, queue: str) -> bool:
        depth = self._publisher.depth(queue)
        return depth is not None and depth > 0 and depth >= WAITS_WHILE * store.queued_count(queue)


def _counts(done: Round) -> dict[str, int]:
    return {name: count for name in done.__slots__ if (count := getattr(done, name))}
