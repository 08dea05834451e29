"""`?at=` shows entries as they were, by the rights of now; an entry goes back to a time as by a change."""

from __future__ import annotations

from datetime import datetime, timedelta
from time import sleep
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from pagoda.audit.models import AuditEvent
from pagoda.domain.entity import services as entities
from pagoda.domain.entity.models import EntityAttr
from pagoda.domain.entry.models import Entry
from pagoda.domain.search.counting import Count
from pagoda.domain.user.models import Level
from pagoda_api.resources import entries as entry_resource

pytestmark = pytest.mark.django_db
URL = "/api/v2/entries/"


def now() -> str:
    """Return a moment that lies between what was done before and what is done next."""
    sleep(0.002)  # SQLite's own clock has milliseconds
    moment = timezone.now().isoformat().replace("+00:00", "Z")
    sleep(0.002)
    return moment


def read(api: Any, entry: Entry, at: str = "") -> dict[str, Any]:
    answer = api.get(f"{URL}{entry.pk}/", {"at": at} if at else {})
    assert answer.status_code == 200, answer.json()
    body: dict[str, Any] = answer.json()
    return body


def values(body: dict[str, Any]) -> dict[str, Any]:
    return {each["name"]: each["value"] for each in body["attrs"]}


def listed(api: Any, **query: Any) -> list[str]:
    answer = api.get(URL, query)
    assert answer.status_code == 200, answer.json()
    assert answer.json()["count"] == len(answer.json()["results"])
    return [each["name"] for each in answer.json()["results"]]


def test_an_entry_is_shown_as_it_was_after_each_change(api: Any, web: Any) -> None:
    path, shown = f"{URL}{web.pk}/", []
    before = (timezone.now() - timedelta(days=1)).isoformat()
    steps: list[tuple[str, str, Any]] = [
        ("patch", path, {"attrs": {"address": "10.0.0.2", "count": 4}}),
        ("patch", path, {"name": "www", "note": "n"}),
        ("patch", path, {"name": "web2", "attrs": {"address": None}}),
        ("delete", path, None),
        ("post", f"{path}restore/", None),
        ("patch", path, {"attrs": {"count": 5}}),
    ]
    shown.append((now(), read(api, web)))
    for method, url, body in steps:
        assert getattr(api, method)(url, body).status_code in (200, 204)
        shown.append((now(), read(api, web)))

    for at, body in shown:
        then = read(api, web, at)
        assert then | {"updated_time": ""} == body | {"updated_time": ""}, at
        assert then["updated_time"] <= at
    assert [body["is_active"] for _, body in shown] == [True, True, True, True, False, True, True]
    missing = api.get(path, {"at": before})
    assert missing.status_code == 404
    assert f"entry of {before}" in missing.json()["detail"]


def test_a_list_has_what_was_there(api: Any, make_entity: Any, make_entry: Any) -> None:
    host, rack = make_entity("Host", address="string"), make_entity("Rack")
    first = now()
    one, two = make_entry(host, "one", address="a"), make_entry(rack, "two")
    second = now()
    api.patch(f"{URL}{one.pk}/", {"name": "uno"})
    api.delete(f"{URL}{two.pk}/")
    third = now()
    api.post(f"{URL}{two.pk}/restore/")
    make_entry(host, "three")

    assert listed(api, at=first) == []
    assert listed(api, at=second) == ["one", "two"]
    assert listed(api, at=third) == ["uno"]
    assert listed(api, at=third, is_active="false") == ["two"]
    assert listed(api, at=third, is_active="all") == ["uno", "two"]
    assert listed(api, at=second, entity="Host") == ["one"]
    assert listed(api, at=now()) == ["uno", "two", "three"]
    page = api.get(URL, {"at": second, "limit": 1}).json()
    assert (page["count"], [each["name"] for each in page["results"]]) == (2, ["one"])
    assert [each["name"] for each in api.get(page["next"]).json()["results"]] == ["two"]


