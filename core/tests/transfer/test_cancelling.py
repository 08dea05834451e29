"""Imports that are cancelled at their first thousand rows: what stays, and that they can be started anew."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from pagoda.domain.entity.models import Entity
from pagoda.domain.entry.models import Entry
from pagoda.domain.entry.services import verify
from pagoda.domain.user.models import User
from pagoda.jobs import context, store
from pagoda.jobs.models import Job
from pagoda.transfer import tasks
from pagoda.transfer.importing import ImportOptions
from pagoda_plugin_sdk.operations import JobStatus
from pagoda_plugin_sdk.tasks import JobContext

ROWS = 2_500


def imported(*, is_skipping: bool) -> Job:
    """Return the job of an import of many hosts."""
    user, _ = User.objects.get_or_create(username="ann", is_superuser=True)
    content = "name,ram\n" + "".join(f"h{n},{n}\n" for n in range(ROWS))
    options = ImportOptions(file_format="csv", entity="Host", is_skipping=is_skipping)
    return tasks.submit_import(user, content.encode(), options)


def cancel(pk: int) -> None:
    """Cancel a job as another process does."""
    try:
        store.cancel(Job.objects.get(pk=pk))
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_skipping", [True, False])
def test_what_is_committed_stays_and_nothing_else(monkeypatch: pytest.MonkeyPatch, is_skipping: bool) -> None:
    if not is_skipping and connection.vendor != "postgresql":
        pytest.skip("on SQLite nobody else writes while all rows are written as one")
    Entity.objects.create_entity(user=None, name="Host", attrs=[{"name": "ram", "type": "number"}])
    monkeypatch.setattr(context, "REPORT_SECONDS", 0)
    progress, told = tasks._progress, []

    def cancelled_at_once(job: JobContext, rows: int, part: float) -> None:
        told.append(rows)
        if connection.vendor == "postgresql":
            with ThreadPoolExecutor(1) as another:  # a connection of its own: beside the import's transaction
                another.submit(cancel, job.id).result(60)
        else:
            store.cancel(Job.objects.get(pk=job.id))
        progress(job, rows, part)

    monkeypatch.setattr(tasks, "_progress", cancelled_at_once)
    job = imported(is_skipping=is_skipping)
    job.run(will_delay=False)
    job.refresh_from_db()
    assert (job.status, told) == (JobStatus.CANCELED, [1000]), job.text
    assert Entry.objects.count() == (1000 if is_skipping else 0)

    monkeypatch.setattr(tasks, "_progress", progress)
    again = imported(is_skipping=is_skipping)
    again.run(will_delay=False)
    again.refresh_from_db()
    assert again.status == JobStatus.DONE, again.error
    report = again.result or {}
    assert (report["unchanged"], report["created"]) == ((1000, 1500) if is_skipping else (0, ROWS))
    assert (Entry.objects.count(), verify().wrong) == (ROWS, ())
