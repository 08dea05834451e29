"""What is tried: a handler, by the write that its hook belongs to, or a task, by a job."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial, wraps
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from pagoda import running
from pagoda.budget import TimeBudgetExceeded
from pagoda.domain.entity.models import Entity
from pagoda.domain.entry.models import Entry
from pagoda.hooks.manager import manager
from pagoda.hooks.records import HandlerRecord
from pagoda.hooks.rejections import is_rejection
from pagoda.jobs import context, operations, store
from pagoda.jobs.context import TaskContext
from pagoda.jobs.engine import run_attempt
from pagoda.jobs.execution import lost
from pagoda.jobs.models import Job
from pagoda_api.testing.chaos.meddling import Harm, Meddler
from pagoda_api.testing.host import PagodaHost
from pagoda_plugin_sdk.exceptions import JobTimeLimitExceeded
from pagoda_plugin_sdk.hooks import HOOK_SPECS
from pagoda_plugin_sdk.operations import JobOperation

ADMIN = "admin"
ENTITY = "Chaos"
BUDGET_SECONDS = 2.0
LEASE_SECONDS = 3600.0

type Values = Mapping[str, Any]  # JSON


_TYPES = {int: "number", float: "number", bool: "boolean"}
"""Types of attributes of an entity that there is none of, by what the author gives as a value."""


class NotRun(Exception):
    """It can't be tried; the text says why."""


class _Undone(Exception):
    """Rolls a transaction back."""


@dataclass(slots=True)
class Handler:
    """A handler of a hook. What it is about is made first, with all handlers at work."""

    record: HandlerRecord
    entries: Mapping[str, Values]  # {entity: attributes of an entry}, as the author gives them
    own_jobs: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """Return its name to people."""
        entity = f", {self.record.entity}" if self.record.entity else ""
        return f"{self.record.plugin_id}: {self.record.name} ({self.record.hook}{entity})"

    def why_not(self, fault: Harm) -> str:
        """Return why a fault can't happen to it, "" if it can."""
        if fault is Harm.CANCELED:
            return "nobody can cancel a handler"
        if fault is Harm.TWICE and not self.record.deferred:
            return "the host runs a handler again only where it is deferred"
        if fault is Harm.UNDONE and self.record.deferred:
            return "a deferred handler runs once the change is stored"
        return ""

    def meddler(self, fault: Harm, at: int, sources: tuple[str, ...]) -> Meddler:
        """Return what is to call it; it is in its place from here on."""
        spec = HOOK_SPECS[self.record.hook]
        meddler = Meddler(fault, at, sources, self._cut, partial(is_rejection, spec))
        handler = self.record.handler

        @wraps(handler)
        def meddled(*args: Any, **keywords: Any) -> Any:
            result = meddler.call(handler, *args, **keywords)
            if fault is Harm.TWICE and meddler.is_armed:
                return meddler.call(handler, *args, **keywords)
            return result

        records = manager()._by_name[spec.name].records  # noqa: SLF001 - a process that ends after this
        records[records.index(self.record)] = put = replace(self.record, handler=meddled)
        manager()._counts[put] = manager()._counts[self.record]  # noqa: SLF001
        manager()._by_name[spec.name].reset()  # noqa: SLF001
        return meddler

    def _cut(self) -> BaseException:
        if self.record.deferred:
            return JobTimeLimitExceeded("cut off (chaos)")
        return TimeBudgetExceeded(manager().budget.local.frame, BUDGET_SECONDS)

    def prepare(self, host: PagodaHost) -> Callable[[], str]:
        """Make what the write is about; return the write, which returns what the API said against it."""
        client = host.client(host.user(ADMIN, is_superuser=True))
        subject, _, event = self.record.hook.partition(".")
        event = event.removeprefix("before_").removeprefix("after_")
        if subject == "entry":
            path, body = "/api/v2/entries/", entry_body(self.record.entity, self.entries)
        else:
            path, body = "/api/v2/entities/", self._entity()
        if event not in ("create", "validate"):
            made = _said(client.post(path, body, format="json"))
            if isinstance(made, str):
                raise NotRun(f"what it is about can't be made: {made}{self._remedy(body)}")
            path += f"{made['id']}/"
        if event == "restore":
            client.delete(path)
            path += "restore/"
        method = {"update": "patch", "delete": "delete", "get_attrs": "get"}.get(event, "post")
        change = {"name": f"{body['name']} 2"} if subject == "entry" else {"note": "changed"}
        has_none = method in ("delete", "get") or event == "restore"
        given = None if has_none else change if method == "patch" else body

        def write() -> str:
            answer = _said(getattr(client, method)(path, given, format="json"))
            for job in Job.objects.filter(operation=JobOperation.RUN_DEFERRED_HOOK, finished_at=None):
                job.run(will_delay=False)
            return f"{answer}{self._remedy(body)}" if isinstance(answer, str) else ""

        return write

    def run(self, write: Callable[[], str], meddler: Meddler) -> str:
        """Do the write; return what was said against it."""
        if meddler.fault is not Harm.UNDONE:
            return write()
        said = ""
        try:
            with transaction.atomic():
                said = write()
                raise _Undone
        except _Undone:
            return said

    def _entity(self) -> dict[str, Any]:
        name = self.record.entity or ENTITY
        Entity.objects.filter(name=name).update(name=f"{name} before chaos")
        return {"name": name, "attrs": [{"name": "note", "type": "string"}]}

    def _remedy(self, body: Mapping[str, Any]) -> str:
        if "schema" not in body:
            return ""
        name = Entity.objects.filter(pk=body["schema"]).values_list("name", flat=True).first()
        return f". Give values that it takes: [tool.pagoda.chaos.entries] {name} = {{attribute = value}}"