def test_an_entity_is_found_by_the_name_that_it_had_or_has(
    api: Any, make_entity: Any, make_entry: Any
) -> None:
    host, rack = make_entity("Host"), make_entity("Rack")
    make_entry(host, "one")
    two = make_entry(rack, "two")
    then = now()
    assert api.patch(f"/api/v2/entities/{host.pk}/", {"name": "Server"}).status_code == 200
    make_entry(make_entity("Host"), "later")
    assert api.delete(f"{URL}{two.pk}/").status_code == 204
    assert api.delete(f"/api/v2/entities/{rack.pk}/").status_code == 204

    for entity in ("Host", "Server", host.pk):
        assert listed(api, at=then, entity=entity) == ["one"]
    for entity in ("Rack", rack.pk):
        assert listed(api, at=then, entity=entity) == ["two"]
    assert listed(api, at=now(), entity="Host") == ["later"]
    type(rack).objects.filter(pk=rack.pk).update(default_permission=Level.NOTHING)
    for entity in ("Rack", rack.pk, "Rak", "1.5"):
        answer = api.get(URL, {"at": then, "entity": entity})
        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["entity"])


def test_a_page_that_has_all_of_them_counts_them(api: Any, web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    estimated = Count(60_000, is_exact=False)  # as PostgreSQL may think of few
    monkeypatch.setattr(entry_resource, "count_rows", lambda rows: estimated)
    answer = api.get(URL, {"at": now()}).json()
    assert (answer["count"], answer["count_is_exact"]) == (1, True)


@pytest.mark.parametrize(
    "at", ["yesterday", "", "2020-13-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "2999-01-01"]
)
def test_a_bad_time_is_named(api: Any, web: Any, at: str) -> None:
    for path in (URL, f"{URL}{web.pk}/"):
        answer = api.get(path, {"at": at})
        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["at"])
    assert api.post(f"{URL}{web.pk}/revert/", {"at": at}).status_code == 400
    assert api.get(f"{URL}?at=2020-01-01T00:00:00Z&at=2020-01-01T00:00:00Z").status_code == 400


def test_a_plus_that_was_not_escaped_is_told(api: Any, web: Any) -> None:
    answer = api.get(f"{URL}?at=2020-01-01T00:00:00+02:00")
    assert answer.status_code == 400
    assert "%2B" in answer.json()["errors"]["at"][-1]
    assert api.get(f"{URL}?at=2020-01-01T00:00:00%2B02:00").status_code == 200


@pytest.mark.parametrize(
    "query", [{"search": "w"}, {"attr.address": "a"}, {"ordering": "name"}, {"cursor": ""}, {"nmae": 1}]
)
def test_what_can_not_be_answered_for_the_past_is_refused(api: Any, web: Any, query: dict[str, Any]) -> None:
    answer = api.get(URL, {"at": now(), "entity": "Host"} | query)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, list(query))


def test_a_schema_is_that_of_then_with_the_rights_of_now(
    api: Any, superuser_api: Any, make_entity: Any, make_entry: Any
) -> None:
    host = make_entity("Host", old="string", secret="string", renamed="number")
    web = make_entry(host, "web", old="a", secret="b", renamed=3)
    then = now()
    entities.remove_attribute(host.attrs.get(name="old"), None)
    entities.update_entity(
        host, None, attrs=[{"id": host.attrs.get(name="renamed").pk, "name": "name of now"}]
    )
    entities.update_entity(host, None, attrs=[{"name": "new", "type": "string"}])
    EntityAttr.objects.filter(name="secret").update(default_permission=Level.NOTHING)

    assert values(read(api, web, then)) == {"old": "a", "renamed": 3}
    assert values(read(superuser_api, web, then)) == {"old": "a", "secret": "b", "renamed": 3}
    assert values(read(api, web, now())) == {"name of now": 3, "new": None}
    Entry.objects.filter(pk=web.pk).update(default_permission=Level.NOTHING)
    assert api.get(f"{URL}{web.pk}/", {"at": then}).status_code == 404
    assert listed(api, at=then) == []


