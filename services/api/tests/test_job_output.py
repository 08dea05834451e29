"""What a job was given and gave: its user's, superusers', and its target's readers' where it is shared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pagoda.domain.user.models import Level
from pagoda.jobs import operations, store
from pagoda.jobs.models import Job, JobFile
from pagoda.jobs.testing import plugin_tasks, recording_publisher
from pagoda_plugin_sdk.operations import JobStatus
from pagoda_plugin_sdk.tasks import plugin_task

pytestmark = pytest.mark.django_db

URL = "/api/v2/jobs/"
SECRET = "hunter2"


@plugin_task(0)
def private(job: Any) -> None: ...


@plugin_task(1)
def shared(job: Any) -> None: ...


@pytest.fixture
def bob(make_user: Any) -> Any:
    return make_user("bob")


@pytest.fixture
def make_job(bob: Any) -> Iterator[Callable[..., Job]]:
    """Return what makes an ended job of bob's that has the secret wherever a job can have it."""

    def make(name: str, target: Any = None) -> Job:
        request = store.JobRequest(
            operation=operations.resolve_name("shop", name),
            user=bob,
            target=target,
            params={"key": SECRET},
        )
        job = store.submit(request)
        attempt = store.claim(job.pk, "node/1", 30)
        assert attempt is not None
        store.add_log(job.pk, 1, [store.JobLogLine(level="info", message=SECRET)])
        store.set_progress(attempt, 50, SECRET)
        store.finish(attempt, JobStatus.WARNING, text=SECRET, error=SECRET, result={"found": SECRET})
        Job.objects.filter(pk=job.pk).update(file_name=f"{SECRET}.txt", file_size=7)
        JobFile.objects.create(job=job, content=SECRET.encode())
        return job

    with recording_publisher(), plugin_tasks("shop", [private, shared], shared_operations=["shared"]):
        yield make


def answers(client: Any, job: Job) -> list[Any]:
    return [client.get(f"{URL}{job.pk}/{part}") for part in ("", "log/", "file/")]


@pytest.mark.parametrize("kind", ["entity", "entry"])
def test_who_reads_the_target_sees_how_far_a_job_is_and_nothing_that_it_gave(
    api: Any, make_entity: Any, make_entry: Any, make_job: Callable[..., Job], kind: str
) -> None:
    entity = make_entity("Host")
    job = make_job("private", entity if kind == "entity" else make_entry(entity, "web"))

    shown, log, file = answers(api, job)

    assert (shown.json()["status_name"], shown.json()["phase"]) == ("WARNING", "finished")
    assert shown.json()["can_read_output"] is False
    assert (log.status_code, file.status_code) == (403, 403)
    assert log.json()["detail"] == f"What job {job.pk} gave may be read by who asked for it."
    for answer in (shown, log, file, api.get(URL)):
        assert SECRET not in answer.content.decode()


def test_a_shared_operation_shows_them_what_it_gave_and_not_what_it_was_given(
    api: Any, make_entity: Any, make_job: Callable[..., Job]
) -> None:
    job = make_job("shared", make_entity("Host"))

    shown, log, file = answers(api, job)

    assert shown.json()["params"] is None
    assert (shown.json()["result"], shown.json()["error"]) == ({"found": SECRET}, SECRET)
    assert log.json()["results"][0]["message"] == SECRET
    assert file.content == SECRET.encode()


@pytest.mark.parametrize("name", ["private", "shared"])
def test_its_user_and_superusers_see_all_of_it(
    client_of: Any, bob: Any, make_user: Any, make_entity: Any, make_job: Callable[..., Job], name: str
) -> None:
    job = make_job(name, make_entity("Host"))

    for user in (bob, make_user("root", is_superuser=True)):
        shown, log, file = answers(client_of(user), job)
        assert (shown.json()["params"], shown.json()["result"]) == ({"key": SECRET}, {"found": SECRET})
        assert shown.json()["file"]["name"] == f"{SECRET}.txt"
        assert shown.json()["progress"] == {"percent": 50, "text": SECRET}
        assert (log.status_code, file.content) == (200, SECRET.encode())


def test_staff_is_no_superuser(client_of: Any, make_user: Any, make_job: Callable[..., Job]) -> None:
    job, eve = make_job("shared"), make_user("eve")
    eve.is_staff = True
    eve.save()

    assert [answer.status_code for answer in answers(client_of(eve), job)] == [404] * 3


def test_a_target_that_its_user_may_no_longer_read_is_not_named(
    client_of: Any, bob: Any, make_entity: Any, make_entry: Any, make_job: Callable[..., Job]
) -> None:
    entity = make_entity("Vault")
    job = make_job("private", make_entry(entity, "door"))
    client = client_of(bob)
    assert client.get(f"{URL}{job.pk}/").json()["target"]["name"] == "door"

    type(entity).objects.filter(pk=entity.pk).update(default_permission=Level.NOTHING)

    assert client.get(f"{URL}{job.pk}/").json()["target"] is None
    assert [each["target"] for each in client.get(URL).json()["results"]] == [None]


def test_jobs_of_a_plugin_that_is_gone_are_shared_with_nobody(
    api: Any, make_entity: Any, make_job: Callable[..., Job]
) -> None:
    job = make_job("shared", make_entity("Host"))
    Job.objects.filter(pk=job.pk).update(plugin="gone", operation=9_999)

    assert api.get(f"{URL}{job.pk}/").json()["can_read_output"] is False
    assert api.get(f"{URL}{job.pk}/log/").status_code == 403
