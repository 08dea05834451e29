from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pagoda.domain.user.models import Level
from pagoda.jobs import operations, store
from pagoda.jobs.clock import after
from pagoda.jobs.job_errors import InvalidParams
from pagoda.jobs.models import Job
from pagoda.jobs.testing import RecordingPublisher, plugin_tasks, recording_publisher
from pagoda_api.problems import handle_exception
from pagoda_plugin_sdk.operations import JobStatus
from pagoda_plugin_sdk.tasks import plugin_task

pytestmark = pytest.mark.django_db

URL = "/api/v2/jobs/"


@plugin_task(0)
def restock(job: Any) -> None: ...


@plugin_task(1)
def steady(job: Any) -> None: ...


@plugin_task(2)
def unseen(job: Any) -> None: ...


@pytest.fixture
def publisher() -> Iterator[RecordingPublisher]:
    with recording_publisher() as publisher:
        yield publisher


@pytest.fixture
def make_job(db: None, publisher: RecordingPublisher) -> Iterator[Callable[..., Job]]:
    def make(user: Any = None, name: str = "restock", **fields: Any) -> Job:
        operation = operations.resolve_name("shop", name)
        return store.submit(store.JobRequest(operation=operation, user=user, **fields))

    tasks = [restock, steady, unseen]
    with plugin_tasks(
        "shop", tasks, cancelable_operations=["restock", "unseen"], hidden_operations=["unseen"]
    ):
        yield make


def ended(job: Job, status: JobStatus) -> Job:
    attempt = store.claim(job.pk, "node/1", 30)
    assert attempt is not None
    store.finish(attempt, status, text="ended")
    job.refresh_from_db()
    return job


def url(job: Job, action: str = "") -> str:
    return f"{URL}{job.pk}/{action}"


def ids(response: Any) -> list[int]:
    assert response.status_code == 200, response.json()
    return [job["id"] for job in response.json()["results"]]


def test_what_was_given_back_is_a_run_and_no_try(api: Any, ann: Any, make_job: Callable[..., Job]) -> None:
    job = make_job(ann)
    for _ in range(4):
        attempt = store.claim(job.pk, "node/1", 30)
        assert attempt is not None
        assert store.release(attempt, reason="the worker stops")
    assert store.claim(job.pk, "node/1", 30) is not None

    shown = api.get(f"{URL}{job.pk}/").json()

    assert (shown["attempt"], shown["runs"], shown["max_attempts"]) == (1, 5, 3)


def test_job_is_shown_with_status_phase_and_queue(api: Any, ann: Any, make_job: Callable[..., Job]) -> None:
    job = make_job(ann, params={"shelf": 4})

    body = api.get(url(job)).json()

    assert (body["id"], body["user"], body["plugin"], body["operation_name"]) == (
        job.pk,
        "ann",
        "shop",
        "restock",
    )
    assert (body["status"], body["status_name"], body["phase"]) == (5, "PROCESSING", "queued")
    assert (body["queue"], body["progress"]) == ("plugin.shop", {"percent": 0.0, "text": ""})
    assert (body["can_cancel"], body["can_retry"], body["file"]) == (True, False, None)
    assert (body["params"], body["result"]) == ({"shelf": 4}, None)
    assert job.to_json().items() <= body.items()


def test_flower_is_linked_where_it_is_known(
    api: Any, ann: Any, make_job: Callable[..., Job], settings: Any
) -> None:
    job = make_job(ann)
    assert api.get(url(job)).json()["flower_url"] is None

    settings.PAGODA = settings.PAGODA.model_copy(update={"flower_url": "https://flower.example/"})

    assert api.get(url(job)).json()["flower_url"] == f"https://flower.example/task/{job.task_id}"


