"""Many writes of entries in one request."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from pagoda.audit.models import AuditEvent
from pagoda.domain import changes
from pagoda.domain.changes import Change
from pagoda.domain.entity.models import Entity
from pagoda.domain.entry.models import Entry
from pagoda.domain.entry.services import create_entries, verify
from pagoda.domain.user.models import Level
from pagoda.plugins import overrides
from pagoda.plugins.registry import registry
from pagoda_plugin_sdk import Plugin, override_operation
from pagoda_plugin_sdk.exceptions import HookRejected
from tools.examples import examples

pytestmark = pytest.mark.django_db

URL = "/api/v2/entries/bulk/"


@pytest.fixture
def host(make_entity: Callable[..., Any]) -> Any:
    make_entity("Rack", rows="number")
    host = make_entity("Host", address="string", count="number", tags="array_string")
    rack: list[dict[str, Any]] = [{"name": "rack", "type": "object", "referral": ["Rack"]}]
    host.update_attrs(None, [*rack, {"name": "peer", "type": "array_named_object", "referral": ["Host"]}])
    return host


@pytest.fixture
def refuse_b() -> Iterator[list[tuple[str, Any]]]:
    """A validator that refuses entries named b, and the calls of every hook."""
    calls: list[tuple[str, Any]] = []

    def changing(change: Change, **_: object) -> None:
        calls.append(("changing", change.data.get("name")))

    def validating(change: Change, **_: object) -> None:
        calls.append(("validating", change.data["name"]))
        if change.data["name"] == "b":
            raise HookRejected("no b")

    def changed(change: Change, **_: object) -> None:
        calls.append(("changed", str(change.instance)))

    receivers = ((changes.changing, changing), (changes.validating, validating), (changes.changed, changed))
    for signal, receiver in receivers:
        signal.connect(receiver, weak=False)
    yield calls
    for signal, receiver in receivers:
        signal.disconnect(receiver)


def create(name: str, entity: Any = "Host", **attrs: Any) -> dict[str, Any]:
    return {"op": "create", "entity": entity, "name": name, "attrs": attrs}


def statuses(response: Any) -> list[str]:
    return [result["status"] for result in response.json()["results"]]


def test_every_kind_of_write_in_one_request(api: Any, host: Any) -> None:
    kept, gone = create_entries(None, host, [{"name": "kept", "attrs": {"count": 1}}, {"name": "gone"}])
    address = {"address": "10.0.0.9"}
    items = [
        create("r1", "Rack", rows=4),
        create("web", host.pk, address="10.0.0.1", rack={"name": "r1", "entity": "Rack"}),
        create("db", rack="r1", peer=[{"name": "eth0", "object": "web"}, {"name": "eth1", "object": None}]),
        {"op": "update", "id": kept.pk, "name": "kept too", "attrs": {"count": 2, "rack": {"name": "r1"}}},
        {"op": "update", "id": kept.pk, "attrs": {"count": 3}},
        {"op": "upsert", "entity": "Host", "name": "web", "attrs": {"count": 5}},
        {"op": "upsert", "entity": "Host", "name": "new", "attrs": address},
        {
            "op": "upsert",
            "entity": "Host",
            "name": "renamed",
            "key": "address",
            "attrs": {"address": "10.0.0.9"},
        },
        {"op": "upsert", "entity": "Host", "name": "web", "attrs": {"count": 5}},
        {"op": "delete", "id": gone.pk},
    ]
    response = api.post(URL, {"items": items})
    assert response.status_code == 200, response.json()
    updated, same = "updated", "unchanged"
    expected = ["created"] * 3 + [updated, updated, updated, "created", updated, same, "deleted"]
    assert statuses(response) == expected
    found = {entry.name: entry.get_attrs() for entry in Entry.objects.active()}
    assert found.keys() == {"r1", "web", "db", "kept too", "renamed"}
    assert (found["web"]["count"], found["web"]["rack"]["name"], found["kept too"]["count"]) == (5, "r1", 3)
    assert [each["name"] for each in found["db"]["peer"]] == ["eth0", "eth1"]
    assert found["db"]["peer"][0]["object"]["name"] == "web"
    told = AuditEvent.objects.filter(actor="ann", subject_type="entry").order_by("pk")
    assert [(e.action, e.subject) for e in told] == [
        ("entry.created", "r1"),
        ("entry.created", "web"),
        ("entry.created", "db"),
        ("entry.updated", "kept too"),
        ("entry.created", "renamed"),
        ("entry.deleted", "gone"),
    ]
    assert not verify().wrong


@pytest.mark.parametrize("is_atomic", [True, False])
def test_refused_items_are_told_as_if_each_was_sent_alone(
    api: Any, ann: Any, host: Any, make_entity: Any, refuse_b: Any, is_atomic: bool
) -> None:
    closed = make_entity("Closed")
    Entity.objects.filter(pk=closed.pk).update(default_permission=Level.READABLE)
    refuse_b.clear()
    items = [
        create("a"),
        create("b"),
        create("c", count="many"),
        create("d", rack="nowhere"),
        create("e"),
        create("a"),
        create("f", "Closed"),
        create("g", "Nothing"),
        {"op": "update", "id": 10**9},
        {"op": "destroy"},
    ]
    response = api.post(URL, {"items": items, "atomic": is_atomic})
    results = response.json()["results"]
    if is_atomic:
        assert response.status_code == 400
        assert response.json()["detail"] == "Nothing was written: 2 of 10 items were refused."
        assert not Entry.objects.exists()
        return
    assert response.status_code == 200
    refused = ["refused"] * 5
    assert statuses(response) == ["created", *["refused"] * 3, "created", *refused]
    alone = [
        api.post("/api/v2/entries/", {key: each for key, each in item.items() if key != "op"})
        for item in items[1:7]
    ]
    del alone[2], alone[2]  # d: a name is no reference there; e is made
    for result, answer in zip([results[n] for n in (1, 2, 5, 6)], alone, strict=True):
        assert (result["http_status"], result["error"]) == (answer.status_code, answer.json())
    assert "there is no entry named 'nowhere'" in str(results[3]["error"])
    assert "There is no entity 'Nothing'" in str(results[7]["error"])
    absent = api.patch(f"/api/v2/entries/{10**9}/", {"note": "n"})
    assert (results[8]["http_status"], results[8]["error"]) == (404, absent.json())
    assert [entry.name for entry in Entry.objects.order_by("pk")] == ["a", "e"]
    assert refuse_b[: refuse_b.index(("changed", "e")) + 1] == [
        ("changing", "a"), ("changing", "b"), ("changing", "c"), ("changing", "e"),
        ("validating", "a"), ("validating", "b"), ("validating", "e"), ("changing", "a"),
        ("changed", "a"), ("changed", "e"),
    ]  # fmt: skip


def test_what_a_hook_wrote_for_a_refused_item_is_undone_with_it(
    api: Any, host: Any, refuse_b: Any, request: pytest.FixtureRequest
) -> None:
    def write(change: Change, **_: object) -> None:
        if change.entity_name == "Host":
            Entry.objects.create_entry(
                user=None, schema=Entity.objects.get(name="Rack"), name=f"for {change.data['name']}"
            )

    changes.changing.connect(write, weak=False)
    request.addfinalizer(lambda: changes.changing.disconnect(write))
    response = api.post(URL, {"items": [create("a"), create("b"), create("c")], "atomic": False})
    assert statuses(response) == ["created", "refused", "created"]
    assert set(Entry.objects.values_list("name", flat=True)) == {"a", "c", "for a", "for c"}


def test_rights_are_those_of_each_item(api: Any, ann: Any, host: Any, make_entry: Any) -> None:
    mine, other = (make_entry(host, name) for name in ("mine", "other"))
    Entry.objects.filter(pk=other.pk).update(default_permission=Level.READABLE)
    hidden = make_entry(host, "hidden")
    Entry.objects.filter(pk=hidden.pk).update(default_permission=Level.NOTHING)
    items: list[dict[str, Any]] = [
        {"op": op, "id": entry.pk, **({"note": "n"} if op == "update" else {})}
        for op in ("update", "delete")
        for entry in (mine, other, hidden)
    ]
    response = api.post(URL, {"items": items, "atomic": False})
    found = [(x["status"], x.get("http_status")) for x in response.json()["results"]]
    assert found == [
        ("updated", None), ("refused", 403), ("refused", 404),
        ("deleted", None), ("refused", 403), ("refused", 404),
    ]  # fmt: skip
    assert "hidden" not in str(response.json())


@pytest.mark.parametrize("is_atomic", [True, False])
def test_an_entry_that_others_keep_is_refused_by_itself(
    api: Any, host: Any, make_entry: Any, is_atomic: bool
) -> None:
    host.attrs.filter(name="rack").update(on_delete="protect")
    kept, free = (make_entry(Entity.objects.get(name="Rack"), name) for name in ("kept", "free"))
    items = [
        create("n1", rack="kept"),
        {"op": "delete", "id": kept.pk},
        {"op": "delete", "id": free.pk},
        create("n2"),
    ]

    response = api.post(URL, {"items": items, "atomic": is_atomic})

    active = set(Entry.objects.active().values_list("name", flat=True))
    refused = response.json()["results"][1]
    assert (refused["http_status"], refused["error"]["code"]) == (409, "protected")
    (reference,) = refused["error"]["references"]
    assert (reference["entry"]["name"], reference["attr"], reference["target"]) == ("n1", "rack", kept.pk)
    if is_atomic:
        assert (response.status_code, active) == (400, {"kept", "free"})
        assert statuses(response) == ["not_tried", "refused", "not_tried", "not_tried"]
        assert reference["entry"]["id"] is None, "it was not made"
        return
    assert (response.status_code, active) == (200, {"kept", "n1", "n2"})
    assert statuses(response) == ["created", "refused", "deleted", "created"]
    alone = api.delete(f"/api/v2/entries/{kept.pk}/")
    assert (refused["http_status"], refused["error"]) == (alone.status_code, alone.json())


def test_a_reference_by_name_has_its_entity_by_name_or_by_id(api: Any, host: Any, make_entry: Any) -> None:
    rack = Entity.objects.get(name="Rack")
    make_entry(rack, "r1")
    for entity in (rack.pk, float(rack.pk), "Rack", None):
        items = [create(f"h {entity}", rack={"name": "r1", "entity": entity})]
        assert api.post(URL, {"items": items}, format="json").status_code == 200, entity
    Entity.objects.filter(pk=rack.pk).update(default_permission=Level.NOTHING)
    for other in (rack.pk, host.pk, 10**6, 10**30, True, 0, [rack.pk]):
        items = [create("h", rack={"name": "r1", "entity": other})]
        answer = api.post(URL, {"items": items}, format="json")
        assert statuses(answer) == ["refused"], other
        assert list(answer.json()["results"][0]["error"]["errors"]) == ["rack"]


def renamed(pk: int, name: str, **attrs: Any) -> dict[str, Any]:
    return {"op": "update", "id": pk, "name": name, "attrs": attrs}


@pytest.mark.parametrize("is_atomic", [True, False])
def test_names_are_given_up_and_taken_item_by_item(
    api: Any, host: Any, make_entry: Any, is_atomic: bool
) -> None:
    x, y, z = (make_entry(host, name).pk for name in "xyz")

    def names() -> list[str]:
        return list(Entry.objects.order_by("pk").values_list("name", flat=True))

    swap = [renamed(x, "tmp"), renamed(y, "x"), renamed(z, "y"), renamed(x, "z")]
    answer = api.post(URL, {"items": swap, "atomic": is_atomic})
    assert (statuses(answer), names()) == (["updated"] * 4, ["z", "x", "y"])
    named = [renamed(x, "new"), renamed(y, "x", peer=[{"name": "p", "object": "new"}])]
    answer = api.post(URL, {"items": named, "atomic": is_atomic})
    assert (statuses(answer), names()) == (["updated"] * 2, ["new", "x", "y"])
    held = Entry.objects.get(pk=y).get_attrs()["peer"]
    assert [each["object"]["id"] for each in held] == [x]
    if not is_atomic:
        taken = [renamed(x, ""), renamed(y, "new"), renamed(z, "free"), renamed(y, "y")]
        answer = api.post(URL, {"items": taken, "atomic": False})
        assert statuses(answer) == ["refused", "refused", "updated", "updated"]
        assert names() == ["new", "y", "free"]


@pytest.mark.parametrize("is_atomic", [True, False])
def test_upserts_by_a_key_take_names_in_their_order(
    api: Any, host: Any, make_entry: Any, is_atomic: bool
) -> None:
    old = make_entry(host, "x")
    api.patch(f"/api/v2/entries/{old.pk}/", {"attrs": {"address": "1"}}, format="json")

    def upsert(address: str, name: str) -> dict[str, Any]:
        attrs = {"address": address}
        return {"op": "upsert", "entity": "Host", "key": "address", "name": name, "attrs": attrs}

    answer = api.post(URL, {"items": [upsert("1", "y"), upsert("2", "x")], "atomic": is_atomic})
    assert statuses(answer) == ["updated", "created"], answer.json()
    if not is_atomic:
        answer = api.post(URL, {"items": [upsert("1", "z"), upsert("3", "z")], "atomic": False})
        assert statuses(answer) == ["updated", "refused"]
    assert Entry.objects.count() == 2


@pytest.mark.parametrize("is_atomic", [True, False])
@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("count", [5, 5.0, -0.0, 0]),
        ("seen", ["2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", "2026-01-02T00:00:00Z"]),
        ("address", [" a", "a", " a"]),
    ],
)
def test_keys_are_compared_as_their_type_keeps_them(
    api: Any, host: Any, is_atomic: bool, key: str, values: list[Any]
) -> None:
    host.update_attrs(None, [{"name": "seen", "type": "datetime"}])
    items = [
        {"op": "upsert", "entity": "Host", "key": key, "name": f"h{number}", "attrs": {key: value}}
        for number, value in enumerate(values)
    ]
    answer = api.post(URL, {"items": items, "atomic": is_atomic})
    assert answer.status_code == 200, answer.json()
    assert Entry.objects.count() == 2
    assert sorted(statuses(answer)) == ["created"] * 2 + ["updated"] * (len(values) - 2)


def test_too_many_items_and_a_malformed_body_are_refused(api: Any, host: Any) -> None:
    from django.conf import settings

    few = settings.PAGODA.model_copy(update={"domain_max_bulk_items": 2})
    with override_settings(PAGODA=few):
        response = api.post(URL, {"items": [create(str(n)) for n in range(3)]})
    assert response.status_code == 400
    assert "DOMAIN_MAX_BULK_ITEMS" in str(response.json())
    for body in ({}, {"items": 3}, {"items": [], "x": 1}, [1]):
        assert api.post(URL, body, format="json").status_code == 400


@pytest.mark.parametrize("op", [{}, [], ["create"], None, 1, True, "make"], ids=str)
def test_what_is_no_kind_of_write_is_refused(api: Any, host: Any, op: Any) -> None:
    response = api.post(URL, {"items": [{"op": op, "entity": "Host", "name": "x"}]}, format="json")

    assert response.status_code == 400
    [told] = response.json()["results"]
    assert list(told["error"]["errors"]) == ["op"]


def test_an_id_without_a_fraction_is_the_whole_one(api: Any, host: Any) -> None:
    made = api.post(URL, {"items": [create("x", float(host.pk))]}, format="json").json()["results"][0]["id"]
    items = [
        {"op": "update", "id": float(made), "note": "n"},
        {"op": "update", "id": made + 0.5, "note": "m"},
    ]
    answer = api.post(URL, {"items": items, "atomic": False}, format="json").json()["results"]

    assert [each["status"] for each in answer] == ["updated", "refused"]


MANY = examples(1000, quick=400)
"""As many as a request takes, or more than enough to be told from few."""


@pytest.mark.bounds
def test_many_writes_take_few_queries(api: Any, host: Any, django_assert_max_num_queries: Any) -> None:
    attrs = {"address": "x", "count": 1, "tags": ["a"], "rack": "r", "peer": []}
    assert api.post(URL, {"items": [create("r", "Rack")]}).status_code == 200
    with django_assert_max_num_queries(60):
        response = api.post(URL, {"items": [create(f"h{n}", **attrs) for n in range(MANY)]})
    assert statuses(response) == ["created"] * MANY, response.json()
    ids = [result["id"] for result in response.json()["results"]]
    with django_assert_max_num_queries(60 + MANY):  # one locks and stores the row
        changed = [{"op": "update", "id": pk, "attrs": {"count": 2, "tags": ["b"]}} for pk in ids]
        assert statuses(api.post(URL, {"items": changed})) == ["updated"] * MANY
    with django_assert_max_num_queries(60):
        same = [
            {"op": "upsert", "entity": "Host", "name": f"h{n}", "attrs": {"count": 2}} for n in range(MANY)
        ]
        assert statuses(api.post(URL, {"items": same})) == ["unchanged"] * MANY
    with django_assert_max_num_queries(60):
        gone = [{"op": "delete", "id": pk} for pk in ids]
        assert statuses(api.post(URL, {"items": gone})) == ["deleted"] * MANY
    assert not verify().wrong


def test_the_page_s_example(superuser_api: Any, make_entity: Any, make_entry: Any) -> None:
    page = (Path(__file__).parents[3] / "docs" / "bulk.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    rack = make_entity("Rack", rows="number")
    host = make_entity("Host", serial="string")
    host.update_attrs(None, [{"name": "rack", "type": "object", "referral": ["Rack"]}])
    for number in (17, 18):
        pk = str(make_entry(host if number == 17 else rack, f"old {number}").pk)
        example = example.replace(f'"id": {number}', f'"id": {pk}')
    response = superuser_api.post(URL, json.loads(example))
    assert statuses(response) == ["created", "created", "updated", "created", "deleted"], response.json()
    entries = {entry.name: entry.get_attrs() for entry in Entry.objects.active()}
    assert entries["web"]["rack"]["name"] == entries["old 17"]["rack"]["name"] == "r1"
    assert entries["db"]["serial"] == "X-17"


class Replaces(Plugin):
    """Takes two operations on hosts."""

    id = name = "replaces"

    @override_operation("create")
    def create(self, context: Any) -> Any:
        raise AssertionError("an item of many is no request of its own")

    delete = override_operation("delete")(lambda self, context: None)


@pytest.mark.parametrize("atomic", [True, False])
def test_what_a_plugin_does_in_the_host_s_place_is_refused(
    atomic: bool, api: Any, host: Any, register: Any, make_entry: Any
) -> None:
    old = make_entry(host, "old")
    register(Replaces())
    overrides.bind(registry(), {"Host": {"plugin": "replaces", "operations": ["create", "delete"]}})
    bad = [
        create("x"),
        create("x", host.pk),
        {"op": "upsert", "entity": "Host", "name": "x"},
        {"op": "delete", "id": old.pk},
    ]
    try:
        for item in bad:
            response = api.post(URL, {"atomic": atomic, "items": [create("r", "Rack"), item]})
            assert response.status_code == 400, item
            assert "Item 1: A plugin does this in the host's place" in str(response.json())
        assert list(Entry.objects.values_list("name", "is_active")) == [("old", True)]
        others = [create("r", "Rack"), {"op": "update", "id": old.pk, "note": "x"}]
        assert statuses(api.post(URL, {"items": others})) == ["created", "updated"]
    finally:
        overrides.bind(registry(), {})
