"""Exports and imports as jobs of the host's, with the rights of who asked for them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, cast

from django.db import transaction
from django.utils.translation import get_language, override

from pagoda.domain.user.models import User
from pagoda.jobs import operations, store
from pagoda.jobs.foreign import FILE_MAX_BYTES
from pagoda.jobs.job_errors import InvalidParams
from pagoda.jobs.models import Job, JobFile
from pagoda.jobs.operations import register_job_task
from pagoda.jobs.schema_tasks import LANGUAGE
from pagoda.transfer.document import TransferFault
from pagoda.transfer.exporting import export
from pagoda.transfer.formats import FORMATS
from pagoda.transfer.importing import ImportOptions, import_file
from pagoda_plugin_sdk.operations import JobOperation, JobStatus
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.tasks import JobContext, TaskOptions

_SPOOLED = 8 * 1024 * 1024


def _ended_by_faults[T](task: Callable[[JobContext], T]) -> Callable[[JobContext], T | None]:
    """End the job where its file can't be read or written: another try would find the same file."""

    @wraps(task)
    def run(job: JobContext) -> T | None:
        try:
            return task(job)
        except TransferFault as error:
            job.finish(JobStatus.ERROR, text=str(error))
            return None

    return run


@register_job_task(JobOperation.EXPORT_ENTRIES, is_downloadable=True, options=TaskOptions(max_attempts=3))
@_ended_by_faults
def export_entries(job: JobContext) -> dict[str, Any]:
    """Write entries to the file of the job."""
    file_format = job.params["format"]
    with tempfile.SpooledTemporaryFile(_SPOOLED) as stream, override(job.params.get(LANGUAGE)):
        count = export(
            stream,
            cast("User", job.user),
            file_format=file_format,
            entities=job.params["entities"],
            progress=lambda rows, part: _progress(job, rows, part),
        )
        stream.seek(0)
        content = stream.read(FILE_MAX_BYTES + 1)
    job.attach_file(f"entries.{file_format}", content, FORMATS[file_format].content_type)
    return {"entries": count}


@register_job_task(JobOperation.IMPORT_ENTRIES, is_downloadable=True, options=TaskOptions(max_attempts=3))
@_ended_by_faults
def import_entries(job: JobContext) -> None:
    """Make entries of the file of the job; a second try goes on, as what is there is left unchanged."""
    with tempfile.SpooledTemporaryFile(_SPOOLED) as stream:
        stream.write(JobFile.objects.get(job=job.id).content)
        given = dict(job.params)
        language = given.pop(LANGUAGE, None)
        options = ImportOptions(**given)
        with override(language):
            report = import_file(
                stream, cast("User", job.user), options, lambda rows, part: _progress(job, rows, part)
            )
            is_done = report.is_written or options.is_preview
            text = "" if is_done else say("Nothing is written: rows were refused.")
    status = JobStatus.WARNING if report.refused else JobStatus.DONE
    job.finish(status, text=text, result=report.to_json())


def _progress(job: JobContext, rows: int, part: float) -> None:
    job.progress(100 * part, say("{rows:,} rows", rows=rows))
    job.checkpoint()


def submit_export(user: User, *, file_format: str, entities: Sequence[str]) -> Job:
    """Return the job that exports what `user` sees."""
    return store.submit(
        store.JobRequest(
            operation=operations.resolve(JobOperation.EXPORT_ENTRIES),
            user=user,
            params={"format": file_format, "entities": list(entities), LANGUAGE: get_language()},
            text=say("export as {file_format}", file_format=file_format),
        )
    )


def submit_import(user: User, content: bytes, options: ImportOptions) -> Job:
    """Return the job that imports a file as `user`.

    Raises:
        InvalidParams: the file is larger than a job may carry.
    """
    if len(content) > FILE_MAX_BYTES:
        raise InvalidParams(
            say(
                "The file has {count:,} bytes, expected {file_max_bytes:,} at most.",
                count=len(content),
                file_max_bytes=FILE_MAX_BYTES,
            )
        )
    with transaction.atomic():
        job = store.submit(
            store.JobRequest(
                operation=operations.resolve(JobOperation.IMPORT_ENTRIES),
                user=user,
                params={name: getattr(options, name) for name in ImportOptions.__slots__}
                | {LANGUAGE: get_language()},
                text=say("preview of an import of {file_format}", file_format=options.file_format)
                if options.is_preview
                else say("import of {file_format}", file_format=options.file_format),
            )
        )
        JobFile.objects.create(job=job, content=content)
    return job
