"""One history of entries and entities: what changed, when, who did it, and through which plugin or job."""

from __future__ import annotations

from typing import Any

import pytest
import structlog
from django.db import connection
from django.test.utils import CaptureQueriesContext

from pagoda.domain.entity import services as entities
from pagoda.domain.entity.models import Entity, EntityAttr, FormerState
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import Level

pytestmark = pytest.mark.django_db


def history(api: Any, row: Any, query: str = "") -> list[dict[str, Any]]:
    answer = api.get(
        f"/api/v2/{'entries' if isinstance(row, Entry) else 'entities'}/{row.pk}/history/{query}"
    )
    assert answer.status_code == 200, answer.json()
    items: list[dict[str, Any]] = answer.json()["results"]
    return items


def kinds(items: list[dict[str, Any]]) -> list[str]:
    return [each["kind"] for each in items]


def test_an_entry_has_all_that_became_of_it(api: Any, ann: Any, make_entity: Any) -> None:
    host = make_entity("Host", address="string")
    path = "/api/v2/entries/"
    entry = api.post(path, {"name": "web", "schema": host.pk, "attrs": {"address": "a"}}).json()
    path += f"{entry['id']}/"
    row = Entry.objects.get(pk=entry["id"])
    assert api.patch(path, {"name": "www", "note": "new", "attrs": {"address": "b"}}).status_code == 200
    assert api.patch(path, {"attrs": {"address": "c"}}).status_code == 200
    assert api.delete(path).status_code == 204
    assert api.post(f"{path}restore/").status_code == 200

    items = history(api, row)

    assert kinds(items) == ["restored", "deleted", "value", "value", "changed", "value", "created"]
    assert {each["created_user"]["username"] for each in items} == {"ann"}
    assert [each["value"] for each in items if each["kind"] == "value"] == ["c", "b", "a"]
    assert [each["is_latest"] for each in items if each["kind"] == "value"] == [True, False, False]
    assert items[4]["changes"] == {"name": {"old": "web", "new": "www"}, "note": {"old": "", "new": "new"}}
    assert [each["changes"] for each in (items[0], items[1], items[-1])] == [{}, {}, {}]
    assert items[3]["attr"] == {"id": host.attrs.get().pk, "name": "address", "type": "string"}
    times = [each["created_time"] for each in items]
    assert times == sorted(times, reverse=True)
    answer = api.get(f"{path}history/?limit=3&offset=2").json()
    assert (answer["count"], answer["results"]) == (7, items[2:5])
    assert api.get(f"{path}history/?limt=3").status_code == 400


def test_a_schema_has_all_that_became_of_it(api: Any, ann: Any) -> None:
    made = api.post(
        "/api/v2/entities/", {"name": "Host", "attrs": [{"name": "ram", "type": "number"}]}
    ).json()
    path, attr = f"/api/v2/entities/{made['id']}/", made["attrs"][0]["id"]
    entity = Entity.objects.get(pk=made["id"])
    new = {"id": attr, "name": "memory", "is_mandatory": True}
    assert api.patch(path, {"name": "Server", "attrs": [new]}).status_code == 200
    assert (
        api.patch(path, {"attrs": [{"name": "kind", "type": "select", "choices": ["a"]}]}).status_code == 200
    )
    assert api.patch(path, {"attrs": [{"id": attr, "is_deleted": True}]}).status_code == 200
    assert api.delete(path).status_code == 204
    assert api.post(f"{path}restore/").status_code == 200

    items = history(api, entity)

    assert kinds(items) == [
        "restored", "deleted", "attribute_removed", "attribute_added", "changed", "attribute_changed",
        "attribute_added", "created",
    ]  # fmt: skip
    assert {each["created_user"]["username"] for each in items} == {"ann"}
    assert items[5]["changes"] == {
        "name": {"old": "ram", "new": "memory"},
        "is_mandatory": {"old": False, "new": True},
    }
    assert items[4]["changes"] == {"name": {"old": "Host", "new": "Server"}}
    added = items[3]["changes"]
    assert {name: added[name] for name in ("name", "type", "choices")} == {
        "name": {"old": None, "new": "kind"},
        "type": {"old": None, "new": "select"},
        "choices": {"old": None, "new": ["a"]},
    }
    assert api.get(f"{path}history/?limit=2&offset=3").json()["results"] == items[3:5]