def test_a_reference_leads_to_what_was_there(api: Any, make_entity: Any, make_entry: Any) -> None:
    rack = make_entry(make_entity("Rack"), "r1")
    hidden = make_entry(make_entity("Vault"), "hidden")
    host = make_entity("Host", one="object", many="array_object", named="named_object")
    web = make_entry(
        host, "web", one=rack.pk, many=[rack.pk, hidden.pk], named={"name": "x", "object": rack.pk}
    )
    then = now()
    api.patch(f"{URL}{rack.pk}/", {"name": "r2"})
    api.delete(f"{URL}{rack.pk}/")
    Entry.objects.filter(pk=hidden.pk).update(default_permission=Level.NOTHING)

    shown = values(read(api, web, then))

    assert (shown["one"]["name"], [each["name"] for each in shown["many"]]) == ("r1", ["r1"])
    assert shown["named"]["object"]["name"] == "r1"
    assert values(read(api, web, now()))["one"] is None


def test_an_entry_goes_back_to_a_time_as_by_a_change(api: Any, web: Any) -> None:
    path = f"{URL}{web.pk}/"
    before, then = read(api, web), now()
    assert (
        api.patch(path, {"name": "www", "note": "n", "attrs": {"address": "b", "count": 2}}).status_code
        == 200
    )
    tag, events = api.get(path)["ETag"], AuditEvent.objects.filter(action="entry.updated").count()

    assert api.post(f"{path}revert/", {"at": then}, headers={"If-Match": '"other"'}).status_code == 412
    answer = api.post(f"{path}revert/", {"at": then}, headers={"If-Match": tag})

    assert answer.status_code == 200
    assert answer.json() | {"updated_time": ""} == before | {"updated_time": ""}
    assert AuditEvent.objects.filter(action="entry.updated").count() == events + 1
    assert read(api, web) == answer.json()


def test_going_back_is_refused_as_the_change_is(
    api: Any, make_entity: Any, make_entry: Any, superuser_api: Any
) -> None:
    host = make_entity("Host", address="string", gone="string", secret="string", to="object")
    rack = make_entry(make_entity("Rack"), "r1")
    early = now()
    web = make_entry(host, "web", address="a", gone="x", secret="s", to=rack.pk)
    path, then = f"{URL}{web.pk}/", now()
    api.patch(path, {"name": "www", "attrs": {"address": "b", "secret": "t"}})
    EntityAttr.objects.filter(name="secret").update(default_permission=Level.NOTHING)
    entities.remove_attribute(host.attrs.get(name="gone"), None)

    assert api.post(f"{path}revert/", {"at": early}).json()["errors"] == {
        "at": [f"Entry 'www' was not made yet at {datetime.fromisoformat(early).isoformat()}."]
    }
    for body in ({}, {"at": then, "version": 1}):
        assert api.post(f"{path}revert/", body).status_code == 400
    EntityAttr.objects.filter(name="address").update(default_permission=Level.READABLE)
    assert api.post(f"{path}revert/", {"at": then}).status_code == 403
    EntityAttr.objects.filter(name="address").update(default_permission=Level.FULL)
    make_entry(host, "web")
    assert api.post(f"{path}revert/", {"at": then}).status_code == 409
    Entry.objects.filter(schema=host).exclude(pk=web.pk).update(name="other")
    assert api.post(f"{path}revert/", {"at": then}).status_code == 200
    assert values(read(superuser_api, web)) == {
        "address": "a",
        "secret": "t",
        "to": read(api, web)["attrs"][1]["value"],
    }
    api.patch(path, {"attrs": {"to": None}})
    api.delete(f"{URL}{rack.pk}/")
    assert list(api.post(f"{path}revert/", {"at": then}).json()["errors"]) == ["to"]
    api.delete(path)
    deleted = now()
    assert api.post(f"{path}revert/", {"at": then}).status_code == 409
    api.post(f"{path}restore/")
    assert "was deleted" in api.post(f"{path}revert/", {"at": deleted}).json()["errors"]["at"][0]


@pytest.mark.parametrize("many", [1, 30])
def test_queries_of_the_past_do_not_grow(api: Any, make_entity: Any, make_entry: Any, many: int) -> None:
    rack = make_entry(make_entity("Rack"), "r1")
    host = make_entity("Host", address="string", to="object")
    for number in range(many):
        entry = make_entry(host, f"h{number}", address="a", to=rack.pk)
        api.patch(f"{URL}{entry.pk}/", {"name": f"x{number}", "attrs": {"address": "b"}})
    then = now()
    Entry.objects.update(note="later")
    with CaptureQueriesContext(connection) as captured:
        listed(api, at=then, entity="Host")
    assert len(captured) <= 20
