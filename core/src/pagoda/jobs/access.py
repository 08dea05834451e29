"""Who may see a job, read what it gave, and control it.

Whoever may read a job's target sees that the job is there and how far it is. What it was given (params) and
what it gave (result, texts, error, log, file) is for who asked for it and superusers; an operation that is
declared shared shows what it gave to whoever may read the target.
"""

from __future__ import annotations

from functools import partial

from django.db.models import BooleanField, Case, Q, QuerySet, Value, When

from pagoda import running
from pagoda.domain.access import readable
from pagoda.domain.authority import PluginAuthority
from pagoda.domain.binding import Rule, add_rules
from pagoda.domain.entity.models import Entity
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import User
from pagoda.domain.user.permissions import Viewer
from pagoda.jobs import operations
from pagoda.jobs.models import Job, JobFile, JobLog

_READS_TARGET = "viewer_reads_target"


def visible_jobs(user: Viewer) -> QuerySet[Job]:
    """Return the jobs that `user` may see: their own, those on what they may read, a superuser's all.

    The other functions here take jobs of this queryset, and jobs that `user` has just asked for.
    """
    jobs: QuerySet[Job] = Job.objects.select_related("user", "target_entity", "target_entry")
    if not isinstance(user, User):
        return jobs.none()
    if user.is_superuser:
        return jobs.annotate(**{_READS_TARGET: Value(True)})
    entries = readable(Entry.objects.order_by(), user).values("pk")
    entities = readable(Entity.objects.order_by(), user).values("pk")
    reads_target = Q(target_entry__in=entries) | Q(target_entity__in=entities)
    told = Case(When(reads_target, then=Value(True)), default=Value(False), output_field=BooleanField())
    return jobs.annotate(**{_READS_TARGET: told}).filter(Q(user=user) | Q(**{_READS_TARGET: True}))


def may_control(user: Viewer, job: Job) -> bool:
    """Return whether `user` may cancel and retry the job and see its params: its user and superusers may."""
    return user.is_authenticated and (user.is_superuser or job.user_id == user.pk)


def may_read_target(job: Job) -> bool:
    """Return whether its target is there for the user of `visible_jobs`."""
    return bool(vars(job).get(_READS_TARGET, True))


def may_read_output(user: Viewer, job: Job) -> bool:
    """Return whether `user` may see what the job gave: result, texts, error, log and file."""
    spec = operations.of_job(job.plugin, job.operation, job.operation_name)
    return may_control(user, job) or (spec is not None and spec.is_shared)


def _asked_for_by(prefix: str, viewer: Viewer) -> Q:
    """Return the condition for the jobs of `viewer`, and those of the plugin that asks which are nobody's."""
    own = Q(**{f"{prefix}plugin": running.plugin() or ""})
    if isinstance(viewer, PluginAuthority):
        return own
    if not isinstance(viewer, User):
        return own & Q(**{f"{prefix}user": None})
    if viewer.is_superuser and viewer.is_active:
        return Q()
    return Q(**{f"{prefix}user": viewer.pk}) | (own & Q(**{f"{prefix}user": None}))


def bind() -> None:
    """Bind what plugin code gets of jobs: less than people are shown of them, as it gets whole rows."""
    add_rules(
        {
            Job: Rule(partial(_asked_for_by, ""), "Job.objects.submit()"),
            JobLog: Rule(partial(_asked_for_by, "job__"), "job.log"),
            JobFile: Rule(partial(_asked_for_by, "job__"), "job.attach_file()"),
        }
    )
