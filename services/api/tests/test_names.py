"""Names of all things through the API; and what no name hides, whatever it is."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group

from pagoda.domain.entity.models import Entity
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import Role, User

pytestmark = pytest.mark.django_db

NFC, NFD = "caf\u00e9", "cafe\u0301"
HIDDEN = ["we\u200bb", "\u202eweb", "\u3164", "\u0301", "w\u00adeb", "we\ufeffb"]
SEARCH = {"where": {"field": "name", "op": "eq", "value": "x"}}
NAMED: dict[str, dict[str, Any]] = {
    "entities/": {},
    "entries/": {"schema": "Host"},
    "groups/": {},
    "roles/": {},
    "me/tokens/": {},
    "search/saved/": {"search": SEARCH},
}
HOSTILE = (
    "code",
    "detail",
    "errors",
    "plugin",
    "request_id",
    "__proto__",
    "constructor",
    "\u05d0\u05d1",
)


@pytest.fixture
def root(make_user: Any, client_of: Any) -> Any:
    return client_of(make_user("root", is_superuser=True))


@pytest.mark.parametrize("path", NAMED)
@pytest.mark.parametrize("name", HIDDEN, ids=ascii)
def test_a_name_with_what_nobody_sees_is_refused(root: Any, web: Any, path: str, name: str) -> None:
    response = root.post(f"/api/v2/{path}", {"name": name, **NAMED[path]})

    assert (response.status_code, response.json()["code"]) == (400, "invalid"), response.json()
    assert list(response.json()["errors"]) == ["name"]


@pytest.mark.parametrize("path", NAMED)
def test_a_name_is_stored_composed_and_trimmed(root: Any, web: Any, path: str) -> None:
    response = root.post(f"/api/v2/{path}", {"name": f" {NFD} ", **NAMED[path]})

    assert response.status_code == 201, response.json()
    assert response.json()["name"] == NFC


@pytest.mark.parametrize("path", [path for path in NAMED if path != "me/tokens/"])
def test_two_spellings_are_one_name(root: Any, web: Any, path: str) -> None:
    answers = [root.post(f"/api/v2/{path}", {"name": name, **NAMED[path]}) for name in (NFC, NFD, NFC + "\t")]

    first, *others = [answer.status_code for answer in answers]
    assert first == 201
    assert set(others) <= {400, 409}, [each.json() for each in answers]


@pytest.mark.parametrize(("path", "model"), [("groups/", Group), ("roles/", Role)])
def test_an_old_group_and_role_is_found_and_keeps_its_name(root: Any, path: str, model: Any) -> None:
    row = model.objects.create(name="old")
    model.objects.filter(pk=row.pk).update(name=NFD)

    found = root.get(f"/api/v2/{path}", {"name": NFC}).json()["results"]
    again = root.put(f"/api/v2/{path}{row.pk}/", found[0])
    taken = root.post(f"/api/v2/{path}", {"name": NFC})
    clean = root.patch(f"/api/v2/{path}{row.pk}/", {"name": NFC})

    assert [each["id"] for each in found] == [row.pk]
    assert (again.status_code, again.json()["name"]) == (200, NFD)
    assert taken.status_code in (400, 409)
    assert (clean.status_code, clean.json()["name"]) == (200, NFC)


def test_users_are_named_in_one_form(root: Any) -> None:
    first = root.post("/api/v2/users/", {"username": NFD})
    second = root.post("/api/v2/users/", {"username": NFC})

    assert (first.status_code, first.json()["username"]) == (201, NFC)
    assert second.status_code in (400, 409)
    assert User.objects.filter(username=NFC).count() == 1


def test_an_entity_is_named_in_any_spelling(root: Any, make_entity: Any, make_entry: Any) -> None:
    entity = make_entity(NFC, **{NFC: "string"})
    entry = make_entry(entity, NFC)

    made = root.post("/api/v2/entries/", {"name": "b", "schema": NFD, "attrs": {NFD: "x"}})
    listed = root.get("/api/v2/entries/", {"entity": NFD, f"attr.{NFD}": "x", "fields": f"name,attr.{NFD}"})
    bulk = root.post("/api/v2/entries/bulk/", {"items": [{"op": "upsert", "entity": NFD, "name": NFD}]})
    attrs = [{"name": NFD, "type": "string", "note": "n"}]
    put = root.put(f"/api/v2/entities/{entity.pk}/", {"name": NFC, "note": "", "attrs": attrs})

    assert made.status_code == 201, made.json()
    assert [each["attrs"][0]["name"] for each in listed.json()["results"]] == [NFC]
    assert [each["id"] for each in bulk.json()["results"]] == [entry.pk]
    assert put.status_code == 200, put.json()
    assert [(each["name"], each["note"]) for each in put.json()["attrs"]] == [(NFC, "n")]


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_whatever_an_attribute_is_called_the_error_says_what_it_is(
    root: Any, make_entity: Any, make_entry: Any, name: str
) -> None:
    entity = make_entity("Odd", **{name: "number"})
    entry = make_entry(entity, "a")
    wrong = {name: "many"}
    item = {"op": "create", "entity": "Odd", "name": "b", "attrs": wrong}
    specs = [{"name": name, "type": "number", "index": "first"}]

    answers = [
        root.post("/api/v2/entries/", {"name": "b", "schema": "Odd", "attrs": wrong}),
        root.patch(f"/api/v2/entries/{entry.pk}/", {"attrs": wrong}),
        root.post("/api/v2/entities/", {"name": "Other", "attrs": specs}),
        root.patch(f"/api/v2/entities/{entity.pk}/", {"attrs": specs}),
    ]
    bulk = root.post("/api/v2/entries/bulk/", {"items": [item], "atomic": False})
    told = bulk.json()["results"][0]["error"]
    unknown = root.post("/api/v2/entries/", {"name": "b", "schema": "Odd", "attrs": {f"{name}2": 1}}).json()
    filtered = root.get("/api/v2/entries/", {f"attr.{name}": "many"})
    searched = root.post("/api/v2/search/", {"where": {"field": f"attr.{name}", "op": "eq", "value": "many"}})

    for answer in answers:
        body = answer.json()
        assert (answer.status_code, body["code"]) == (400, "invalid"), body
        assert list(body["errors"]) == [name]
    assert (told["code"], list(told["errors"])) == ("invalid", [name])
    assert (unknown["code"], list(unknown["errors"])) == ("invalid", [f"{name}2"])
    for answer in (filtered, searched):
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid"), answer.json()
        assert isinstance(answer.json()["detail"], str)
    assert Entry.objects.count() == 1
    assert Entity.objects.count() == 1
