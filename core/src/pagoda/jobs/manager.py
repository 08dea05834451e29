"""How callers reach jobs: `Job.objects`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import models

from pagoda.jobs import operations

if TYPE_CHECKING:
    from pagoda.jobs.models import Job


class JobQuerySet(models.QuerySet["Job"]):
    """Jobs."""

    def listed(self) -> JobQuerySet:
        """Return the jobs that lists show: those of operations that are not hidden."""
        return self.exclude(operation__in=operations.hidden_numbers())


class JobManager(models.Manager["Job"]):
    """Makes jobs and finds them."""

    def get_queryset(self) -> JobQuerySet:
        """Return all jobs."""
        return JobQuerySet(self.model, using=self._db)

    def listed(self) -> JobQuerySet:
        """Return the jobs that lists show: those of operations that are not hidden."""
        return self.get_queryset().listed()

    def submit(
        self,
        *,
        plugin: str,
        operation_name: str,
        user: Any,
        params: Mapping[str, Any] | str = {},
        target: Any = None,
        text: str = "",
        depend_on: Job | None = None,
        run_at: datetime | None = None,
        idempotency_key: str = "",
        singleton_key: str = "",
    ) -> Job:
        """Make a job and have it run, once the current transaction is committed.

        `plugin` is an id or alias, "" for the host; `store.JobRequest` says what the others mean. A key that
        another job has returns that job.

        Raises:
            UnknownOperation: the plugin has no such operation.
            InvalidParams: params or target can't be stored.
        """
        from pagoda.jobs import store  # late: it works on the table that this manager belongs to

        operation = operations.resolve_name(plugin, operation_name)
        request = store.JobRequest(
            operation=operation,
            user=user,
            params=params,
            target=target,
            text=text,
            depend_on=depend_on,
            run_at=run_at,
            idempotency_key=idempotency_key,
            singleton_key=singleton_key,
        )
        return store.submit(request)

    def submit_many(
        self, *, plugin: str, operation_name: str, user: Any, params: Iterable[Mapping[str, Any] | str]
    ) -> list[Job]:
        """Make and run one job per item of `params`, as `submit` does, at about the price of their messages.

        Raises:
            UnknownOperation: the plugin has no such operation.
            InvalidParams: some params can't be stored; no job is made then.
        """
        from pagoda.jobs import store  # late, as above

        operation = operations.resolve_name(plugin, operation_name)
        return store.submit_many(store.JobRequest(operation=operation, user=user), params)
