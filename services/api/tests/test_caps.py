"""What one write may hold and one user may have queued: beyond is a clear 4xx, by whatever way it comes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pagoda.domain.entity.models import Entity
from pagoda.domain.entry.models import Entry
from pagoda.jobs.models import Job

pytestmark = pytest.mark.django_db

ENTITIES, ENTRIES, BULK = "/api/v2/entities/", "/api/v2/entries/", "/api/v2/entries/bulk/"
IMPORT = "/api/v2/imports/?file_format=json"
Limit = Callable[..., None]


@pytest.fixture
def limit(settings: Any) -> Limit:
    def set_to(**limits: int) -> None:
        settings.PAGODA = settings.PAGODA.model_copy(update=limits)

    return set_to


@pytest.fixture
def host(make_entity: Callable[..., Any]) -> Any:
    return make_entity("Host", tags="array_string")


def imported(api: Any, **document: Any) -> Any:
    """Return what the import of a document gave."""
    answer = api.post(IMPORT, json.dumps(document), content_type="application/json")
    assert answer.status_code == 202, answer.json()
    job = Job.objects.get(pk=answer.json()["id"])
    job.run(will_delay=False)
    return api.get(f"/api/v2/jobs/{job.pk}/").json()["result"]


def test_attributes_of_an_entity(api: Any, host: Any, limit: Limit) -> None:
    attrs = [{"name": f"a{number}", "type": "string"} for number in range(1_001)]
    fault = "Entity 'Wide' would have more than 1,000 attributes"
    for answer in (
        api.post(ENTITIES, {"name": "Wide", "attrs": attrs}),
        api.patch(f"{ENTITIES}{host.pk}/", {"name": "Wide", "attrs": attrs[1:]}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
        assert "would have more than 1,000 attributes" in answer.json()["errors"]["attrs"][0]
        assert "DOMAIN_MAX_ATTRIBUTES" in answer.json()["errors"]["attrs"][0]
    result = imported(api, entities=[{"name": "Wide", "attrs": attrs}], entries=[])
    assert not result["is_written"]
    assert fault in result["refusals"][0]["reason"]
    assert not Entity.objects.filter(name="Wide").exists()
    limit(domain_max_attributes=2)
    answer = api.post(ENTRIES, {"schema": "Host", "name": "h", "attrs": {f"a{n}": 1 for n in range(3)}})
    assert answer.status_code == 400
    assert "DOMAIN_MAX_ATTRIBUTES" in answer.json()["errors"]["attrs"][0]


def test_items_of_an_array(api: Any, host: Any) -> None:
    kept = api.post(ENTRIES, {"schema": "Host", "name": "kept"}).json()["id"]
    attrs = {"tags": [str(number) for number in range(10_001)]}
    fault = "has 10,001 elements, at most 10,000 are allowed"
    for answer in (
        api.post(ENTRIES, {"schema": "Host", "name": "h", "attrs": attrs}),
        api.patch(f"{ENTRIES}{kept}/", {"attrs": attrs}),
    ):
        assert answer.status_code == 400
        assert fault in answer.json()["errors"]["tags"][0]
    items = [{"op": "upsert", "entity": "Host", "name": "h", "attrs": attrs}, {"op": "delete", "id": kept}]
    answer = api.post(BULK, {"items": items})
    assert answer.status_code == 400
    assert fault in answer.json()["results"][0]["error"]["errors"]["tags"][0]
    result = imported(api, entries=[{"entity": "Host", "name": "h", "attrs": attrs}])
    assert (result["refusals"][0]["column"], result["is_written"]) == ("tags", False)
    assert fault in result["refusals"][0]["reason"]
    assert list(Entry.objects.active().values_list("name", flat=True)) == ["kept"]


@pytest.mark.parametrize("most", [20, 3])
def test_faults_of_one_answer(api: Any, host: Any, limit: Limit, most: int) -> None:
    limit(domain_max_faults=most)
    unknown = {f"unknown {number}": 1 for number in range(50)}
    wrong = [{"name": f"a{number}", "type": "no"} for number in range(50)]
    for answer in (
        api.post(ENTRIES, {"schema": "Host", "name": "h", "attrs": unknown}),
        api.post(ENTRIES, {"schema": "Host", "name": "h", **unknown}),
        api.post(ENTITIES, {"name": "Wide", "attrs": wrong}),
        api.post("/api/v2/exports/", {"file_format": "json", "entities": [{}] * 50}),  # DRF's own
    ):
        body = answer.json()
        told = [each for faults in body["errors"].values() for each in (faults if faults else [])]
        assert (answer.status_code, len(told)) == (400, most), body
        assert f"{50 - most} more" in body["detail"], body["detail"]
    answer = api.post(BULK, {"items": [{"op": "create", "entity": "Host", "name": "h", "attrs": unknown}]})
    error = answer.json()["results"][0]["error"]
    assert (len(error["errors"]), answer.status_code) == (most, 400)
    assert f"There are {50 - most} more faults." in error["detail"]


def test_jobs_that_a_user_has_queued(api: Any, host: Any, limit: Limit) -> None:
    limit(job_max_queued_per_user=1)
    assert api.post("/api/v2/exports/", {"file_format": "json"}).status_code == 202
    for answer in (
        api.post("/api/v2/exports/", {"file_format": "json"}),
        api.post(IMPORT, "{}", content_type="application/json"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_jobs")
        assert "User 'ann' has 1 unfinished jobs" in answer.json()["detail"]
        assert "JOB_MAX_QUEUED_PER_USER" in answer.json()["detail"]
    assert Job.objects.count() == 1
