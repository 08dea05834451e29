"""`?at=` shows entities as they were: what was shown then is shown for then, by the rights of now."""

from __future__ import annotations

from collections.abc import Callable
from time import sleep
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from pagoda.domain.entity.models import EntityAttr
from pagoda.domain.user.models import Level

pytestmark = pytest.mark.django_db
URL = "/api/v2/entities/"

MADE = {
    "name": "Host",
    "attrs": [
        {"name": "ram", "type": "number", "default_value": 4},
        {"name": "os", "type": "select", "choices": ["Linux", "BSD"], "note": "of it"},
        {"name": "up", "type": "boolean"},
    ],
}


def between() -> str:
    """Return a moment that lies between what was done before and what is done next."""
    sleep(0.002)  # SQLite's own clock has milliseconds
    moment = timezone.now().isoformat().replace("+00:00", "Z")
    sleep(0.002)
    return moment


@pytest.fixture
def host(superuser_api: Any) -> Any:
    """An entity as it is shown when it is made."""
    return superuser_api.post(URL, MADE).json()


def test_an_entity_is_shown_as_it_was_after_each_change(superuser_api: Any, host: Any) -> None:
    one = f"{URL}{host['id']}/"
    ram, os, up = (attr["id"] for attr in host["attrs"])
    seen = [(between(), superuser_api.get(one).json())]

    def changed(answer: Any) -> None:
        assert answer.status_code in (200, 204), answer.json()
        moment = between()
        seen.append((moment, superuser_api.get(one).json()))

    def patch(**body: Any) -> None:
        changed(superuser_api.patch(one, body))

    patch(name="Server", note="renamed")
    patch(attrs=[{"id": ram, "name": "memory", "is_mandatory": True, "index": 9, "default_value": 8}])
    patch(attrs=[{"id": os, "choices": ["Linux"], "note": "", "is_indexed": True, "is_summarized": True}])
    patch(attrs=[{"id": up, "is_deleted": True}])
    patch(attrs=[{"name": "rack", "type": "object", "on_delete": "protect"}])
    patch(attrs=[{"id": os, "type": "string", "choices": []}], default_permission=int(Level.NOTHING))
    changed(superuser_api.post(f"{one}restore-attribute/", {"attr": up}))
    changed(superuser_api.delete(one))
    changed(superuser_api.post(f"{one}restore/"))

    updated = []
    for moment, told in seen:
        shown = superuser_api.get(one, {"at": moment}).json()
        updated.append(shown.pop("updated_time"))
        assert updated[-1] <= moment
        del told["updated_time"]
        assert shown == told, moment
    assert updated == sorted(set(updated))
    assert len({str(told) for _, told in seen}) == len(seen) - 1  # it is restored as it was


def test_a_list_has_what_was_there(api: Any, make_entity: Any) -> None:
    before = between()
    kept, gone = make_entity("Kept", ram="number"), make_entity("Gone")
    then = between()
    api.patch(f"{URL}{kept.pk}/", {"name": "Renamed", "attrs": [{"name": "os", "type": "string"}]})
    api.delete(f"{URL}{gone.pk}/")
    make_entity("New")

    def listed(**query: Any) -> list[tuple[str, list[str]]]:
        body = api.get(URL, query).json()
        assert body["count"] == len(body["results"])
        return [(each["name"], [attr["name"] for attr in each["attrs"]]) for each in body["results"]]

    assert listed(at=before) == []
    assert listed(at=then) == [("Kept", ["ram"]), ("Gone", [])]
    assert listed(at=between()) == [("Renamed", ["ram", "os"]), ("New", [])]
    assert listed(at=between(), is_active="false") == [("Gone", [])]
    assert len(listed(at=between(), is_active="all")) == 3
    assert len(api.get(URL, {"at": then, "limit": 1}).json()["results"]) == 1


def test_what_was_not_made_yet_or_can_t_be_answered_is_refused(api: Any, make_entity: Any) -> None:
    before = between()
    one = f"{URL}{make_entity('Host').pk}/"
    assert api.get(one, {"at": before}).status_code == 404
    later = f"{timezone.now().year + 1}-01-01T00:00:00Z"
    for path, query in (
        (one, {"at": "yesterday"}),
        (one, {"at": later}),
        (URL, {"at": later}),
        (URL, {"at": before, "search": "o"}),
        (URL, {"at": before, "is_active": "yes"}),
    ):
        assert api.get(path, query).status_code == 400, query
    for method in ("patch", "put", "delete"):
        assert getattr(api, method)(f"{one}?at={before}").status_code == 400, method


def test_the_rights_are_those_of_now(api: Any, make_entity: Any) -> None:
    host = make_entity("Host", ram="number", secret="string")
    one, then = f"{URL}{host.pk}/", between()
    EntityAttr.objects.filter(name="secret").update(default_permission=Level.NOTHING)
    shown = api.get(one, {"at": then}).json()
    assert [attr["name"] for attr in shown["attrs"]] == ["ram"]
    host.default_permission = Level.NOTHING
    host.save()
    assert api.get(one, {"at": then}).status_code == 404


@pytest.mark.bounds
@pytest.mark.parametrize("many", [1, 20])
def test_queries_do_not_grow(api: Any, make_entity: Callable[..., Any], many: int) -> None:
    for number in range(many):
        made = make_entity(f"E{number}", ram="number", peer="object")
        api.patch(f"{URL}{made.pk}/", {"note": "x", "attrs": [{"name": "os", "type": "string"}]})
    with CaptureQueriesContext(connection) as captured:
        assert len(api.get(URL, {"at": between()}).json()["results"]) == many
    assert len(captured) <= 10
