from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from pagoda_plugin_sdk import JobStatus
from pagoda_plugin_sdk.models import Entity
from pagoda_plugin_sdk.testing import MemoryHost

API = "/api/v2/plugins/hello-world-plugin"


@pytest.fixture
def anonymous(api_client: Any) -> APIClient:
    return api_client(None)  # type: ignore[no-any-return]


@pytest.fixture
def client(api_client: Any) -> APIClient:
    return api_client("ann")  # type: ignore[no-any-return]


def test_one_view_serves_anybody(anonymous: APIClient) -> None:
    response = anonymous.get(f"{API}/test/")

    assert (response.status_code, response.json()) == (200, {"message": "The Hello World plugin works."})


@pytest.mark.parametrize("path", ["hello", "greet/Ann", "status", "entities"])
def test_other_views_need_a_login(path: str, anonymous: APIClient) -> None:
    assert anonymous.get(f"{API}/{path}/").status_code == 401


def test_queueing_needs_a_login(anonymous: APIClient, host: MemoryHost) -> None:
    assert anonymous.post(f"{API}/hello/", {"name": "Ann"}).status_code == 401
    assert host.jobs == []


@pytest.mark.parametrize(
    ("path", "message"), [("hello", "Hello, ann!"), ("greet/Zoë", "Hello, Zoë!")], ids=["user", "name in URL"]
)
def test_view_greets(path: str, message: str, client: APIClient) -> None:
    assert client.get(f"{API}/{path}/").json() == {"message": message}


@pytest.mark.parametrize(
    ("body", "params"),
    [({"name": "Zoë"}, '{"name": "Zo\\u00eb"}'), ({}, '{"name": "World"}')],
    ids=["name", "default"],
)
def test_post_queues_the_task(
    body: dict[str, Any], params: str, client: APIClient, user: Any, host: MemoryHost
) -> None:
    response = client.post(f"{API}/hello/", body)

    (job,) = host.jobs
    assert (response.status_code, response.json()) == (202, {"job": job.id})
    assert (job.operation, job.user, job.params) == (5000, user, params)
    assert job.status == JobStatus.PROCESSING


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ('{"name": ""}', "This field may not be blank."),
        ('{"name": null}', "This field may not be null."),
        ('{"name": ["a"]}', "Not a valid string."),
        ("[1]", "Invalid data. Expected a dictionary, but got list."),
    ],
)
def test_wrong_body_queues_nothing(body: str, fault: str, client: APIClient, host: MemoryHost) -> None:
    response = client.post(f"{API}/hello/", body, content_type="application/json")

    assert (response.status_code, response.json()["code"]) == (400, "invalid")
    assert response.json()["detail"] in (fault, f"name: {fault}")
    assert host.jobs == []


def test_too_long_name_queues_nothing(client: APIClient, host: MemoryHost) -> None:
    response = client.post(f"{API}/hello/", {"name": "x" * 201})

    assert response.status_code == 400
    assert "no more than 200 characters" in response.json()["name"][0]
    assert host.jobs == []


def test_broken_json_is_a_bad_request(client: APIClient, host: MemoryHost) -> None:
    response = client.post(f"{API}/hello/", "{", content_type="application/json")

    assert response.status_code == 400
    assert response.json()["detail"].startswith("JSON parse error")
    assert host.jobs == []


def test_status_names_the_plugin_and_its_operation(client: APIClient, host: MemoryHost) -> None:
    status = client.get(f"{API}/status/").json()

    assert (status["id"], status["version"], status["operation_id"]) == ("hello-world-plugin", "1.0.0", 5000)
    assert "entry.validate" in status["hooks"]


def test_entities_are_those_that_the_user_may_read(client: APIClient, host: MemoryHost) -> None:
    for name in ("Rack", "Host", "Secret", "Old"):
        Entity.objects.create_entity(user=None, name=name, note=f"about {name}")
    host.entity("Secret").level = 1
    host.entity("Old").is_active = False

    answer = client.get(f"{API}/entities/", {"limit": 1}).json()

    assert (answer["count"], answer["previous"]) == (2, None)
    assert answer["next"].endswith("/entities/?limit=1&offset=1")
    assert answer["results"] == [{"id": 2, "name": "Host", "note": "about Host"}]


def test_page_shows_what_the_plugin_is(anonymous: APIClient) -> None:
    response = anonymous.get("/plugins/hello-world-plugin/")

    assert response.status_code == 200
    assert "<h1>Hello World</h1>" in response.content.decode()


def test_page_can_only_be_looked_at(anonymous: APIClient) -> None:
    assert anonymous.post("/plugins/hello-world-plugin/").status_code == 405
