"""Another type for an attribute over the API: done, previewed, refused, or given to a job."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pagoda.audit.models import AuditEvent
from pagoda.domain.entity.models import Entity
from pagoda.domain.entry.verifying import verify
from pagoda.domain.user.models import Level, User
from pagoda.jobs.models import Job
from pagoda_plugin_sdk.operations import JobStatus

pytestmark = pytest.mark.django_db


@pytest.fixture
def host(make_entity: Callable[..., Any], make_entry: Callable[..., Any]) -> Entity:
    entity: Entity = make_entity("Host", ram="string")
    for name, ram in (("a", "1"), ("b", "2.5")):
        make_entry(entity, name, ram=ram)
    return entity


def path_of(entity: Entity, rest: str = "") -> str:
    return f"/api/v2/entities/{entity.pk}/{rest}"


def to(entity: Entity, kind: str, **spec: Any) -> dict[str, Any]:
    return {"attrs": [{"id": entity.attrs.get(name="ram").pk, "type": kind, **spec}]}


def shown(api: Any, entity: Entity, **query: str) -> list[Any]:
    answer = api.get("/api/v2/entries/", {"entity": entity.pk, "ordering": "name", **query})
    assert answer.status_code == 200, answer.json()
    return [(each["name"], each["attrs"][0]["value"]) for each in answer.json()["results"]]


def test_a_new_type_is_a_patch_of_the_entity(api: Any, host: Entity) -> None:
    tag = api.get(path_of(host)).headers["ETag"]
    entry = host.entries.get(name="a")
    before = api.get(f"/api/v2/entries/{entry.pk}/").headers["ETag"]

    answer = api.patch(path_of(host), to(host, "number"), headers={"If-Match": tag})

    assert answer.status_code == 200
    assert answer.json()["attrs"][0]["type"] == "number"
    assert answer.headers["ETag"] != tag
    assert api.get(f"/api/v2/entries/{entry.pk}/").headers["ETag"] != before
    assert shown(api, host) == [("a", 1), ("b", 2.5)]
    assert shown(api, host, **{"attr.ram__gt": "2"}) == [("b", 2.5)]
    event = AuditEvent.objects.filter(action="entity.updated").latest("pk")
    assert event.details["attrs"] == ["ram"]
    history = api.get(f"/api/v2/entries/{entry.pk}/history/").json()["results"]
    values = [(each["attr"]["type"], each["value"]) for each in history if each["kind"] == "value"]
    assert values == [("number", 1), ("string", "1")]
    kept = [each for each in api.get(path_of(host, "history/")).json()["results"] if each["changes"]]
    assert kept[0]["changes"]["type"] == {"old": "string", "new": "number"}
    assert api.patch(path_of(host), to(host, "string"), headers={"If-Match": tag}).status_code == 412


def test_a_value_that_can_t_follow_is_named_and_nothing_is_done(
    api: Any, host: Entity, make_entry: Callable[..., Any]
) -> None:
    bad = make_entry(host, "c", ram="much")
    preview = api.post(path_of(host, "preview/"), to(host, "number")).json()
    answer = api.patch(path_of(host), to(host, "number"))

    assert answer.status_code == 400
    says = f"Entry 'c' (id {bad.pk}) has 'much', which can't become number"
    assert answer.json()["errors"] == {"ram": [f"{says}: expected a number such as 3 or 3.5, got 'much'."]}
    assert preview["is_whole"] is True
    (change,) = preview["changes"]
    assert (change["change"], change["type"], change["new_type"]) == ("type", "string", "number")
    assert (change["entries"], change["refused"]) == (3, 1)
    assert [(each["before"], each["after"]) for each in change["examples"]] == [("1", 1), ("2.5", 2.5)]
    assert change["faults"][0]["entry"] == {"id": bad.pk, "name": "c"}
    assert shown(api, host) == [("a", "1"), ("b", "2.5"), ("c", "much")]
    assert verify().wrong == ()


def test_a_preview_has_the_refusals_of_the_change(api: Any, host: Entity) -> None:
    wrong = {"attrs": [{"id": host.attrs.get().pk, "type": "strin"}]}
    assert api.post(path_of(host, "preview/"), wrong).status_code == 400
    assert api.post(path_of(host, "preview/"), {"name": "x"}).status_code == 400
    assert api.post(path_of(host, "preview/"), {}).status_code == 400
    assert api.post(path_of(host, "convert/"), wrong).status_code == 400
    assert not Job.objects.exists()


def test_who_may_not_change_the_entity_is_told_nothing_of_values(
    api: Any, host: Entity, client_of: Callable[..., Any]
) -> None:
    other = client_of(User.objects.create_user("eve"))
    Entity.objects.filter(pk=host.pk).update(default_permission=Level.READABLE)
    for rest in ("preview/", "convert/"):
        assert other.post(path_of(host, rest), to(host, "number")).status_code == 403
    Entity.objects.filter(pk=host.pk).update(default_permission=Level.NOTHING)
    for rest in ("preview/", "convert/"):
        assert other.post(path_of(host, rest), to(host, "number")).status_code == 404


def test_a_job_converts_more_than_a_request_may(
    api: Any, host: Entity, settings: Any, make_entry: Callable[..., Any]
) -> None:
    settings.PAGODA = settings.PAGODA.model_copy(update={"domain_max_converted": 1})
    refused = api.patch(path_of(host), to(host, "number"))
    assert (refused.status_code, "convert/" in refused.json()["errors"]["ram"][0]) == (400, True)
    assert api.post(path_of(host, "preview/"), to(host, "number")).json()["is_whole"] is False

    answer = api.post(path_of(host, "convert/"), to(host, "number"))
    assert answer.status_code == 202, answer.json()
    job = Job.objects.get(pk=answer.json()["id"])
    job.run(will_delay=False)

    told = api.get(f"/api/v2/jobs/{job.pk}/").json()
    assert (told["status"], told["result"]["is_written"]) == (JobStatus.DONE, True), told
    assert told["result"]["changes"][0]["entries"] == 2
    assert shown(api, host) == [("a", 1), ("b", 2.5)]
    version = host.entries.get(name="a").attribute_values.get(is_latest=True)
    assert str(version.created_user) == "ann"


def test_a_job_that_finds_faults_writes_nothing(
    api: Any, host: Entity, make_entry: Callable[..., Any]
) -> None:
    make_entry(host, "c", ram="much")
    job = Job.objects.get(pk=api.post(path_of(host, "convert/"), to(host, "number")).json()["id"])
    job.run(will_delay=False)

    told = api.get(f"/api/v2/jobs/{job.pk}/").json()
    assert (told["status"], told["result"]["is_written"]) == (JobStatus.WARNING, False), told
    assert "'much'" in told["result"]["errors"]["ram"][0]
    assert told["result"]["changes"][0]["refused"] == 1
    assert shown(api, host) == [("a", "1"), ("b", "2.5"), ("c", "much")]


def test_a_conversion_takes_the_same_queries_whatever_the_entries(
    api: Any, host: Entity, make_entry: Callable[..., Any], django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        make_entry(host, f"more {number}", ram=str(number))
    with django_assert_max_num_queries(60):
        assert api.post(path_of(host, "preview/"), to(host, "number")).status_code == 200
