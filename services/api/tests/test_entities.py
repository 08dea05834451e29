from __future__ import annotations

from typing import Any

import pytest

from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.user.models import Level

pytestmark = pytest.mark.django_db

URL = "/api/v2/entities/"


def url(entity: Any, action: str = "") -> str:
    return f"{URL}{entity.pk}/{action}"


def attrs(body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {attr["name"]: attr for attr in body["attrs"]}


@pytest.mark.parametrize("by", ["id", "name", "object"])
def test_create_answers_201_with_the_entity_and_its_attributes(api: Any, make_entity: Any, by: str) -> None:
    rack = make_entity("Rack")
    referral = {"id": rack.pk, "name": "Rack", "object": {"id": rack.pk, "name": "Rack"}}[by]
    given = [
        {"name": "address", "type": "string", "is_mandatory": True, "index": 1},
        {"name": "rack", "type": "object", "referral": [referral], "index": 2},
        {"name": "size", "type": "select", "choices": ["s", "m"], "default_value": "m", "index": 3},
    ]

    response = api.post(URL, {"name": "Host", "note": "machines", "attrs": given})

    assert response.status_code == 201, response.json()
    body = response.json()
    assert (body["name"], body["note"], body["is_active"]) == ("Host", "machines", True)
    assert body["created_user"]["username"] == "ann"
    assert list(attrs(body)) == ["address", "rack", "size"]
    assert attrs(body)["address"]["is_mandatory"] is True
    assert attrs(body)["rack"]["referral"] == [{"id": rack.pk, "name": "Rack"}]
    assert (attrs(body)["size"]["choices"], attrs(body)["size"]["default_value"]) == (["s", "m"], "m")
    assert api.get(f"{URL}{body['id']}/").json() == body


def test_patch_changes_adds_and_removes_attributes(api: Any, make_entity: Any) -> None:
    entity = make_entity("Host", address="string", count="number", note="text")
    ids = {attr.name: attr.pk for attr in entity.attrs.all()}

    response = api.patch(
        url(entity),
        {
            "note": "machines",
            "attrs": [
                {"id": ids["address"], "name": "ip", "is_mandatory": True},
                {"id": ids["count"], "is_deleted": True},
                {"name": "rack", "type": "string"},
            ],
        },
    )

    assert response.status_code == 200, response.json()
    assert response.json()["note"] == "machines"
    shown = attrs(response.json())
    assert set(shown) == {"ip", "note", "rack"}
    assert shown["ip"]["id"] == ids["address"]
    assert shown["ip"]["is_mandatory"] is True


def test_put_makes_the_entity_what_is_given(api: Any, make_entity: Any) -> None:
    entity = make_entity("Host", address="string", count="number")
    ids = {attr.name: attr.pk for attr in entity.attrs.all()}

    response = api.put(
        url(entity),
        {
            "name": "Machine",
            "attrs": [{"name": "address", "note": "IPv4"}, {"name": "rack", "type": "string"}],
        },
    )

    assert response.status_code == 200, response.json()
    assert response.json()["name"] == "Machine"
    shown = attrs(response.json())
    assert set(shown) == {"address", "rack"}
    assert (shown["address"]["id"], shown["address"]["note"]) == (ids["address"], "IPv4")


def test_what_was_read_can_be_put_back(api: Any, make_entity: Any) -> None:
    make_entity("Rack")
    created = api.post(
        URL, {"name": "Host", "attrs": [{"name": "rack", "type": "object", "referral": ["Rack"]}]}
    ).json()
    writable = {key: created[key] for key in ("name", "note", "default_permission", "attrs")}

    response = api.put(f"{URL}{created['id']}/", writable)

    assert response.status_code == 200, response.json()
    assert response.json() == created


def test_delete_is_soft_and_restore_undoes_it(api: Any, make_entity: Any) -> None:
    entity = make_entity("Host", address="string")

    assert api.delete(url(entity)).status_code == 204
    assert api.get(URL).json()["count"] == 0
    assert [each["name"] for each in api.get(URL, {"is_active": "false"}).json()["results"]] == ["Host"]

    response = api.post(url(entity, "restore/"))

    assert response.status_code == 200
    assert response.json()["is_active"] is True
    assert set(attrs(response.json())) == {"address"}


def test_entity_with_entries_is_not_deleted(api: Any, make_entity: Any, make_entry: Any) -> None:
    entity = make_entity("Host")
    make_entry(entity, "web")

    response = api.delete(url(entity))

    assert response.status_code == 409
    assert response.json() == {
        "detail": "Entity 'Host' has active entries; delete them first.",
        "code": "conflict",
    }
    assert Entity.objects.get().is_active


def test_list_is_searched_and_paged(api: Any, make_entity: Any, django_assert_max_num_queries: Any) -> None:
    for name in ("Host", "Hosting", "Rack"):
        make_entity(name, address="string")

    with django_assert_max_num_queries(6):
        body = api.get(URL, {"search": "host", "limit": 1}).json()

    assert body["count"] == 2
    assert [each["name"] for each in body["results"]] == ["Host"]
    assert set(attrs(body["results"][0])) == {"address"}
    assert [each["name"] for each in api.get(body["next"]).json()["results"]] == ["Hosting"]


def test_permissions_hold(api: Any, make_entity: Any) -> None:
    secret, open_ = make_entity("Secret"), make_entity("Open", a="string", hidden="string")
    Entity.objects.filter(pk=secret.pk).update(default_permission=Level.NOTHING)
    Entity.objects.filter(pk=open_.pk).update(default_permission=Level.WRITABLE)
    EntityAttr.objects.filter(name="hidden").update(default_permission=Level.NOTHING)

    assert [each["name"] for each in api.get(URL).json()["results"]] == ["Open"]
    assert api.get(url(secret)).status_code == 404
    assert set(attrs(api.get(url(open_)).json())) == {"a"}
    for refused in (
        api.patch(url(open_), {"note": "n"}),
        api.put(url(open_), {"name": "Mine", "attrs": []}),
        api.delete(url(open_)),
        api.post(url(open_, "restore/")),
    ):
        assert refused.status_code == 403
        assert "Full permission on entity 'Open' is needed" in refused.json()["detail"]
    assert EntityAttr.objects.active().count() == 2
