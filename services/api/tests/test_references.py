"""Who refers to an entry, what its deletion does to them, and what is around it."""

from __future__ import annotations

from typing import Any

import pytest

from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import Level

pytestmark = pytest.mark.django_db

URL = "/api/v2/entries/"


@pytest.fixture
def cmdb(make_entry: Any) -> dict[str, Any]:
    """Rack <- host by null, host <- service by protect, host <- port by chain, port <- cable by chain."""

    def entity(name: str, **attrs: str) -> Entity:
        specs = [{"name": attr, "type": "array_object", "on_delete": on} for attr, on in attrs.items()]
        return Entity.objects.create_entity(user=None, name=name, default_permission=Level.FULL, attrs=specs)

    rack = make_entry(entity("Rack"), "r1")
    host = make_entry(entity("Host", racks="null"), "web", racks=[rack])
    port = make_entry(entity("Port", of="chain", near="null"), "eth0", of=[host], near=[host])
    cable = make_entry(entity("Cable", ends="chain"), "c1", ends=[port])
    service = entity("Service", on="protect")
    return {"rack": rack, "host": host, "port": port, "cable": cable, "service": service}


def url(entry: Any, action: str = "") -> str:
    return f"{URL}{entry.pk}/{action}"


def active() -> set[str]:
    return set(Entry.objects.active().values_list("name", flat=True))


def test_references_are_listed_by_attribute(
    api: Any, cmdb: dict[str, Any], django_assert_num_queries: Any
) -> None:
    host, port = cmdb["host"], cmdb["port"]
    api.get(URL)
    with django_assert_num_queries(3):  # entry, count, page
        body = api.get(url(host, "references/")).json()
    of, near = (EntityAttr.objects.get(name=name) for name in ("of", "near"))
    entry = {"id": port.pk, "name": "eth0", "schema": {"id": port.schema_id, "name": "Port"}}
    assert body["count"] == 2
    assert body["results"] == [
        {"entry": entry, "attr": {"id": of.pk, "name": "of", "on_delete": "chain"}, "name": ""},
        {"entry": entry, "attr": {"id": near.pk, "name": "near", "on_delete": "null"}, "name": ""},
    ]
    assert api.get(url(host, "references/?attr=near")).json()["count"] == 1
    assert len(api.get(url(host, "references/?limit=1")).json()["results"]) == 1


@pytest.mark.parametrize("name", ["neer", "size"])
def test_an_attribute_that_refers_to_nothing_is_named(api: Any, cmdb: dict[str, Any], name: str) -> None:
    response = api.get(url(cmdb["host"], f"references/?attr={name}"))
    assert response.status_code == 400
    (fault,) = response.json()["errors"]["attr"]
    assert f"no attribute '{name}' that points to entries" in fault
    assert ("Did you mean 'near'?" in fault) is (name == "neer")


def test_an_attribute_that_refers_to_others_refers_to_this_one_in_no_place(
    api: Any, cmdb: dict[str, Any]
) -> None:
    assert api.get(url(cmdb["rack"], "references/?attr=near")).json()["results"] == []


def test_an_attribute_that_the_user_may_not_read_is_unknown(api: Any, cmdb: dict[str, Any]) -> None:
    EntityAttr.objects.filter(name="near").update(default_permission=Level.NOTHING)
    response = api.get(url(cmdb["host"], "references/?attr=near"))
    assert response.status_code == 400
    assert "no attribute 'near'" in str(response.json()["errors"])


def test_former_deleted_and_hidden_references_are_none(api: Any, cmdb: dict[str, Any]) -> None:
    host, port = cmdb["host"], cmdb["port"]
    port.set_attrs(None, near=[])
    assert api.get(url(host, "references/")).json()["count"] == 1
    EntityAttr.objects.filter(name="of").update(default_permission=Level.NOTHING)
    assert api.get(url(host, "references/")).json()["count"] == 0
    EntityAttr.objects.filter(name="of").update(default_permission=Level.FULL)
    Entry.objects.filter(pk=port.pk).update(default_permission=Level.NOTHING)
    assert api.get(url(host, "references/")).json()["count"] == 0
    assert [node["name"] for node in api.get(url(host, "graph/?depth=3")).json()["nodes"]] == ["web", "r1"]