@dataclass(slots=True)
class Task:
    """A task, run as a job of the administrator under the worker's own engine."""

    plugin: str
    operation: str
    params: Values
    own_jobs: tuple[int, ...] = ()
    _spec: operations.OperationSpec = field(init=False)

    def __post_init__(self) -> None:
        self._spec = operations.resolve_name(self.plugin, self.operation)

    @property
    def name(self) -> str:
        """Return its name to people."""
        return f"{self.plugin}: {self.operation} (task)"

    @property
    def remedy(self) -> str:
        """Return what its author may do when it raises."""
        return (
            f". Give it params that it takes: [tool.pagoda.chaos.params] {self.operation} = {{name = value}}"
        )

    def why_not(self, fault: Harm) -> str:
        """Return why a fault can't happen to it, "" if it can."""
        if self._spec.options is None and fault in (Harm.CANCELED, Harm.UNDONE):
            return "a task of the raw form has no checkpoints and no fences"
        return ""

    def meddler(self, fault: Harm, at: int, sources: tuple[str, ...]) -> Meddler:
        """Return what is to call it; its checkpoints and fences do as the fault wants."""
        meddler = Meddler(
            fault, at, sources, partial(JobTimeLimitExceeded, "cut off (chaos)"), lambda _error: False
        )
        context.REPORT_SECONDS = 0.0  # each checkpoint looks
        checkpoint, fence = TaskContext.checkpoint, TaskContext.fence

        def meddled(job: TaskContext) -> None:
            meddler.checkpoints += 1
            if fault is Harm.CANCELED and meddler.checkpoints == at + 1:
                with running.as_host():
                    Job.objects.filter(pk=job.id).update(cancel_requested_at=timezone.now())
            checkpoint(job)

        @contextmanager
        def undone(job: TaskContext) -> Any:
            meddler.fences += 1
            with fence(job):
                yield
                if fault is Harm.UNDONE and meddler.fences == at + 1:
                    raise lost(job.execution.attempt)

        TaskContext.checkpoint, TaskContext.fence = meddled, undone  # type: ignore[method-assign,assignment]
        self._spec = replace(self._spec, handler=partial(meddler.call, self._spec.handler))
        return meddler

    def prepare(self, host: PagodaHost) -> Callable[[], str]:
        """Submit the job; return what runs it once."""
        user = host.user(ADMIN, is_superuser=True)
        job = Job.objects.submit(
            plugin=self.plugin, operation_name=self.operation, user=user, params=self.params
        )
        self.own_jobs = (job.pk,)
        return self._attempt

    def run(self, attempt: Callable[[], str], meddler: Meddler) -> str:
        """Run the job, after a worker was lost with it where it is to run twice."""
        own = Job.objects.filter(pk__in=self.own_jobs)
        own.update(max_attempts=2 if meddler.fault is Harm.TWICE else 1)
        if meddler.fault is Harm.TWICE:
            connection.close()  # no two processes may use it
            if (child := os.fork()) == 0:
                self._spec = replace(self._spec, handler=partial(_die_after, self._spec.handler))
                attempt()
                os._exit(1)
            os.waitpid(child, 0)
            own.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
            store.expire_leases()
            own.update(run_at=None)
        return attempt()

    def _attempt(self) -> str:
        attempt = store.claim(self.own_jobs[0], store.owner_of("chaos", os.getpid()), LEASE_SECONDS)
        if attempt is None:
            raise NotRun(
                f"its job can't be claimed, it is {Job.objects.get(pk=self.own_jobs[0]).phase.value}"
            )
        run_attempt(attempt, self._spec, report=lambda _error: None)
        return ""


def entry_body(name: str | None, given: Mapping[str, Values]) -> dict[str, Any]:
    """Return the body that makes an entry of the entity, or of the first there is.

    One that is missing is made. `given` are values, ``{entity: {attribute: value}}``.
    """
    with running.as_host():
        entities = Entity.objects.filter(is_active=True).order_by("pk")
        entity = (entities.filter(name=name) if name is not None else entities).first()
        if entity is None:
            values = given.get(name or ENTITY, {"note": ""})
            attrs = [
                {"name": attr, "type": _TYPES.get(type(each), "string")} for attr, each in values.items()
            ]
            entity = Entity.objects.create_entity(user=None, name=name or ENTITY, attrs=attrs)
        entry = Entry.objects.filter(schema=entity, is_active=True).first()
        found = given.get(entity.name)
        if found is None:
            found = _json(entry.get_attrs()) if entry is not None else {}
    return {"schema": entity.pk, "name": "chaos", "attrs": found}


def _die_after(task: Callable[[Any], Any], argument: Any) -> None:
    """End the process once the task has done its work, before anybody hears of it."""
    try:
        task(argument)
    finally:
        os._exit(0)


def _said(answer: Any) -> Any:
    """Return the answer's JSON, or as text what it says against the request."""
    if answer.status_code >= 400:
        return answer.content.decode(errors="replace")[:300]
    return answer.json() if answer.content else {}


def _json(value: Any) -> Any:
    """Return a value as the API takes it: objects by their ids."""
    if isinstance(value, Mapping):
        return {key: _json(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_json(each) for each in value]
    return getattr(value, "pk", value)
