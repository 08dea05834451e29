"""Tasks that people run: offered by the model of their params, refused in words that name the remedy."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import pytest
from django.contrib.auth.models import Permission
from pydantic import BaseModel, Field, field_validator

from pagoda.jobs.models import Job
from pagoda.jobs.testing import RecordingPublisher, plugin_tasks, recording_publisher
from pagoda.plugins.registry import registry
from pagoda_plugin_sdk import Plugin
from pagoda_plugin_sdk.tasks import EntryReference, plugin_task

pytestmark = pytest.mark.django_db

URL = "/api/v2/jobs/"
ABOUT = "/api/v2/plugins/shop-of-test/about/"


class Shelf(BaseModel):
    """A shelf."""

    shelf: str = Field(min_length=2, description="<b>Which</b>\x00")
    amount: int = Field(default=1, ge=1)
    host: Annotated[int, EntryReference("Host")] | None = None

    @field_validator("shelf")
    @classmethod
    def model_faults(cls, value: str) -> str:
        if value == "raise":
            raise RuntimeError("a fault of the model")
        while value == "hang":
            time.sleep(0.01)
        return value


@plugin_task(0, params_model=Shelf)
def restock(job: Any) -> None: ...


@plugin_task(1)
def inner(job: Any) -> None: ...


@plugin_task(2, params_model=Shelf)
def unseen(job: Any) -> None: ...


@plugin_task(3, params_model=Shelf, permission="entity.add_entity")
def bounded(job: Any) -> None: ...


class Shop(Plugin):
    id = "shop-of-test"
    name = "Shop"


@pytest.fixture(autouse=True)
def publisher(register: Callable[[Any], Any]) -> Iterator[RecordingPublisher]:
    tasks = [restock, inner, unseen, bounded]
    register(Shop())
    with (
        recording_publisher() as publisher,
        plugin_tasks("shop-of-test", tasks, hidden_operations=["unseen"]),
    ):
        yield publisher


def run(client: Any, operation: str = "restock", **body: Any) -> Any:
    return client.post(URL, {"plugin": "shop-of-test", "operation": operation, **body}, format="json")


def test_a_task_runs_for_who_asks(api: Any, ann: Any) -> None:
    answer = run(api, params={"shelf": "a1"})

    body = answer.json()
    assert answer.status_code == 202, body
    assert (body["operation_name"], body["user"], body["params"]) == ("restock", "ann", {"shelf": "a1"})
    assert answer.headers["Location"].endswith(f"{URL}{body['id']}/")
    job = Job.objects.get()
    assert (job.user, job.target) == (ann, None)


def test_a_task_runs_on_what_one_may_read(api: Any, web: Any) -> None:
    assert run(api, params={"shelf": "a1"}, entry=web.pk).json()["target"]["name"] == "web"
    assert run(api, params={"shelf": "a1"}, entity=web.schema_id).json()["target"]["name"] == "Host"
    both = run(api, params={"shelf": "a1"}, entity=web.schema_id, entry=web.pk)
    assert (both.status_code, list(both.json()["errors"])) == (400, ["entity"])


def test_a_target_that_one_may_not_read_is_not_there(api: Any, web: Any) -> None:
    type(web.schema).objects.filter(pk=web.schema_id).update(default_permission=1)
    for body in ({"entry": web.pk}, {"entity": web.schema_id}, {"entry": 10**18}):
        answer = run(api, params={"shelf": "a1"}, **body)
        assert (answer.status_code, list(answer.json()["errors"])) == (400, list(body)), body
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("params", "faults"),
    [
        ({}, {"params.shelf": ["Field required"]}),
        ({"shelf": "a"}, {"params.shelf": ["String should have at least 2 characters"]}),
        (
            {"shelf": 5, "amount": 0},
            {
                "params.shelf": ["Input should be a valid string"],
                "params.amount": ["Input should be greater than or equal to 1"],
            },
        ),
        ({"shelf": "a1", "amuont": 2}, {"params.amuont": ["There is no such param. Did you mean 'amount'?"]}),
    ],
    ids=repr,
)
def test_wrong_params_are_told_by_field(api: Any, params: Any, faults: Any) -> None:
    answer = run(api, params=params)
    assert (answer.status_code, answer.json()["errors"]) == (400, faults)
    assert not Job.objects.exists()


@pytest.mark.parametrize("params", ["{}", [], None, 5], ids=repr)
def test_params_are_an_object(api: Any, params: Any) -> None:
    answer = run(api, params=params)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["params"])


@pytest.mark.parametrize("shelf", ["raise", "hang"])
def test_a_model_that_fails_is_contained(api: Any, shelf: str) -> None:
    answer = run(api, params={"shelf": shelf})
    assert answer.status_code == 400
    assert "can't be checked, as its params_model fails" in answer.json()["detail"]
    assert not Job.objects.exists()


@pytest.mark.parametrize("operation", ["inner", "unseen"])
def test_a_task_that_is_not_offered_is_a_conflict(api: Any, operation: str) -> None:
    answer = run(api, operation, params={"shelf": "a1"})
    assert (answer.status_code, answer.json()["code"]) == (409, "task_not_offered")


def test_a_task_asks_for_its_permission(make_user: Any, client_of: Any, api: Any) -> None:
    bob = make_user("bob")
    refused = run(client_of(bob), "bounded", params={"shelf": "a1"})
    assert refused.status_code == 403
    assert "entity.add_entity" in refused.json()["detail"]
    bob.user_permissions.add(Permission.objects.get(codename="add_entity"))
    assert run(client_of(bob), "bounded", params={"shelf": "a1"}).status_code == 202
    assert run(api, "bounded", params={"shelf": "a1"}).status_code == 202


def test_an_unknown_task_is_not_there(api: Any) -> None:
    missing = run(api, "restok")
    assert (missing.status_code, missing.json()["code"]) == (404, "unknown_operation")
    assert "Did you mean 'restock'?" in missing.json()["detail"]
    nobody = api.post(URL, {"plugin": "nobody", "operation": "x"}, format="json")
    assert nobody.status_code == 404


class Idle(Plugin):
    id = "idle-of-test"
    name = "Idle"


def test_a_plugin_out_of_service_is_a_conflict_with_the_remedy(
    api: Any, register: Any, monkeypatch: Any
) -> None:
    register(Idle())
    record = registry().get("idle-of-test")
    monkeypatch.setattr(type(record), "is_active", property(lambda self: self.id != "idle-of-test"))
    answer = api.post(URL, {"plugin": "idle-of-test", "operation": "x"}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "plugin_not_active")
    assert "pagoda plugins list" in answer.json()["detail"]


def test_nobody_has_more_than_the_cap(api: Any, settings: Any) -> None:
    settings.PAGODA = settings.PAGODA.model_copy(update={"job_max_queued_per_user": 1})
    assert run(api, params={"shelf": "a1"}).status_code == 202
    answer = run(api, params={"shelf": "a1"})
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_jobs")
    assert Job.objects.count() == 1


def test_a_request_that_is_sent_again_makes_no_second_job(api: Any) -> None:
    first, again = (
        api.post(
            URL,
            {"plugin": "shop-of-test", "operation": "restock", "params": {"shelf": "a1"}},
            format="json",
            headers={"Idempotency-Key": "once"},
        ).json()
        for _ in range(2)
    )
    assert first["id"] == again["id"]
    assert Job.objects.count() == 1


def test_who_is_not_logged_in_may_not(anonymous: Any) -> None:
    assert run(anonymous, params={"shelf": "a1"}).status_code == 401
    assert not Job.objects.exists()


def test_plugin_tells_its_tasks_and_how_to_run_them(
    make_user: Any, client_of: Any, django_assert_max_num_queries: Any
) -> None:
    client = client_of(make_user("bob"))
    with django_assert_max_num_queries(8):
        tasks = {task["name"]: task for task in client.get(ABOUT).json()["tasks"]}
    assert {name: (task["can_run"], task["permission"]) for name, task in tasks.items()} == {
        "restock": (True, None),
        "inner": (False, None),
        "unseen": (False, None),
        "bounded": (False, "entity.add_entity"),
    }
    assert tasks["inner"]["params_schema"] is None
    schema = tasks["restock"]["params_schema"]
    assert schema["required"] == ["shelf"]
    assert "\\u0000" not in json.dumps(schema)
    assert "params_schema" not in json.dumps(client.get("/api/v2/plugins/").json())