class TestList:
    def test_it_is_filtered(self, api: Any, ann: Any, make_job: Callable[..., Job]) -> None:
        first, second, third = make_job(ann), make_job(ann, "steady"), make_job(ann, "unseen")
        ended(first, JobStatus.ERROR)

        assert ids(api.get(URL)) == [second.pk, first.pk]
        assert ids(api.get(URL, {"hidden": "true"})) == [third.pk, second.pk, first.pk]
        assert ids(api.get(URL, {"plugin": "shop"})) == [second.pk, first.pk]
        assert ids(api.get(URL, {"plugin": "core"})) == []
        assert ids(api.get(URL, {"operation": "steady"})) == [second.pk]
        assert ids(api.get(URL, {"status": "error"})) == [first.pk]
        assert ids(api.get(URL, {"status": "3,PROCESSING"})) == [second.pk, first.pk]
        assert ids(api.get(URL, {"user": "me"})) == [second.pk, first.pk]
        assert ids(api.get(URL, {"user": ann.pk})) == [second.pk, first.pk]
        assert ids(api.get(URL, {"user": "bob"})) == []

    def test_it_is_filtered_by_time(self, api: Any, ann: Any, make_job: Callable[..., Job]) -> None:
        old, new = make_job(ann), make_job(ann)
        Job.objects.filter(pk=old.pk).update(created_at=after(-7200))
        an_hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()

        assert ids(api.get(URL, {"created_after": an_hour_ago})) == [new.pk]
        assert ids(api.get(URL, {"created_before": an_hour_ago})) == [old.pk]

    def test_pages_follow_each_other_while_jobs_are_added(
        self, api: Any, ann: Any, make_job: Callable[..., Job]
    ) -> None:
        made = [make_job(ann).pk for _ in range(5)]

        first = api.get(URL, {"limit": 2}).json()
        make_job(ann)
        second = api.get(first["next"]).json()
        third = api.get(second["next"]).json()

        seen = [job["id"] for page in (first, second, third) for job in page["results"]]
        assert seen == made[::-1]
        assert third["next"] is None
        assert api.get(third["previous"]).json()["results"] == second["results"]

    def test_its_cost_does_not_grow_with_the_page(
        self,
        api: Any,
        ann: Any,
        make_job: Callable[..., Job],
        make_entity: Any,
        django_assert_max_num_queries: Any,
    ) -> None:
        target = make_entity("Host")
        for _ in range(10):
            make_job(ann, target=target)
        api.get(URL)  # notes the use of its token, for a minute

        with django_assert_max_num_queries(2):
            assert len(ids(api.get(URL))) == 10


class TestWhoMaySeeIt:
    @pytest.fixture
    def bob(self, make_user: Callable[..., Any]) -> Any:
        return make_user("bob")

    def test_who_asked_for_it_and_superusers(
        self, api: Any, bob: Any, make_user: Any, client_of: Any, make_job: Callable[..., Job]
    ) -> None:
        job = make_job(bob)

        assert api.get(url(job)).status_code == 404
        assert ids(api.get(URL)) == []
        assert api.post(url(job, "cancel/")).status_code == 404
        assert client_of(bob).get(url(job)).status_code == 200
        assert client_of(make_user("root", is_superuser=True)).get(url(job)).status_code == 200

    @pytest.mark.parametrize("kind", ["entity", "entry"])
    def test_who_may_read_what_it_works_on(
        self, api: Any, bob: Any, make_entity: Any, make_entry: Any, make_job: Callable[..., Job], kind: str
    ) -> None:
        entity = make_entity("Host")
        target = entity if kind == "entity" else make_entry(entity, "web")
        job = make_job(bob, target=target, params={"secret": 1})

        assert ids(api.get(URL)) == [job.pk]
        body = api.get(url(job)).json()
        assert body["target"] == {"id": target.pk, "name": target.name}
        assert body["params"] is None
        refused = api.post(url(job, "cancel/"))
        assert refused.status_code == 403
        assert refused.json()["detail"] == f"Job {job.pk} may be cancelled and retried by who asked for it."

        type(target).objects.filter(pk=target.pk).update(default_permission=Level.NOTHING)

        assert api.get(url(job)).status_code == 404
        assert ids(api.get(URL)) == []


