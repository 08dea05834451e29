"""A value goes back to an earlier version, as a change that sends what the history shows of it."""

from __future__ import annotations

from typing import Any

import pytest

from pagoda.audit.models import AuditEvent
from pagoda.domain.entity import services as entities
from pagoda.domain.entry.models import AttributeValue
from pagoda.domain.user.models import Level

pytestmark = pytest.mark.django_db


def url(entry: Any, path: str = "revert/") -> str:
    return f"/api/v2/entries/{entry.pk}/{path}"


def first_version(entry: Any, name: str) -> int:
    versions = AttributeValue.objects.filter(parent_entry=entry, parent_attr__name=name)
    return versions.order_by("id").values_list("pk", flat=True)[0]


def values(body: Any) -> dict[str, Any]:
    return {each["name"]: each["value"] for each in body["attrs"]}


EARLIER_AND_LATER: list[tuple[str, Any, Any]] = [
    ("string", "a", "b"),
    ("text", "a\nb", "c"),
    ("number", 1, 2.5),
    ("boolean", True, False),
    ("date", "2020-02-29", None),
    ("datetime", "2020-02-29T12:00:00Z", "2021-01-01T00:00:00Z"),
    ("array_string", ["a", "b"], []),
    ("array_number", [1, 2], [3]),
]


@pytest.mark.parametrize(("attr_type", "earlier", "later"), EARLIER_AND_LATER)
def test_a_value_of_each_type_goes_back(
    api: Any, make_entity: Any, make_entry: Any, attr_type: str, earlier: Any, later: Any
) -> None:
    entry = make_entry(make_entity("Host", it=attr_type, other="string"), "web", it=earlier, other="stays")
    before = values(api.get(url(entry, "")).json())
    assert api.patch(url(entry, ""), {"attrs": {"it": later}}).status_code == 200

    answer = api.post(url(entry), {"version": first_version(entry, "it")})

    assert (answer.status_code, values(answer.json())) == (200, before)
    assert values(api.get(url(entry, "")).json()) == before
    history = [
        each
        for each in api.get(url(entry, "history/")).json()["results"]
        if each["kind"] == "value" and each["attr"]["name"] == "it"
    ]
    assert [each["is_latest"] for each in history] == [True, False, False]
    assert history[0]["value"] == history[2]["value"] == before["it"]
    assert AuditEvent.objects.filter(action="entry.updated", subject_id=str(entry.pk)).count() == 2


def test_references_go_back_and_what_is_deleted_is_refused(
    api: Any, make_entity: Any, make_entry: Any
) -> None:
    rack = make_entity("Rack")
    one, two = make_entry(rack, "r1"), make_entry(rack, "r2")
    host = make_entity("Host", one="object", many="array_object", named="named_object")
    named = {"name": "left", "object": one.pk}
    entry = make_entry(host, "web", one=one.pk, many=[two.pk, one.pk], named=named)
    before = values(api.get(url(entry, "")).json())
    later = {"one": two.pk, "many": [], "named": {"name": "right", "object": two.pk}}
    api.patch(url(entry, ""), {"attrs": later})

    for name in later:
        assert api.post(url(entry), {"version": first_version(entry, name)}).status_code == 200
    assert values(api.get(url(entry, "")).json()) == before

    api.patch(url(entry, ""), {"attrs": later})
    one.delete()
    refused = api.post(url(entry), {"version": first_version(entry, "one")})
    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["one"])
    assert values(api.get(url(entry, "")).json())["one"]["id"] == two.pk


def test_references_that_one_may_not_see_are_neither_put_back_nor_taken(
    api: Any, make_entity: Any, make_entry: Any
) -> None:
    rack = make_entity("Rack")
    hidden, other, shown = (make_entry(rack, name) for name in ("h", "o", "s"))
    for each in (hidden, other):
        type(each).objects.filter(pk=each.pk).update(default_permission=Level.NOTHING)
    entry = make_entry(make_entity("Host", many="array_object"), "web", many=[hidden.pk, shown.pk])
    entry.set_attrs(None, many=[other.pk])

    answer = api.post(url(entry), {"version": first_version(entry, "many")})

    assert [each["name"] for each in values(answer.json())["many"]] == ["s"]
    assert {each["name"] for each in entry.get_attrs()["many"]} == {"o", "s"}


def test_the_version_that_is_the_latest_changes_nothing(api: Any, web: Any) -> None:
    assert api.post(url(web), {"version": first_version(web, "address")}).status_code == 200
    assert AttributeValue.objects.filter(parent_entry=web).count() == 1
    assert not AuditEvent.objects.filter(action="entry.updated").exists()


def test_it_holds_for_what_was_seen_alone(api: Any, web: Any) -> None:
    version, seen = first_version(web, "address"), api.get(url(web, ""))["ETag"]
    now = api.patch(url(web, ""), {"attrs": {"address": "10.0.0.2"}})["ETag"]
    late = api.post(url(web), {"version": version}, headers={"If-Match": seen})
    assert (late.status_code, web.get_attrs()["address"]) == (412, "10.0.0.2")
    done = api.post(url(web), {"version": version}, headers={"If-Match": now})
    assert (done.status_code, done["ETag"]) == (200, api.get(url(web, ""))["ETag"])


@pytest.mark.parametrize(
    "body", [{}, {"version": "x"}, {"version": 0}, {"version": 2**63}, {"version": None}]
)
def test_what_is_no_version_is_refused(api: Any, web: Any, nothing_is_written: None, body: Any) -> None:
    refused = api.post(url(web), body)
    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["version"])


def test_a_version_of_another_entry_or_of_a_removed_attribute_is_refused(
    api: Any, web: Any, make_entry: Any
) -> None:
    version = first_version(web, "address")
    other = make_entry(web.schema, "other", address="10.0.0.9")
    refused = api.post(url(other), {"version": version})
    assert (refused.status_code, f"no version {version}" in refused.json()["detail"]) == (400, True)

    entities.remove_attribute(web.schema.attrs.get(name="address"), None)
    removed = api.post(url(web), {"version": version})
    assert (removed.status_code, "'address', which was removed" in removed.json()["detail"]) == (400, True)


def test_rights_are_those_of_a_change(api: Any, web: Any) -> None:
    version = first_version(web, "address")
    api.patch(url(web, ""), {"attrs": {"address": "10.0.0.2"}})
    attrs = web.schema.attrs.filter(name="address")

    attrs.update(default_permission=Level.READABLE)
    assert api.post(url(web), {"version": version}).status_code == 403
    attrs.update(default_permission=Level.NOTHING)
    unseen, unknown = api.post(url(web), {"version": version}), api.post(url(web), {"version": version + 999})
    assert unseen.status_code == unknown.status_code == 400
    assert unseen.json()["detail"].replace(str(version), "") == unknown.json()["detail"].replace(
        str(version + 999), ""
    )
    type(web).objects.filter(pk=web.pk).update(default_permission=Level.NOTHING)
    assert api.post(url(web), {"version": version}).status_code == 404
    assert web.get_attrs()["address"] == "10.0.0.2"


def test_queries_are_counted(api: Any, web: Any, django_assert_max_num_queries: Any) -> None:
    version = first_version(web, "address")
    api.patch(url(web, ""), {"attrs": {"address": "10.0.0.2"}})
    with django_assert_max_num_queries(11):
        assert api.post(url(web), {"version": version}).status_code == 200
