"""The store against a model of it, in any order of events."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from pagoda.jobs import operations, store
from pagoda.jobs.clock import after
from pagoda.jobs.job_errors import JobConflict
from pagoda.jobs.models import Job
from pagoda.jobs.store import Failure
from pagoda.jobs.testing import RecordingPublisher
from pagoda.jobs.transitions import FINISHED, Phase
from pagoda_plugin_sdk.operations import JobStatus
from tools.examples import examples

LEASE = 30.0
TRIES = 3  # of both operations: the setting's and the task's own
RETRYABLE = (JobStatus.ERROR, JobStatus.TIMEOUT, JobStatus.CANCELED, JobStatus.WARNING)


@dataclass
class Model:
    """What a job should be."""

    retries: bool  # an exception is tried again
    depends_on: int | None = None
    phase: Phase = Phase.PREPARING
    status: JobStatus = JobStatus.PREPARING
    attempt: int = 0
    tries: int = 0
    claim: store.Attempt | None = None

    def end(self, status: JobStatus) -> None:
        self.phase, self.status, self.claim = Phase.FINISHED, status, None

    def queue(self) -> None:
        self.phase, self.status, self.claim = Phase.QUEUED, JobStatus.PROCESSING, None

    @property
    def is_claimed(self) -> bool:
        return self.phase in (Phase.RUNNING, Phase.CANCELING)


@dataclass
class State:
    jobs: dict[int, Model] = field(default_factory=dict)
    attempts: list[store.Attempt] = field(default_factory=list)  # all there ever were, stale ones too


class StoreMachine(RuleBasedStateMachine):
    seen: ClassVar[set[Phase]] = set()  # that jobs were in

    def __init__(self) -> None:
        super().__init__()
        Job.objects.all().delete()
        self.state = State()

    def pick(self, data: st.DataObject) -> tuple[Job, Model]:
        job_id = data.draw(st.sampled_from(sorted(self.state.jobs)), label="job")
        return Job.objects.get(pk=job_id), self.state.jobs[job_id]

    def pick_attempt(self, data: st.DataObject) -> tuple[store.Attempt, Model, bool]:
        """Return an attempt, its job, and whether it still has the job, as every second one does."""
        live = [model.claim for model in self.state.jobs.values() if model.claim is not None]
        prefers_live: bool = data.draw(st.booleans(), label="prefers live")
        some = live if live and prefers_live else self.state.attempts
        attempt = data.draw(st.sampled_from(some), label="attempt")
        model = self.state.jobs[attempt.job_id]
        return attempt, model, model.claim is not None and model.claim.token == attempt.token

    @rule(retries=st.booleans(), runs=st.booleans(), depends=st.booleans(), data=st.data())
    def make(self, retries: bool, runs: bool, depends: bool, data: st.DataObject) -> None:
        first = self.pick(data)[0] if depends and self.state.jobs else None
        operation = operations.resolve_name("shop", "stubborn" if retries else "restock")
        request = store.JobRequest(operation=operation, depend_on=first)
        job = store.submit(request) if runs else store.create(request)
        model = self.state.jobs[job.pk] = Model(retries=retries, depends_on=first.pk if first else None)
        if runs:
            self.start(model)

    def start(self, model: Model) -> None:
        model.queue()
        if model.depends_on and self.state.jobs[model.depends_on].phase != Phase.FINISHED:
            model.phase = Phase.WAITING

    @precondition(lambda self: self.state.jobs)
    @rule(data=st.data())
    def run(self, data: st.DataObject) -> None:
        job, model = self.pick(data)
        assert store.run(job) == (model.phase == Phase.PREPARING)
        if model.phase == Phase.PREPARING:
            self.start(model)

    @precondition(lambda self: self.state.jobs)
    @rule(data=st.data(), pid=st.integers(1, 3))
    def claim(self, data: st.DataObject, pid: int) -> None:
        job, model = self.pick(data)
        attempt = store.claim(job.pk, store.owner_of("node", pid), LEASE)
        assert (attempt is not None) == (model.phase == Phase.QUEUED)
        if attempt is not None:
            model.attempt, model.tries = model.attempt + 1, model.tries + 1
            assert (attempt.number, attempt.tries) == (model.attempt, model.tries)
            model.phase, model.claim = Phase.RUNNING, attempt
            self.state.attempts.append(attempt)

    @precondition(lambda self: self.state.attempts)
    @rule(data=st.data(), status=st.sampled_from(FINISHED))
    def finish(self, data: st.DataObject, status: JobStatus) -> None:
        attempt, model, is_live = self.pick_attempt(data)
        assert store.finish(attempt, status) == is_live
        if is_live:
            model.end(status)

    @precondition(lambda self: self.state.attempts)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        attempt, model, is_live = self.pick_attempt(data)
        expected = Failure.FENCED
        if is_live and model.retries and model.tries < TRIES:
            expected = self.go_on(model)
        elif is_live:
            expected = Failure.ENDED
            model.end(JobStatus.ERROR)
        assert store.fail_attempt(attempt, error="no") is expected
        Job.objects.filter(pk=attempt.job_id, status=JobStatus.PROCESSING).update(run_at=None)  # time passes

    @precondition(lambda self: self.state.attempts)
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        attempt, model, is_live = self.pick_attempt(data)
        expected = self.lost(model) if is_live else Failure.FENCED
        assert store.lose(attempt, cause="killed") is expected

    @rule()
    def expire(self) -> None:
        Job.objects.filter(lease_expires_at__isnull=False).update(lease_expires_at=after(-1))
        live = {n: m for n, m in self.state.jobs.items() if m.is_claimed}
        expected = {job_id: self.lost(model) for job_id, model in live.items()}
        assert {one.attempt.job_id: one.failure for one in store.expire_leases()} == expected

    def lost(self, model: Model) -> Failure:
        """Apply the loss of a worker to the model and return what the store should say of it."""
        if model.phase == Phase.CANCELING or model.tries < TRIES:
            return self.go_on(model)
        model.end(JobStatus.ERROR)
        return Failure.ENDED

    def go_on(self, model: Model) -> Failure:
        if model.phase == Phase.CANCELING:
            model.end(JobStatus.CANCELED)
            return Failure.ENDED
        model.queue()
        return Failure.RETRIED

    @precondition(lambda self: self.state.attempts)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        attempt, model, is_live = self.pick_attempt(data)
        assert store.release(attempt, reason="stopped") == is_live
        if is_live:
            model.tries -= 1
            self.go_on(model)

    @precondition(lambda self: self.state.jobs)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        job, model = self.pick(data)
        if model.phase == Phase.FINISHED and model.status != JobStatus.CANCELED:
            with pytest.raises(JobConflict):
                store.cancel(job)
            return
        phase = store.cancel(job)
        if model.is_claimed:
            assert phase == Phase.CANCELING
            model.phase = Phase.CANCELING
        else:
            assert phase == Phase.FINISHED
            model.end(JobStatus.CANCELED)

    @precondition(lambda self: any(model.is_claimed for model in self.state.jobs.values()))
    @rule(data=st.data())
    def cancel_running(self, data: st.DataObject) -> None:
        running = sorted(job_id for job_id, model in self.state.jobs.items() if model.is_claimed)
        job_id = data.draw(st.sampled_from(running), label="running job")
        assert store.cancel(Job.objects.get(pk=job_id)) == Phase.CANCELING
        self.state.jobs[job_id].phase = Phase.CANCELING

    @precondition(lambda self: self.state.jobs)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        job, model = self.pick(data)
        if model.status not in RETRYABLE:
            with pytest.raises(JobConflict):
                store.retry(job)
            return
        store.retry(job)
        model.tries = 0
        model.queue()

    @precondition(lambda self: self.state.jobs)
    @rule(data=st.data())
    def requeue(self, data: st.DataObject) -> None:
        job, model = self.pick(data)
        if model.phase == Phase.FINISHED:
            with pytest.raises(JobConflict):
                store.requeue(job)
            return
        store.requeue(job)
        if model.phase == Phase.PREPARING:
            self.start(model)
        elif model.phase != Phase.WAITING:
            model.tries = 0
            model.queue()

    @rule()
    def release_dependents(self) -> None:
        waiting = [m for m in self.state.jobs.values() if m.phase == Phase.WAITING]
        ready = [m for m in waiting if self.state.jobs[m.depends_on or 0].phase == Phase.FINISHED]
        assert store.release_dependents() == len(ready)
        for model in ready:
            model.queue()

    @rule()
    def publish_due(self) -> None:
        Job.objects.filter(publish_at__isnull=False).update(publish_at=after(-1), created_at=after(-60))
        queued = {job_id for job_id, model in self.state.jobs.items() if model.phase == Phase.QUEUED}
        assert {due.message.job_id for due in store.due_jobs()} == queued
        assert store.due_jobs() == []

    @rule()
    def heartbeat(self) -> None:
        found = store.heartbeat(self.state.attempts, LEASE, cancel_grace_seconds=10)
        claims = {m.claim.token: m.phase for m in self.state.jobs.values() if m.claim is not None}
        assert {a.token for a in found.lost} == {a.token for a in self.state.attempts} - claims.keys()
        assert (found.cancel_overdue, found.past_hard_limit) == ((), ())

    @invariant()
    def the_rows_are_as_the_model_says(self) -> None:
        rows = {job.pk: job for job in Job.objects.all()}
        assert rows.keys() == self.state.jobs.keys()
        for job_id, model in self.state.jobs.items():
            job = rows[job_id]
            self.seen.add(model.phase)
            assert (job.status, job.phase, job.attempt) == (model.status, model.phase, model.attempt)
            assert (job.finished_at is not None) == (model.phase == Phase.FINISHED)
            assert job.lease_owner == (model.claim.owner if model.claim is not None else "")
            assert (job.publish_at is not None) == (model.phase == Phase.QUEUED)


@pytest.mark.django_db
def test_the_store_does_what_the_model_says(shop: None, publisher: RecordingPublisher) -> None:
    StoreMachine.seen.clear()

    # The same examples in every run: that they reach every phase must not be a matter of luck.
    repeatable = settings(max_examples=examples(60, quick=10), stateful_step_count=40, derandomize=True)
    run_state_machine_as_test(StoreMachine, settings=repeatable)

    assert StoreMachine.seen == set(Phase) - {Phase.SCHEDULED}
