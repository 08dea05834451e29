"""The tables of jobs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar, Protocol, Self

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from pagoda.domain.bound import BoundModel, BoundQuerySet
from pagoda.jobs import operations
from pagoda.jobs.transitions import Phase, phase_of
from pagoda_plugin_sdk.job_arguments import named_job_arguments
from pagoda_plugin_sdk.operations import JobStatus, JobTarget


class JobServices(Protocol):
    """What `pagoda.jobs.interface` does with jobs; the models reach it through this port alone."""

    def submit(self, *, plugin: str, operation_name: str, user: Any, **options: Any) -> Job: ...
    def submit_many(
        self, *, plugin: str, operation_name: str, user: Any, params: Iterable[Mapping[str, Any] | str]
    ) -> list[Job]: ...
    def create_new_job(self, user: Any, *args: Any, **kwargs: Any) -> Job: ...
    def run(self, job: Job, *, will_delay: bool) -> str | None: ...
    def may_schedule(self, job: Job) -> bool: ...
    def is_timeout(self, job: Job) -> bool: ...
    def is_finished(self, job: Job, *, with_refresh: bool) -> bool: ...
    def is_canceled(self, job: Job) -> bool: ...
    def proceed_if_ready(self, job: Job) -> bool: ...
    def update(
        self, job: Job, *, status: int | None, text: str | None, target: Any, operation: int | None
    ) -> None: ...
    def to_json(self, job: Job) -> dict[str, Any]: ...
    def method_table(self) -> Mapping[int, Any]: ...
    def register_method_table(self, operation: int, method: Any) -> None: ...


class JobQuerySet(BoundQuerySet["Job"]):
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

        `plugin` is an id or alias, "" for the host; `pagoda.jobs.store.JobRequest` says what the others mean.
        A key that another job has returns that job.

        Raises:
            UnknownOperation: the plugin has no such operation.
            TooManyJobs: the user has as many unfinished ones as JOB_MAX_QUEUED_PER_USER allows.
            InvalidParams: params or target can't be stored.
            ParamsRefused: the params do not fit the model that the task declares.
        """
        return self.model.services.submit(
            plugin=plugin,
            operation_name=operation_name,
            user=user,
            params=params,
            target=target,
            text=text,
            depend_on=depend_on,
            run_at=run_at,
            idempotency_key=idempotency_key,
            singleton_key=singleton_key,
        )

    def submit_many(
        self, *, plugin: str, operation_name: str, user: Any, params: Iterable[Mapping[str, Any] | str]
    ) -> list[Job]:
        """Make and run one job per item of `params`, as `submit` does, at about the price of their messages.

        Raises:
            UnknownOperation: the plugin has no such operation.
            TooManyJobs: the user would have more unfinished ones than JOB_MAX_QUEUED_PER_USER; none is made.
            InvalidParams: some params can't be stored; no job is made then.
            ParamsRefused: some do not fit the model that the task declares; as above.
        """
        return self.model.services.submit_many(
            plugin=plugin, operation_name=operation_name, user=user, params=params
        )


