"""Changes of an entity's attributes as jobs, where one request should not convert all values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from django.core.exceptions import ValidationError
from django.utils.translation import get_language, override

from pagoda.domain.entity.models import Entity
from pagoda.domain.entity.services import preview_update, update_entity
from pagoda.domain.entry.following import Following
from pagoda.domain.user.models import User
from pagoda.jobs import operations, store
from pagoda.jobs.models import Job
from pagoda.jobs.operations import register_job_task
from pagoda_plugin_sdk.operations import JobOperation, JobStatus
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.tasks import JobContext, TaskOptions

LANGUAGE = "language"
"""The param that says in which language a job tells what it did: the one in which it was asked for."""


@register_job_task(JobOperation.CONVERT_VALUES, options=TaskOptions(max_attempts=3))
def convert_values(job: JobContext) -> None:
    """Change attributes of an entity and convert their values, all or none; a second try starts anew."""

    def progress(entries: int, part: float) -> None:
        job.progress(100 * part, say("{entries:,} entries", entries=entries))
        job.checkpoint()

    following = Following(is_bounded=False, progress=progress)
    entity = Entity.objects.get(pk=job.params["entity"])
    with override(job.params.get(LANGUAGE)):
        try:
            update_entity(entity, cast("User", job.user), attrs=job.params["attrs"], following=following)
        except ValidationError as refusal:
            told = {"is_written": False, "errors": refusal.message_dict}
            text = say("Nothing is changed: see the errors.")
            job.finish(JobStatus.WARNING, text=text, result=told | _effects(following))
            return
    job.finish(JobStatus.DONE, result={"is_written": True} | _effects(following))


def _effects(following: Following) -> dict[str, Any]:
    return {"changes": [each.to_json() for each in following.effects]}


def submit_conversion(
    user: User, entity: Entity, attrs: Sequence[Mapping[str, Any]]
) -> Job:  # Any: values differ by key
    """Return the job that changes attributes as `user`, see `update_entity`.

    Raises:
        PermissionDenied, ValidationError, HookRejected: the change is refused, whatever the values are.
    """
    preview_update(entity, user, attrs=attrs)
    return store.submit(
        store.JobRequest(
            operation=operations.resolve(JobOperation.CONVERT_VALUES),
            user=user,
            params={"entity": entity.pk, "attrs": list(attrs), LANGUAGE: get_language()},
            target=entity,
            text=say("conversion of values of {entity}", entity=entity.name),
        )
    )