class TestCancel:
    def test_queued_job_ends_at_once_and_again_changes_nothing(
        self, api: Any, ann: Any, make_job: Callable[..., Job]
    ) -> None:
        job = make_job(ann)

        first, second = api.post(url(job, "cancel/")), api.post(url(job, "cancel/"))

        assert first.status_code == second.status_code == 200
        assert (first.json()["status_name"], first.json()["phase"]) == ("CANCELED", "finished")
        assert second.json() == first.json()

    def test_running_job_is_asked_to_stop(self, api: Any, ann: Any, make_job: Callable[..., Job]) -> None:
        job = make_job(ann)
        store.claim(job.pk, "node/1", 30)

        response = api.post(url(job, "cancel/"))

        assert response.status_code == 200
        assert (response.json()["status_name"], response.json()["phase"]) == ("PROCESSING", "canceling")

    @pytest.mark.parametrize("status", [JobStatus.DONE, JobStatus.ERROR, JobStatus.WARNING])
    def test_finished_job_is_a_conflict(
        self, api: Any, ann: Any, make_job: Callable[..., Job], status: JobStatus
    ) -> None:
        job = ended(make_job(ann), status)

        response = api.post(url(job, "cancel/"))

        assert response.status_code == 409
        assert response.json()["code"] == "job_already_finished"
        assert status.name in response.json()["detail"]

    def test_operation_that_is_not_cancelable_is_a_conflict(
        self, api: Any, ann: Any, make_job: Callable[..., Job]
    ) -> None:
        job = make_job(ann, "steady")

        response = api.post(url(job, "cancel/"))

        assert response.status_code == 409
        assert response.json()["code"] == "job_not_cancelable"
        assert api.get(url(job)).json()["can_cancel"] is False
        assert Job.objects.get().status == JobStatus.PROCESSING


class TestRetry:
    def test_failed_job_is_queued_again(self, api: Any, ann: Any, make_job: Callable[..., Job]) -> None:
        job = ended(make_job(ann), JobStatus.ERROR)
        assert api.get(url(job)).json()["can_retry"] is True

        response = api.post(url(job, "retry/"))

        assert response.status_code == 200
        assert (response.json()["status_name"], response.json()["phase"]) == ("PROCESSING", "queued")

    def test_job_that_is_done_is_a_conflict(self, api: Any, ann: Any, make_job: Callable[..., Job]) -> None:
        job = ended(make_job(ann), JobStatus.DONE)

        response = api.post(url(job, "retry/"))

        assert response.status_code == 409
        assert response.json()["code"] == "job_not_retryable"


class TestLog:
    def test_lines_are_read_step_by_step(self, api: Any, ann: Any, make_job: Callable[..., Job]) -> None:
        job = make_job(ann)
        other = make_job(ann)
        store.add_log(job.pk, 1, [store.JobLogLine(level="info", message="one", extra={"n": 1})])
        store.add_log(other.pk, 1, [store.JobLogLine(level="info", message="of another")])

        first = api.get(url(job, "log/")).json()
        store.add_log(job.pk, 1, [store.JobLogLine(level="error", message="two")])
        ended(job, JobStatus.DONE)
        second = api.get(url(job, "log/"), {"after": first["next_after"]}).json()
        third = api.get(url(job, "log/"), {"after": second["next_after"]}).json()

        assert [(line["level"], line["message"], line["extra"]) for line in first["results"]] == [
            ("info", "one", {"n": 1})
        ]
        assert [line["message"] for line in second["results"]] == ["two"]
        assert (first["is_finished"], second["is_finished"]) == (False, True)
        assert (third["results"], third["next_after"]) == ([], second["next_after"])

    @pytest.mark.parametrize("parameters", [{"after": "x"}, {"after": -1}, {"after": 10**30}, {"afte": 1}])
    def test_wrong_place_is_refused(
        self, api: Any, ann: Any, make_job: Callable[..., Job], parameters: dict[str, Any]
    ) -> None:
        response = api.get(url(make_job(ann), "log/"), parameters)

        assert response.status_code == 400
        assert set(response.json()["errors"]) == {*parameters}


