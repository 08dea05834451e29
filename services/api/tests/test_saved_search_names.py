"""Saved searches when what they name gets another name, or goes."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps

from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.search.models import SavedSearch
from pagoda.domain.user.models import Level

pytestmark = pytest.mark.django_db

URL = "/api/v2/search/saved/"


@pytest.fixture
def cmdb(make_entity: Callable[..., Any], make_entry: Callable[..., Any]) -> None:
    rack, host = make_entity("Rack", size="number", room="string"), make_entity("Host", size="number")
    attr = {"name": "rack", "type": "object", "referral": [rack.pk]}
    host.update_attrs(None, [attr])
    place = make_entry(rack, "r1", size=42, room="north")
    make_entry(host, "h1", size=1, rack=place)
    make_entry(host, "h2", size=64, rack=place)
    make_entry(host, "h3", size=64)


def saved(api: Any, search: Any, **fields: Any) -> Any:
    response = api.post(URL, {"name": "s", "search": search, **fields})
    assert response.status_code == 201, response.json()
    return response.json()["id"]


def run(api: Any, pk: int) -> list[str]:
    response = api.post(f"{URL}{pk}/run/")
    assert response.status_code == 200, response.json()
    return [entry["name"] for entry in response.json()["results"]]


def rename(api: Any, entity: str, attr: str | None, name: str) -> None:
    row = Entity.objects.get(name=entity)
    body: dict[str, Any] = {"name": name}
    if attr is not None:
        body = {"attrs": [{"id": EntityAttr.objects.get(parent_entity=row, name=attr).pk, "name": name}]}
    response = api.patch(f"/api/v2/entities/{row.pk}/", body)
    assert response.status_code == 200, response.json()


def test_a_search_follows_new_names(superuser_api: Any, cmdb: None) -> None:
    api = superuser_api
    search = {
        "entities": ["Host"],
        "where": {
            "and": [
                {"field": "attr.size", "op": "gte", "value": 1},
                {"not": {"field": "attr.rack.attr.room", "op": "ne", "value": "north"}},
                {"or": [{"field": "attr.rack.name", "value": "r1"}, {"field": "name", "value": "x"}]},
            ]
        },
        "ordering": "-attr.size, name",
        "fields": ["name", "attr.size"],
    }
    pk = saved(api, search)
    tag = api.get(f"{URL}{pk}/")["ETag"]
    assert run(api, pk) == ["h2", "h1"]
    rename(api, "Host", None, "Server")
    rename(api, "Server", "size", "memory")
    rename(api, "Server", "rack", "placed in")
    rename(api, "Rack", "room", "Saal 東")
    Entity.objects.create_entity(user=None, name="Host", attrs=[{"name": "size", "type": "number"}])

    assert run(api, pk) == ["h2", "h1"]
    shown = api.get(f"{URL}{pk}/")
    assert shown["ETag"] != tag
    now = shown.json()["search"]
    assert now == {
        "entities": ["Server"],
        "where": {
            "and": [
                {"field": "attr.memory", "op": "gte", "value": 1},
                {"not": {"field": "attr.placed in.attr.Saal 東", "op": "ne", "value": "north"}},
                {"or": [{"field": "attr.placed in.name", "value": "r1"}, {"field": "name", "value": "x"}]},
            ]
        },
        "ordering": "-attr.memory,name",
        "fields": ["name", "attr.memory"],
    }
    assert api.get(URL).json()["results"][0]["search"] == now
    assert api.put(f"{URL}{pk}/", {"name": "s", "search": now}).json()["search"] == now
    assert run(api, pk) == ["h2", "h1"]


def test_names_that_are_swapped_are_swapped_in_a_search(
    superuser_api: Any, make_entity: Any, make_entry: Any
) -> None:
    api, entity = superuser_api, make_entity("Pair", a="string", b="string")
    make_entry(entity, "x", a="1", b="2")
    pk = saved(api, {"entities": [entity.pk], "where": {"field": "attr.a", "value": "1"}})
    for old, new in (("a", "c"), ("b", "a"), ("c", "b")):
        rename(api, "Pair", old, new)
    assert run(api, pk) == ["x"]
    assert api.get(f"{URL}{pk}/").json()["search"] == {
        "entities": [entity.pk],
        "where": {"field": "attr.b", "value": "1"},
    }


@pytest.mark.parametrize(
    ("test", "found"),
    [
        ({"field": "attr.size", "op": "gte", "value": 42}, ["h2", "h3", "r1"]),
        ({"field": "attr.size", "op": "ne", "value": 64}, ["h1", "r1"]),
        ({"not": {"field": "attr.size", "value": 64}}, ["h1", "r1"]),
        ({"field": "attr.rack.attr.size", "op": "ne", "value": 41}, ["h1", "h2", "h3"]),
        ({"field": "attr.rack.attr.size", "op": "ne", "value": 42}, ["h3"]),
    ],
)
def test_one_name_of_two_entities_that_becomes_two_names(
    superuser_api: Any, cmdb: None, test: Any, found: list[str]
) -> None:
    pk = saved(superuser_api, {"where": test, "ordering": "name", "fields": ["name", "attr.size"]})
    assert run(superuser_api, pk) == found
    rename(superuser_api, "Host", "size", "memory")
    assert run(superuser_api, pk) == found
    fields = superuser_api.get(f"{URL}{pk}/").json()["search"]["fields"]
    assert sorted(fields) == ["attr.memory", "attr.size", "name"]


def test_what_is_gone_is_named_and_back_when_it_is_restored(superuser_api: Any, cmdb: None) -> None:
    api = superuser_api
    test = {"field": "attr.size", "op": "gte", "value": 2}
    pk = saved(api, {"entities": ["Host"], "where": test, "ordering": "name"})
    rename(api, "Host", "size", "memory")
    host = Entity.objects.get(name="Host")
    attr = EntityAttr.objects.get(name="memory")
    path = f"/api/v2/entities/{host.pk}/"
    assert api.patch(path, {"attrs": [{"id": attr.pk, "is_deleted": True}]}).status_code == 200
    gone = api.post(f"{URL}{pk}/run/")
    assert (gone.status_code, [*gone.json()["errors"]]) == (400, ["search"])
    assert "'memory'" in str(gone.json()["errors"])
    assert "'Host'" in str(gone.json()["errors"])
    attr.refresh_from_db()
    EntityAttr.objects.filter(pk=attr.pk).update(is_active=True)
    assert run(api, pk) == ["h2", "h3"]

    Entity.objects.filter(pk=host.pk).update(is_active=False, name="Old host")
    gone = api.post(f"{URL}{pk}/run/")
    assert (gone.status_code, [*gone.json()["errors"]]) == (400, ["entities"])
    assert "'Old host'" in str(gone.json()["errors"])
    Entity.objects.filter(pk=host.pk).update(is_active=True)
    assert run(api, pk) == ["h2", "h3"]


def test_new_names_are_shown_to_those_who_may_see_them(
    superuser_api: Any, client_of: Any, make_user: Any, cmdb: None
) -> None:
    api, eve = superuser_api, client_of(make_user("eve"))
    search = {"entities": ["Host"], "where": {"field": "attr.size", "value": 1}}
    pk = saved(api, search, is_shared=True)
    rename(api, "Host", None, "Secret host")
    rename(api, "Secret host", "size", "secret size")
    assert run(eve, pk) == ["h1"]
    EntityAttr.objects.filter(name="secret size").update(default_permission=Level.NOTHING)
    assert eve.get(f"{URL}{pk}/").json()["search"]["where"]["field"] == "attr.size"
    assert eve.post(f"{URL}{pk}/run/").status_code == 400
    Entity.objects.filter(name="Secret host").update(default_permission=Level.NOTHING)
    for answer in (eve.get(f"{URL}{pk}/"), eve.get(URL), eve.post(f"{URL}{pk}/run/")):
        assert "ecret" not in answer.content.decode()
    Entity.objects.filter(name="Secret host").update(is_active=False)
    assert "ecret" not in eve.post(f"{URL}{pk}/run/").content.decode()
    assert "ecret" in api.post(f"{URL}{pk}/run/").content.decode()


def test_searches_of_an_earlier_release_follow_names_from_the_upgrade_on(
    superuser_api: Any, cmdb: None
) -> None:
    test = {"field": "attr.size", "value": 1}
    pk = saved(superuser_api, {"entities": ["Host"], "where": test})
    row = SavedSearch.objects.get(pk=pk)
    named, entities = row.named, [*row.entities.all()]
    SavedSearch.objects.update(named=None)
    row.entities.clear()
    assert run(superuser_api, pk) == ["h1"]

    import_module("pagoda.domain.search.migrations.0002_what_searches_name").identify(apps, None)

    row.refresh_from_db()
    assert (row.named, [*row.entities.all()]) == (named, entities)
    rename(superuser_api, "Host", None, "Server")
    assert run(superuser_api, pk) == ["h1"]


@pytest.mark.bounds
def test_a_list_takes_as_many_queries_as_of_one(
    superuser_api: Any, cmdb: None, django_assert_num_queries: Any
) -> None:
    search = {"entities": ["Host"], "where": {"field": "attr.size", "value": 1}}
    for number in range(20):
        saved(superuser_api, search, name=f"s{number}")
    superuser_api.get(URL)
    with django_assert_num_queries(4):  # the count, the page, entities and attributes that they name
        assert len(superuser_api.get(URL).json()["results"]) == 20