class Job(BoundModel):
    """One request to run a task, and the truth about it. What changes it goes through `pagoda.jobs.store`."""

    # What is to be done, and for whom
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, db_index=False, related_name="+"
    )
    plugin = models.CharField(max_length=100, default="", blank=True)  # its id, "" for the host's
    operation = models.PositiveIntegerField()
    operation_name = models.CharField(max_length=100)
    queue = models.CharField(max_length=120)
    target_type = models.PositiveSmallIntegerField(
        choices=[(t.value, t.name.lower()) for t in JobTarget], default=JobTarget.UNKNOWN
    )
    target_entity = models.ForeignKey(
        "entity.Entity", models.SET_NULL, null=True, blank=True, db_index=False, related_name="+"
    )
    target_entry = models.ForeignKey(
        "entry.Entry", models.SET_NULL, null=True, blank=True, db_index=False, related_name="+"
    )
    params = models.TextField(default="{}")  # JSON, as tasks in the raw form read it
    request_id = models.CharField(max_length=100, default="", blank=True)  # joins its logs to the request's
    registry_digest = models.CharField(max_length=64, default="", blank=True)  # of the host that made it
    idempotency_key = models.CharField(max_length=200, default="", blank=True)
    singleton_key = models.CharField(max_length=200, default="", blank=True)  # one unfinished job has it
    serial_key = models.CharField(max_length=250, default="", blank=True)  # one running job has it

    # Where it stands
    status = models.PositiveSmallIntegerField(
        choices=[(s.value, s.name.lower()) for s in JobStatus], default=JobStatus.PREPARING
    )
    text = models.TextField(default="", blank=True)  # what people are told
    error = models.TextField(default="", blank=True)  # the cause of a failure
    result = models.JSONField(null=True, blank=True)
    progress_percent = models.FloatField(default=0)
    progress_text = models.CharField(max_length=200, default="", blank=True)
    hold_reason = models.CharField(max_length=500, default="", blank=True)  # why workers leave it queued
    file_name = models.CharField(max_length=255, default="", blank=True)
    file_type = models.CharField(max_length=100, default="", blank=True)
    file_size = models.PositiveBigIntegerField(default=0)

    # When
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)
    run_at = models.DateTimeField(null=True, blank=True)  # not before; of the next try, too
    started_at = models.DateTimeField(null=True, blank=True)  # of the latest attempt
    finished_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    depend_on = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, db_index=False, related_name="dependents"
    )
    is_waiting = models.BooleanField(default=False)  # for `depend_on` to finish

    # Its messages
    task_id = models.CharField(
        max_length=36, default="", blank=True
    )  # of the current message, as Flower shows it
    published_at = models.DateTimeField(null=True, blank=True)  # its message, as far as is known
    publish_count = models.PositiveIntegerField(default=0)
    publish_at = models.DateTimeField(null=True, blank=True)  # when it is to go out, or be looked after

    # Its claim
    lease_owner = models.CharField(max_length=200, default="", blank=True)  # node/pid of who runs it now
    lease_expires_at = models.DateTimeField(null=True, blank=True)  # set while a worker has it
    attempt = models.PositiveIntegerField(default=0)  # of claims so far; it fences those before
    attempt_base = models.PositiveIntegerField(
        default=0
    )  # attempts that don't count: of earlier runs, given back
    max_attempts = models.PositiveIntegerField(default=1)
    lost_count = models.PositiveIntegerField(default=0)  # workers lost in this run
    retry_backoff_seconds = models.FloatField(null=True, blank=True)  # NULL: an exception is final
    soft_limit_seconds = models.FloatField()
    hard_limit_seconds = models.FloatField()

    objects: ClassVar[JobManager] = JobManager()
    services: ClassVar[JobServices]  # put here when the app is ready

    class Meta:
        app_label = "job"
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["user", "-id"], name="job_user"),
            # What counts against JOB_MAX_QUEUED_PER_USER
            models.Index(fields=["user"], name="job_user_open", condition=models.Q(finished_at=None)),
            models.Index(fields=["plugin", "-id"], name="job_plugin"),
            models.Index(fields=["status", "-id"], name="job_status"),
            models.Index(fields=["created_at"], name="job_created"),
            # The dispatcher's: each holds only the jobs that it has something to do with
            models.Index(fields=["publish_at"], name="job_publish", condition=~models.Q(publish_at=None)),
            models.Index(
                fields=["lease_expires_at"], name="job_lease", condition=~models.Q(lease_expires_at=None)
            ),
            models.Index(fields=["depend_on"], name="job_depend_on", condition=~models.Q(depend_on=None)),
            models.Index(fields=["depend_on"], name="job_waiting", condition=models.Q(is_waiting=True)),
            models.Index(
                fields=["serial_key", "-id"],
                name="job_serial_open",
                condition=models.Q(serial_key__gt="", finished_at=None),
            ),
            models.Index(fields=["finished_at"], name="job_finished", condition=~models.Q(finished_at=None)),
            models.Index(
                fields=["target_entity"], name="job_entity", condition=~models.Q(target_entity=None)
            ),
            models.Index(fields=["target_entry"], name="job_entry", condition=~models.Q(target_entry=None)),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["plugin", "operation", "idempotency_key"],
                name="job_idempotency",
                condition=models.Q(idempotency_key__gt=""),
            ),
            models.UniqueConstraint(
                fields=["singleton_key"],
                name="job_singleton",
                condition=models.Q(singleton_key__gt="", finished_at=None),
            ),
            models.UniqueConstraint(
                fields=["serial_key"],
                name="job_serial",
                condition=models.Q(serial_key__gt="") & ~models.Q(lease_expires_at=None),
            ),
        ]

    def __str__(self) -> str:
        return f"job {self.pk} ({self.plugin or 'core'}.{self.operation_name}, {self.phase})"

    @property
    def target(self) -> Any:
        """Return the entry or entity it works on, or None."""
        return {JobTarget.ENTRY: self.target_entry, JobTarget.ENTITY: self.target_entity}.get(
            JobTarget(self.target_type)
        )

    @property
    def dependent_job(self) -> Job | None:
        """Return the job that must finish first."""
        return self.depend_on

    @property
    def phase(self) -> Phase:
        """Return where it stands, as far as this object knows."""
        return phase_of(
            JobStatus(self.status),
            is_waiting=self.is_waiting,
            is_scheduled=self.run_at is not None and self.run_at > timezone.now(),
            is_claimed=self.lease_expires_at is not None,
            is_cancel_requested=self.cancel_requested_at is not None,
        )

    @property
    def tries(self) -> int:
        """Return how many runs count against `max_attempts`: not those before a retry, or given back."""
        return self.attempt - self.attempt_base

    @property
    def why_it_waits(self) -> str:
        """Return why workers leave it queued, "" when nothing is known of that, or it waits for no worker."""
        if self.hold_reason or self.phase is not Phase.QUEUED:
            return self.hold_reason
        return operations.why_unserved(self.plugin, self.operation, self.operation_name)

    # What tasks and views know from the SDK's JobProtocol

    def may_schedule(self) -> bool:
        """Return whether it still waits for the job it depends on."""
        return self.services.may_schedule(self)

    def is_timeout(self) -> bool:
        """Return whether it ended, or should have ended, by its time limit."""
        return self.services.is_timeout(self)

    def is_finished(self, with_refresh: bool = True) -> bool:
        """Return whether no more work will be done for it."""
        return self.services.is_finished(self, with_refresh=with_refresh)

    def is_canceled(self) -> bool:
        """Return whether it was cancelled or is asked to stop; reads the database."""
        return self.services.is_canceled(self)

    def proceed_if_ready(self) -> bool:
        """Return whether the calling task may do the work now; outside of a runner, claim the job for it."""
        return self.services.proceed_if_ready(self)

    def update(
        self,
        status: int | None = None,
        text: str | None = None,
        target: Any = None,
        operation: int | None = None,
    ) -> None:
        """Store what is given, under the claim that the calling task has.

        Raises:
            JobLost: the claim is gone; nothing is stored.
        """
        self.services.update(self, status=status, text=text, target=target, operation=operation)

    def to_json(self) -> dict[str, Any]:
        """Return what people see of it as JSON values."""
        return self.services.to_json(self)

    def run(self, will_delay: bool = True) -> Any:
        """Queue it on commit, once; with ``will_delay=False`` run it here and now."""
        return self.services.run(self, will_delay=will_delay)

    @classmethod
    def method_table(cls) -> Mapping[int, Any]:
        """Return ``{operation id: task}`` of core, custom and plugin tasks."""
        return cls.services.method_table()

    @classmethod
    def register_method_table(cls, operation: int, method: Any) -> None:
        """Make `method` the task of a core operation."""
        cls.services.register_method_table(operation, method)

    @classmethod
    def _create_new_job(cls, user: Any, *args: Any, **kwargs: Any) -> Self:
        """Create a job that waits for `run`: ``(user, operation, params)`` or
        ``(user, target, operation, text, params)``, see `pagoda.jobs.interface.create_new_job`.
        """
        named = named_job_arguments(args, kwargs)
        return cls.services.create_new_job(user, **named)  # type: ignore[return-value]  # Job has no subclasses


