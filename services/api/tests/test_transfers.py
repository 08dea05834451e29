"""Exports and imports as jobs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pagoda.domain.entry.models import Entry
from pagoda.domain.entry.services import create_entries
from pagoda.domain.user.models import User
from pagoda.jobs.models import Job

pytestmark = pytest.mark.django_db


@pytest.fixture
def host(make_entity: Callable[..., Any]) -> Any:
    return make_entity("Host", ram="number")


def ended(api: Any, response: Any) -> Any:
    """Run the job that an answer shows, and return how it shows it then."""
    assert response.status_code == 202, response.json()
    job = Job.objects.get(pk=response.json()["id"])
    job.run(will_delay=False)
    return api.get(f"/api/v2/jobs/{job.pk}/").json()


def test_an_export_is_a_file_that_an_import_takes(api: Any, host: Any) -> None:
    create_entries(None, host, [{"name": f"h{n}", "attrs": {"ram": n}} for n in range(3)])
    job = ended(api, api.post("/api/v2/exports/", {"file_format": "json", "entities": ["Host"]}))
    assert (job["phase"], job["result"]) == ("finished", {"entries": 3}), job
    answer = api.get(f"/api/v2/jobs/{job['id']}/file/")
    exported = json.loads(answer.content)
    assert [row["attrs"]["ram"] for row in exported["entries"]] == [0, 1, 2]
    exported["entries"][0]["attrs"]["ram"] = 7
    exported["entries"].append({"entity": "Host", "name": "new"})
    body = json.dumps(exported)
    url = "/api/v2/imports/?file_format=json"
    preview = ended(api, api.post(f"{url}&preview=true", body, content_type="application/json"))
    assert (preview["result"]["created"], preview["result"]["updated"]) == (1, 1)
    assert not Entry.objects.filter(name="new").exists()
    done = ended(api, api.post(url, body, content_type="application/json"))
    assert (done["phase"], done["result"]["created"], done["result"]["is_written"]) == ("finished", 1, True)
    assert Entry.objects.get(name="h0").get_attrs()["ram"] == 7
    assert str(Entry.objects.get(name="new").created_user) == "ann"


def test_a_refused_row_is_told_and_nothing_is_written(api: Any, host: Any) -> None:
    body = "entity,name,ram\nHost,a,1\nHost,b,x\n"
    job = ended(api, api.post("/api/v2/imports/?file_format=csv", body, content_type="text/csv"))
    assert (job["phase"], job["result"]["refused"]) == ("finished", 1), job
    assert job["result"]["refusals"][0]["row"] == 3
    assert job["result"]["refusals"][0]["column"] == "ram"
    assert not Entry.objects.exists()


@pytest.mark.parametrize(
    "query", ["", "file_format=doc", "file_format=csv&skip=maybe", "file_format=csv&x=1"]
)
def test_parameters_that_make_no_sense_are_refused(api: Any, host: Any, query: str) -> None:
    assert api.post(f"/api/v2/imports/?{query}", "name\n", content_type="text/csv").status_code == 400


def test_nobody_else_reads_the_file(
    api: Any, host: Any, client_of: Callable[..., Any], anonymous: Any
) -> None:

    job = ended(api, api.post("/api/v2/exports/", {"file_format": "csv"}))
    other = client_of(User.objects.create_user("eve"))
    assert other.get(f"/api/v2/jobs/{job['id']}/file/").status_code == 404
    assert anonymous.post("/api/v2/exports/", {"file_format": "csv"}).status_code == 401


def test_asking_for_a_job_takes_few_queries(api: Any, host: Any, django_assert_max_num_queries: Any) -> None:
    for size in (1, 1_000):
        body = "entity,name,ram\n" + "".join(f"Host,h{n},1\n" for n in range(size))
        with django_assert_max_num_queries(14):
            assert (
                api.post("/api/v2/exports/", {"file_format": "csv", "entities": ["Host"]}).status_code == 202
            )
        with django_assert_max_num_queries(15):
            answer = api.post("/api/v2/imports/?file_format=csv", body, content_type="text/csv")
            assert answer.status_code == 202
