"""What GET shows can be sent back: 200, nothing changes, nothing that the sender could not see is lost."""

from __future__ import annotations

from typing import Any

import pytest

from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.models import AttributeValue, Entry
from pagoda.domain.user.models import Level

pytestmark = pytest.mark.django_db

ENTITIES, ENTRIES = "/api/v2/entities/", "/api/v2/entries/"


@pytest.fixture
def secret(make_entity: Any) -> Any:
    entity = make_entity("Secret")
    Entity.objects.filter(pk=entity.pk).update(default_permission=Level.NOTHING)
    return entity


@pytest.fixture
def thing(make_entity: Any, make_entry: Any, secret: Any) -> Any:
    open_ = make_entity("Open")
    entity = Entity.objects.create_entity(
        user=None,
        name="Thing",
        default_permission=Level.FULL,
        attrs=[
            {"name": "all", "type": "array_object"},
            {"name": "one", "type": "object", "referral": [secret, open_]},
            {"name": "kind", "type": "select", "choices": ["a", "b"]},
            {"name": "kinds", "type": "array_select", "choices": ["a", "b"]},
            {"name": "hidden", "type": "string", "default_permission": Level.NOTHING},
        ],
    )
    shut, seen = make_entry(secret, "shut"), make_entry(open_, "seen")
    return make_entry(entity, "t", all=[shut, seen], one=shut, kind="b", kinds=["b"], hidden="h")


def test_a_whole_entry_sent_back_changes_nothing_and_plus_one_keeps_the_rest(
    api: Any, thing: Any, make_entry: Any
) -> None:
    url = f"{ENTRIES}{thing.pk}/"
    shown = api.get(url).json()
    entity_url = f"{ENTITIES}{thing.schema_id}/"
    kind = next(attr for attr in api.get(entity_url).json()["attrs"] if attr["name"] == "kind")
    assert api.patch(entity_url, {"attrs": [{"id": kind["id"], "choices": ["a"]}]}).status_code == 200

    response = api.patch(url, shown)

    assert (response.status_code, response.json()) == (200, shown)
    assert AttributeValue.objects.filter(parent_entry=thing).count() == 5
    extra = make_entry(Entity.objects.get(name="Open"), "extra")
    plus = [*shown["attrs"][0]["value"], extra.pk]
    assert api.patch(url, {"attrs": {"all": plus}}).status_code == 200
    names = [each["name"] for each in Entry.objects.get(pk=thing.pk).get_attrs()["all"]]
    assert names == ["shut", "seen", "extra"]


@pytest.mark.parametrize("method", ["put", "patch"])
def test_a_whole_entity_sent_back_changes_nothing(api: Any, thing: Any, secret: Any, method: str) -> None:
    url = f"{ENTITIES}{thing.schema_id}/"
    gone = Entity.objects.create_entity(user=None, name="Gone")
    EntityAttr.objects.get(name="one").referral.add(gone)
    gone.delete()
    shown = api.get(url).json()
    assert [attr["name"] for attr in shown["attrs"]] == ["all", "one", "kind", "kinds"]
    assert [each["name"] for each in shown["attrs"][1]["referral"]] == ["Open"]

    response = getattr(api, method)(url, shown)

    assert (response.status_code, response.json()) == (200, shown)
    assert EntityAttr.objects.active().filter(parent_entity=thing.schema_id).count() == 5
    shown["attrs"][1]["referral"] = []
    assert getattr(api, method)(url, {"name": "Thing", "attrs": shown["attrs"]}).status_code == 200
    kept = EntityAttr.objects.get(name="one").referral.values_list("name", flat=True)
    assert set(kept) == {"Gone", "Secret"}


@pytest.mark.parametrize("field", ["id", "is_active", "updated_time"])
def test_a_read_only_field_with_another_value_is_refused(api: Any, thing: Any, field: str) -> None:
    for url in (f"{ENTRIES}{thing.pk}/", f"{ENTITIES}{thing.schema_id}/"):
        response = api.patch(url, {field: "other"})
        assert response.status_code == 400
        assert field in response.json()


def test_names_are_passed_on_in_one_write(api: Any, make_entity: Any, make_entry: Any) -> None:
    entity = make_entity("Chain", a="string", b="string", c="string")
    entry = make_entry(entity, "e", a="1", b="2", c="3")
    ids = {attr.name: attr.pk for attr in entity.attrs.all()}
    url = f"{ENTITIES}{entity.pk}/"

    def rename(**names: str) -> int:
        attrs = [{"id": ids[old], "name": new} for old, new in names.items()]
        status: int = api.patch(url, {"attrs": attrs}).status_code
        return status

    assert rename(a="b", b="c", c="d") == 200  # shifted
    assert entry.get_attrs() == {"b": "1", "c": "2", "d": "3"}
    assert rename(a="c", b="b") == 200  # swapped
    assert entry.get_attrs() == {"c": "1", "b": "2", "d": "3"}
    assert rename(a="b", b="d", c="c") == 200  # in a circle
    assert entry.get_attrs() == {"b": "1", "d": "2", "c": "3"}
    assert set(entry.attrs.values_list("name", flat=True)) == {"b", "d", "c"}
    attrs = [
        {"id": ids["a"], "is_deleted": True},
        {"id": ids["b"], "name": "b"},
        {"name": "d", "type": "text"},
    ]
    assert api.patch(url, {"attrs": attrs}).status_code == 200
    assert entry.get_attrs() == {"b": "2", "c": "3", "d": None}
    assert rename(b="c", c="c") == 409


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["put", "patch"])
def test_a_read_only_field_that_is_sent_otherwise_is_named(api: Any, make_entity: Any, method: str) -> None:
    url = f"/api/v2/entities/{make_entity('Host').pk}/"
    body = api.get(url).json() | {"updated_time": "2020-01-01T00:00:00Z", "id": 5}
    response = getattr(api, method)(url, body, format="json")
    assert response.status_code == 400
    told = "It can't be changed; leave it out, or send it as it is shown now."
    assert (response.json()["id"], response.json()["updated_time"]) == ([told], [told])
