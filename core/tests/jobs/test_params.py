"""Models of params are asked wherever a job is made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, Field

from pagoda.jobs.models import Job
from pagoda.jobs.operations import find
from pagoda.jobs.params import schema_of
from pagoda.jobs.testing import plugin_tasks, recording_publisher
from pagoda_plugin_sdk.exceptions import ParamsRefused
from pagoda_plugin_sdk.tasks import plugin_task

pytestmark = pytest.mark.django_db


class Shelf(BaseModel):
    shelf: str = Field(min_length=2)
    amount: int = 1


@plugin_task(0, params_model=Shelf)
def restock(job: Any) -> dict[str, Any]:
    return job.params_as(Shelf).model_dump()  # type: ignore[no-any-return]  # pydantic's own types


@plugin_task(1)
def free(job: Any) -> None: ...


@pytest.fixture(autouse=True)
def shop() -> Iterator[None]:
    with recording_publisher(), plugin_tasks("shop", [restock, free]):
        yield


def submit(params: Any, name: str = "restock") -> Job:
    return Job.objects.submit(plugin="shop", operation_name=name, user=None, params=params)


def test_params_stay_as_they_were_given_and_become_the_model_in_the_task() -> None:
    job = submit({"shelf": "a1"})
    assert job.params == '{"shelf": "a1"}'

    job.run(will_delay=False)

    job.refresh_from_db()
    assert job.result == {"shelf": "a1", "amount": 1}


@pytest.mark.parametrize(
    "params", [{}, {"shelf": "a"}, '{"shelf": "a"}', {"shelf": "a1", "more": 1}], ids=repr
)
def test_wrong_params_make_no_job(params: Any) -> None:
    with pytest.raises(ParamsRefused, match=r"^Params of task shop\.restock are wrong: `"):
        submit(params)
    with pytest.raises(ParamsRefused):
        Job._create_new_job(None, 5000, params)
    with pytest.raises(ParamsRefused):
        Job.objects.submit_many(
            plugin="shop", operation_name="restock", user=None, params=[{"shelf": "a1"}, params]
        )
    assert not Job.objects.exists()


def test_many_jobs_have_params_of_their_own() -> None:
    given: list[dict[str, Any]] = [{"shelf": "a1"}, {"shelf": "b2", "amount": 3}]
    Job.objects.submit_many(plugin="shop", operation_name="restock", user=None, params=given)
    assert list(Job.objects.order_by("id").values_list("params", flat=True)) == [
        '{"shelf": "a1"}',
        '{"shelf": "b2", "amount": 3}',
    ]
    none = Job.objects.submit_many(plugin="shop", operation_name="restock", user=None, params=[])
    assert none == []


def test_a_task_without_a_model_takes_what_it_is_given() -> None:
    assert submit({"anything": [1]}, "free").params == '{"anything": [1]}'
    for number, needed in ((5000, ["shelf"]), (5001, None)):
        spec = find(number)
        assert spec is not None
        assert (schema_of(spec) or {}).get("required") == needed
