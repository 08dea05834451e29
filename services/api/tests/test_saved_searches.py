"""Searches that are saved, shared and run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pagoda.audit.models import AuditEvent
from pagoda.domain.entry.models import Entry
from pagoda.domain.search import saving
from pagoda.domain.search.models import SavedSearch
from pagoda.domain.user.models import Level

pytestmark = pytest.mark.django_db

URL = "/api/v2/search/saved/"
BIG = {"entities": ["Host"], "where": {"field": "attr.ram", "op": "gte", "value": 64}, "ordering": "name"}


@pytest.fixture
def hosts(make_entity: Callable[..., Any], make_entry: Callable[..., Any]) -> Any:
    host = make_entity("Host", ram="number")
    for number, name in enumerate(("a", "b", "c")):
        make_entry(host, name, ram=32 + 32 * number)
    return host


@pytest.fixture
def eve(client_of: Callable[..., Any], make_user: Callable[..., Any]) -> Any:
    return client_of(make_user("eve"))


def saved(api: Any, **fields: Any) -> Any:
    response = api.post(URL, {"name": "big", "search": BIG, **fields})
    assert response.status_code == 201, response.json()
    return response.json()


def names(response: Any) -> list[str]:
    assert response.status_code == 200, response.json()
    return [entry["name"] for entry in response.json()["results"]]


def test_a_search_is_saved_run_replaced_and_deleted(api: Any, ann: Any, hosts: Any) -> None:
    made = saved(api)
    one = f"{URL}{made['id']}/"
    assert (made["name"], made["is_shared"], made["search"]) == ("big", False, BIG)
    assert made["user"] == {"id": ann.pk, "username": "ann"}
    assert api.get(one).json() == made
    assert api.get(URL).json()["results"] == [made]
    assert names(api.post(f"{one}run/")) == ["b", "c"]
    first = api.post(f"{one}run/", {"limit": 1})
    assert names(first) == ["b"]
    assert names(api.post(f"{one}run/", {"limit": 1, "cursor": first.json()["next"]})) == ["c"]
    replaced = api.put(one, {"name": "words", "search": {"text": "a"}})
    assert (replaced.status_code, replaced.json()["search"]) == (200, {"text": "a"})
    assert names(api.post(f"{one}run/")) == ["a"]
    assert api.delete(one).status_code == 204
    assert api.get(one).status_code == 404
    events = AuditEvent.objects.filter(subject_type="search").order_by("pk")
    told = list(events.values_list("action", "subject", "actor"))
    assert told == [
        ("search.saved", "big", "ann"),
        ("search.saved", "words", "ann"),
        ("search.deleted", "words", "ann"),
    ]


def test_others_see_what_is_shared_and_run_it_with_their_own_rights(
    api: Any, hosts: Any, eve: Any, superuser_api: Any, anonymous: Any
) -> None:
    own, shared = saved(api), saved(api, name="for all", is_shared=True)
    assert [each["name"] for each in eve.get(URL).json()["results"]] == ["for all"]
    for method, path in (("get", ""), ("post", "run/"), ("delete", "")):
        assert getattr(eve, method)(f"{URL}{own['id']}/{path}").status_code == 404
    one = f"{URL}{shared['id']}/"
    assert names(eve.post(f"{one}run/")) == ["b", "c"]
    Entry.objects.filter(name="b").update(default_permission=Level.NOTHING)
    assert names(eve.post(f"{one}run/")) == ["c"]
    hosts.attrs.update(default_permission=Level.NOTHING)
    assert eve.post(f"{one}run/").status_code == 400  # the attribute is unknown to them
    assert eve.put(one, {"name": "x", "search": {}}).status_code == 403
    assert eve.delete(one).status_code == 403
    assert SavedSearch.objects.get(pk=shared["id"]).name == "for all"
    assert anonymous.get(URL).status_code == anonymous.post(f"{one}run/").status_code == 401
    assert superuser_api.delete(one).status_code == 204


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ({"search": BIG}, "name"),
        ({"name": "", "search": BIG}, "name"),
        ({"name": "a\u0007b", "search": BIG}, "name"),
        ({"name": "x"}, "search"),
        ({"name": "x", "search": {"limit": 5}}, "limit"),
        ({"name": "x", "search": {"entities": ["Hots"]}}, "entities"),
        ({"name": "x", "search": {"where": {"field": "attr.rum", "value": 1}}}, "where"),
        ({"name": "x", "search": {"where": {"field": "name", "value": "a\0"}}}, "where|search"),
        ({"name": "x", "search": {"ordering": "rum"}}, "ordering"),
        ({"name": "x", "search": {}, "shared": True}, "shared"),
    ],
)
def test_what_can_t_be_searched_for_is_not_saved(api: Any, hosts: Any, body: Any, key: str) -> None:
    response = api.post(URL, body)
    assert response.status_code == 400
    assert any(each in str(response.json()["errors"]) for each in key.split("|")), response.json()
    assert not SavedSearch.objects.exists()


def test_names_and_numbers_are_bounded(
    api: Any, hosts: Any, eve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = saved(api, name="other")
    saved(api)
    saved(eve)
    conflict = api.post(URL, {"name": "big", "search": {}})
    assert (conflict.status_code, conflict.json()["code"]) == (409, "conflict")
    assert api.put(f"{URL}{other['id']}/", {"name": "big", "search": {}}).status_code == 409
    monkeypatch.setattr(saving, "MAX_SAVED", 2)
    refused = api.post(URL, {"name": "third", "search": {}})
    assert (refused.status_code, SavedSearch.objects.count()) == (400, 3)


def test_two_who_replace_one_overwrite_nothing(api: Any, hosts: Any) -> None:
    one = f"{URL}{saved(api)['id']}/"
    seen = api.get(one)
    tag = {"If-Match": seen["ETag"]}
    assert api.get(one, headers={"If-None-Match": seen["ETag"]}).status_code == 304
    first = api.put(one, {"name": "mine", "search": {"text": "a"}}, headers=tag)
    assert (first.status_code, first["ETag"]) == (200, api.get(one)["ETag"])
    for late in (
        api.put(one, {"name": "yours", "search": {}}, headers=tag),
        api.delete(one, headers=tag),
    ):
        assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
    assert api.get(one).json()["name"] == "mine"
    assert api.delete(one, headers={"If-Match": first["ETag"]}).status_code == 204


def test_a_misspelt_parameter_of_the_list_is_refused(api: Any) -> None:
    assert [*api.get(f"{URL}?limt=5").json()["errors"]] == ["limt"]


@pytest.mark.bounds
def test_a_list_takes_few_queries(api: Any, hosts: Any, django_assert_max_num_queries: Any) -> None:
    for number in range(30):
        saved(api, name=f"s{number}", is_shared=True)
    with django_assert_max_num_queries(4):  # the count, the page, the names of entities and of attributes
        assert len(api.get(URL).json()["results"]) == 30