def test_who_may_not_read_an_attribute_sees_nothing_of_it(
    api: Any, superuser_api: Any, make_entity: Any, make_entry: Any
) -> None:
    host = make_entity("Host", open="string", secret="string")
    EntityAttr.objects.filter(name="secret").update(default_permission=Level.NOTHING)
    entry = make_entry(host, "web", open="a", secret="b")
    secret = host.attrs.get(name="secret")
    entities.update_entity(host, None, attrs=[{"id": secret.pk, "name": "hush"}])
    entities.remove_attribute(host.attrs.get(name="open"), None)

    seen = [*history(api, entry), *history(api, host)]

    assert {each["attr"]["name"] for each in seen if each["attr"]} == {"open"}
    assert "attribute_removed" in kinds(seen)
    everything = [*history(superuser_api, entry), *history(superuser_api, host)]
    assert {each["attr"]["name"] for each in everything if each["attr"]} == {"open", "hush"}
    Entity.objects.filter(pk=host.pk).update(default_permission=Level.NOTHING)
    for path in (f"entries/{entry.pk}", f"entities/{host.pk}"):
        assert api.get(f"/api/v2/{path}/history/").status_code == 404


def test_the_plugin_and_the_job_are_told(superuser_api: Any, make_entity: Any) -> None:
    with structlog.contextvars.bound_contextvars(plugin="sync", job_id=7):
        host = make_entity("Host", address="string")
        entry = Entry.objects.create_entry(user=None, schema=host, name="web", attrs={"address": "a"})
        entry.name = "www"
        entry.save()
        Entry.objects.filter(pk=entry.pk).delete()
        entities.update_entity(host, None, note="x", attrs=[{"name": "more", "type": "text"}])
    items = [*history(superuser_api, entry), *history(superuser_api, host)]
    assert len(items) == 4 + 4
    assert {(each["plugin"], each["job_id"], each["created_user"]) for each in items} == {("sync", 7, None)}


def test_what_nobody_told_of_is_not_said_to_be_the_next_ones(api: Any, web: Any) -> None:
    Entry.objects.filter(pk=web.pk).update(name="by hand")
    FormerState.objects.update(until="2020-01-01T00:00:00Z")
    assert api.patch(f"/api/v2/entries/{web.pk}/", {"name": "by ann"}).status_code == 200
    changed = [each for each in history(api, web) if each["kind"] == "changed"]
    assert [(each["changes"]["name"]["new"], each["created_user"]) for each in changed] == [
        ("by ann", {"id": changed[0]["created_user"]["id"], "username": "ann"}),
        ("by hand", None),
    ]


def test_what_an_earlier_release_left_is_shown_as_far_as_it_is_known(api: Any, web: Any) -> None:
    FormerState.objects.all().delete()
    assert kinds(history(api, web.schema)) == ["attribute_added", "attribute_added", "created"]
    assert kinds(history(api, web)) == ["value", "created"]


def test_a_hard_delete_takes_its_history_along(api: Any, web: Any) -> None:
    api.patch(f"/api/v2/entries/{web.pk}/", {"name": "www"})
    assert FormerState.objects.filter(subject_type="entry").count() == 1
    web.hard_delete()
    assert not FormerState.objects.filter(subject_type="entry").exists()
    web.schema.hard_delete()
    assert not FormerState.objects.exists()


def test_a_page_takes_as_many_queries_for_one_change_as_for_fifty(api: Any, web: Any) -> None:
    counts = []
    for number in range(50):
        assert (
            api.patch(
                f"/api/v2/entries/{web.pk}/", {"name": f"n{number}", "attrs": {"count": number}}
            ).status_code
            == 200
        )
        if number in (1, 49):
            with CaptureQueriesContext(
                connection,
            ) as captured:
                history(api, web)
            counts.append(len(captured))
    assert counts[0] >= counts[1]
    assert counts[1] <= 12
