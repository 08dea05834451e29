from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pagoda.jobs.models import Job
from pagoda.jobs.testing import RecordingPublisher, plugin_tasks, recording_publisher
from pagoda_plugin_sdk.operations import JobOperation
from pagoda_plugin_sdk.tasks import plugin_task

pytestmark = pytest.mark.django_db

URL = "/api/v2/jobs/canary/"


@plugin_task(0)
def restock(job: Any) -> None: ...


@pytest.fixture(autouse=True)
def publisher() -> Iterator[RecordingPublisher]:
    with recording_publisher() as publisher, plugin_tasks("shop", [restock]):
        yield publisher


@pytest.fixture
def staff(make_user: Callable[..., Any], client_of: Callable[..., Any]) -> Any:
    user = make_user("operator")
    user.is_staff = True
    user.save()
    return client_of(user)


@pytest.mark.parametrize(("queue", "plugin"), [("core", ""), ("plugin.shop", "shop")])
def test_staff_submit_a_canary_to_any_queue(staff: Any, queue: str, plugin: str) -> None:
    response = staff.post(URL, {"queue": queue})

    body = response.json()
    assert response.status_code == 202, body
    assert (body["queue"], body["plugin"], body["operation"]) == (queue, plugin, JobOperation.CANARY)
    assert staff.get(f"/api/v2/jobs/{body['id']}/").json()["phase"] == "queued"


def test_canaries_are_left_out_of_lists(staff: Any) -> None:
    staff.post(URL, {"queue": "core"})

    assert staff.get("/api/v2/jobs/").json()["results"] == []


def test_unknown_queue_is_refused_with_the_near_misses(staff: Any) -> None:
    response = staff.post(URL, {"queue": "plugin.shopp"})

    assert response.status_code == 400
    assert "There is no queue 'plugin.shopp'. Did you mean 'plugin.shop'?" in response.content.decode()
    assert not Job.objects.exists()


def test_others_may_not(api: Any) -> None:
    assert api.post(URL, {"queue": "core"}).status_code == 403
    assert not Job.objects.exists()