class JobLog(BoundModel):
    """A line that a task, or the host, wrote about a job."""

    job = models.ForeignKey(Job, models.CASCADE, db_index=False, related_name="logs")
    attempt = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    level = models.CharField(max_length=10)  # debug, info, warning, error
    message = models.TextField()
    extra = models.JSONField(default=dict)

    objects = BoundQuerySet["JobLog"].as_manager()

    class Meta:
        app_label = "job"
        ordering = ["id"]
        indexes = [models.Index(fields=["job", "id"], name="job_log_order")]

    def __str__(self) -> str:
        return f"{self.level}: {self.message}"


class JobFile(BoundModel):
    """The file that a job carries; kept here, as workers and API share no disk."""

    job = models.OneToOneField(Job, models.CASCADE, primary_key=True, related_name="file")
    content = models.BinaryField()

    objects = BoundQuerySet["JobFile"].as_manager()

    class Meta:
        app_label = "job"

    def __str__(self) -> str:
        return f"file of job {self.job_id}"


class ScheduleTick(models.Model):
    """A moment at which a schedule was due, and its job: whoever inserts the row starts the job."""

    schedule = models.CharField(max_length=220)
    tick = models.DateTimeField()
    job = models.ForeignKey(Job, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        app_label = "job"
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["schedule", "tick"], name="job_one_run_per_tick")]

    def __str__(self) -> str:
        return f"{self.schedule} at {self.tick.isoformat()}"