def test_what_refers_by_null_stays_and_shows_nothing(api: Any, cmdb: dict[str, Any]) -> None:
    assert api.delete(url(cmdb["rack"])).status_code == 204
    (attr,) = api.get(url(cmdb["host"])).json()["attrs"]
    assert attr["value"] == []
    assert api.post(url(cmdb["rack"], "restore/")).status_code == 200
    assert api.get(url(cmdb["host"])).json()["attrs"][0]["value"][0]["name"] == "r1"


def test_what_refers_by_chain_goes_along_step_by_step(api: Any, cmdb: dict[str, Any]) -> None:
    assert api.delete(url(cmdb["host"])).status_code == 204
    assert active() == {"r1"}


def test_what_refers_by_protect_is_named_and_nothing_is_deleted(
    api: Any, cmdb: dict[str, Any], make_entry: Any
) -> None:
    http = make_entry(cmdb["service"], "http", on=[cmdb["port"]])
    response = api.delete(url(cmdb["host"]))
    assert response.status_code == 409
    body = response.json()
    assert body["code"] == "protected"
    assert "Still referred to by entry 'http' of entity 'Service' by 'on'." in body["detail"]
    assert body["references"] == [
        {
            "entry": {"id": http.pk, "name": "http", "schema": {"id": http.schema_id, "name": "Service"}},
            "attr": "on",
            "target": cmdb["port"].pk,
        }
    ]
    assert active() == {"r1", "web", "eth0", "c1", "http"}
    api.delete(url(http))
    assert api.delete(url(cmdb["host"])).status_code == 204


def test_what_is_hidden_protects_without_a_name_or_a_number(
    api: Any, cmdb: dict[str, Any], make_entry: Any
) -> None:
    def refused(hidden: str) -> Any:
        made = make_entry(cmdb["service"], hidden, on=[cmdb["host"]])
        Entry.objects.filter(pk=made.pk).update(default_permission=Level.NOTHING)
        response = api.delete(url(cmdb["host"]))
        assert response.status_code == 409
        return response.json()

    one, two = refused("secret"), refused("secret too")
    assert (one["references"], "secret" in str(one)) == ([], False)
    assert one == two
    make_entry(cmdb["service"], "http", on=[cmdb["host"]])
    told = api.delete(url(cmdb["host"])).json()["detail"]
    assert "entry 'http' of entity 'Service' by 'on', some that you may not see." in told


def test_all_that_goes_along_takes_the_right_to_delete_it(api: Any, cmdb: dict[str, Any]) -> None:
    Entry.objects.filter(pk=cmdb["cable"].pk).update(default_permission=Level.READABLE)
    assert api.delete(url(cmdb["host"])).status_code == 403
    assert "c1" in active()
    assert "web" in active()


def test_the_schema_takes_it_for_references_alone(api: Any, cmdb: dict[str, Any]) -> None:
    def made(**attr: Any) -> Any:
        return api.post("/api/v2/entities/", {"name": "New", "attrs": [{"name": "a", **attr}]})

    assert "on_delete' is one of null, protect, chain" in str(made(type="object", on_delete="gone").json())
    assert "is for types that point to entries" in str(made(type="string", on_delete="chain").json())
    body = made(type="object", on_delete="chain").json()
    assert body["attrs"][0]["on_delete"] == "chain"
    changed = {"attrs": [{"id": body["attrs"][0]["id"], "on_delete": "protect"}]}
    assert api.patch(f"/api/v2/entities/{body['id']}/", changed).json()["attrs"][0]["on_delete"] == "protect"


def test_graphs_grow_by_depth_and_are_cut(api: Any, cmdb: dict[str, Any]) -> None:
    def around(query: str) -> tuple[list[tuple[str, int]], int, bool]:
        body = api.get(url(cmdb["host"], f"graph/?{query}")).json()
        ids = {node["id"] for node in body["nodes"]}
        assert all({edge["source"], edge["target"]} <= ids for edge in body["edges"])
        return [(node["name"], node["depth"]) for node in body["nodes"]], len(body["edges"]), body["is_cut"]

    assert around("") == ([("web", 0), ("eth0", 1), ("r1", 1)], 3, False)
    assert around("depth=2") == ([("web", 0), ("eth0", 1), ("r1", 1), ("c1", 2)], 4, False)
    assert around("depth=5&limit=2") == ([("web", 0), ("eth0", 1)], 2, True)
    for wrong in ("depth=6", "depth=x", "limit=501", "deep=1"):
        assert api.get(url(cmdb["host"], f"graph/?{wrong}")).status_code == 400