class TestFile:
    def attached(self, job: Job, name: str, content_type: str) -> None:
        attempt = store.claim(job.pk, "node/1", 30)
        assert attempt is not None
        store.attach_file(attempt, name=name, content=b"a,b\n", content_type=content_type)

    def test_it_is_downloaded_under_its_name(self, api: Any, ann: Any, make_job: Callable[..., Job]) -> None:
        job = make_job(ann)
        self.attached(job, "bestände.csv", "text/csv")

        shown = api.get(url(job)).json()["file"]
        response = api.get(shown["url"])

        assert (shown["name"], shown["content_type"], shown["size"]) == ("bestände.csv", "text/csv", 4)
        assert response.content == b"a,b\n"
        assert response.headers["Content-Type"] == "text/csv"
        assert response.headers["Content-Disposition"].startswith("attachment; filename*=utf-8''best")
        assert response.headers["X-Content-Type-Options"] == "nosniff"

    def test_strange_names_and_types_are_harmless(
        self, api: Any, ann: Any, make_job: Callable[..., Job]
    ) -> None:
        job = make_job(ann)
        self.attached(job, 'a"\n.csv', "text/html\r\nSet-Cookie: x=1")

        response = api.get(url(job, "file/"))

        assert response.status_code == 200
        assert response.headers["Content-Type"] == "application/octet-stream"
        assert "\n" not in response.headers["Content-Disposition"]

    def test_job_without_one_says_so(self, api: Any, ann: Any, make_job: Callable[..., Job]) -> None:
        job = make_job(ann)

        response = api.get(url(job, "file/"))

        assert response.status_code == 404
        assert response.json()["detail"] == f"Job {job.pk} carries no file."


@pytest.mark.parametrize("params", ["not json", '{"d": NaN}', '{"d": "\\ud800"}', "[" * 3000, '{"d": 1e999}'])
def test_params_of_earlier_releases_that_are_no_json_are_shown(
    api: Any, ann: Any, make_job: Callable[..., Job], params: str
) -> None:
    job = make_job(ann)
    Job.objects.filter(pk=job.pk).update(params=params)

    assert api.get(f"{URL}{job.pk}/").status_code == 200


def test_a_disabled_plugins_job_says_why_it_waits_and_is_cancelled(
    api: Any, ann: Any, publisher: Any
) -> None:
    with plugin_tasks("gone", [steady]):
        job = Job.objects.submit(plugin="gone", operation_name="steady", user=ann)

    shown = api.get(f"{URL}{job.pk}/").json()
    assert shown["hold_reason"] == "plugin 'gone' is not enabled; bring it back, or cancel the job"
    assert shown["can_cancel"]
    assert [each["id"] for each in api.get(f"{URL}?plugin=gone").json()["results"]] == [job.pk]
    answer = api.post(f"{URL}{job.pk}/cancel/")
    assert (answer.status_code, answer.json()["status_name"]) == (200, "CANCELED")
    Job.objects.update(user=None)  # a job that ann may not see makes no plugin known
    assert [api.get(f"{URL}?plugin={name}").status_code for name in ("gone", "never")] == [400, 400]


def test_params_that_no_job_can_have_are_the_clients_fault(ann: Any, make_job: Callable[..., Job]) -> None:
    """What a plugin's endpoint hands on from a client is refused with the place, and is no failure of it."""
    with pytest.raises(InvalidParams) as raised:
        make_job(ann, params={"d": [float("nan")]})

    answer = handle_exception(raised.value, {})

    assert answer is not None
    assert answer.status_code == 400
    assert answer.data["detail"] == (
        "Params of a job can't be stored: params['d'][0] is nan, which JSON has no word for; "
        "give None or text."
    )
