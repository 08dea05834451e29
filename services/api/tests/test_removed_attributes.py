"""Removing an attribute keeps its values, and can be undone."""

from __future__ import annotations

from typing import Any

import pytest

from pagoda.audit.models import AuditEvent
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.verifying import verify
from pagoda.domain.user.models import Level

pytestmark = pytest.mark.django_db


def path_of(entity: Entity, rest: str = "") -> str:
    return f"/api/v2/entities/{entity.pk}/{rest}"


def removed(api: Any, entity: Entity) -> list[str]:
    answer = api.get(path_of(entity, "removed-attributes/"))
    assert (answer.status_code, answer.json()["count"]) == (200, len(answer.json()["results"]))
    return [each["name"] for each in answer.json()["results"]]


def remove(api: Any, entity: Entity, name: str) -> int:
    pk: int = entity.attrs.get(name=name, is_active=True).pk
    assert api.patch(path_of(entity), {"attrs": [{"id": pk, "is_deleted": True}]}).status_code == 200
    return pk


def restore(api: Any, entity: Entity, pk: int, **headers: str) -> Any:
    return api.post(path_of(entity, "restore-attribute/"), {"attr": pk}, headers=headers)


def test_a_removed_attribute_comes_back_with_its_values(api: Any, web: Any, make_entry: Any) -> None:
    host, url = web.schema, f"/api/v2/entries/{web.pk}/"
    before = api.get(url).json()["attrs"]
    assert removed(api, host) == []
    address = remove(api, host, "address")
    remove(api, host, "count")
    assert removed(api, host) == ["count", "address"]
    assert api.get(url).json()["attrs"] == []
    later = make_entry(host, "later")
    events = AuditEvent.objects.filter(action="entity.updated").count()

    answer = restore(api, host, address)

    assert (answer.status_code, [each["name"] for each in answer.json()["attrs"]]) == (200, ["address"])
    assert answer.json() == api.get(path_of(host)).json()
    assert [removed(api, host), api.get(url).json()["attrs"]] == [["count"], before[:1]]
    assert api.get(f"/api/v2/entries/{later.pk}/").json()["attrs"][0]["value"] is None
    assert api.patch(f"/api/v2/entries/{later.pk}/", {"attrs": {"address": "x"}}).status_code == 200
    assert verify().wrong == ()
    event = AuditEvent.objects.filter(action="entity.updated").latest("pk")
    assert AuditEvent.objects.filter(action="entity.updated").count() == events + 1
    assert event.details["attrs"] == ["address"]
    assert api.get(path_of(host, "history/")).json()["results"][0]["kind"] == "attribute_restored"
    assert restore(api, host, address).status_code == 200  # it is there: nothing is done
    assert AuditEvent.objects.filter(action="entity.updated").count() == events + 1


def test_it_is_refused_where_it_would_do_harm(api: Any, web: Any) -> None:
    host = web.schema
    address = remove(api, host, "address")
    assert restore(api, host, address, **{"If-Match": '"other"'}).status_code == 412
    api.patch(path_of(host), {"attrs": [{"name": "address", "type": "text"}]})
    assert (restore(api, host, address).status_code, removed(api, host)) == (409, ["address"])
    other = host.attrs.get(name="address", is_active=True).pk
    api.patch(path_of(host), {"attrs": [{"id": other, "name": "other"}]})
    assert list(restore(api, host, 10**6).json()["errors"]) == ["attr"]
    assert api.post(path_of(host, "restore-attribute/"), {}).status_code == 400
    assert restore(api, host, address).status_code == 200
    remove(api, host, "address")
    host.refresh_from_db()
    api.delete(f"/api/v2/entries/{web.pk}/")
    assert api.delete(path_of(host)).status_code == 204
    assert restore(api, host, address).status_code == 409


def test_rights_are_those_of_a_change(api: Any, web: Any) -> None:
    host = web.schema
    address, count = remove(api, host, "address"), remove(api, host, "count")
    EntityAttr.objects.filter(pk=address).update(default_permission=Level.NOTHING)
    EntityAttr.objects.filter(pk=count).update(default_permission=Level.WRITABLE)
    assert removed(api, host) == ["count"]
    assert restore(api, host, address).json()["errors"] == restore(api, host, 10**6).json()["errors"] | {
        "attr": [f"Entity 'Host' has no removed attribute {address}; its removed ones are listed."]
    }
    assert restore(api, host, count).status_code == 403
    Entity.objects.filter(pk=host.pk).update(default_permission=Level.READABLE)
    EntityAttr.objects.update(default_permission=Level.FULL)
    assert restore(api, host, count).status_code == 403
    Entity.objects.filter(pk=host.pk).update(default_permission=Level.NOTHING)
    assert restore(api, host, count).status_code == 404
    assert api.get(path_of(host, "removed-attributes/")).status_code == 404
