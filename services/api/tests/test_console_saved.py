"""Views of a table that are saved, opened again, shared and deleted."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from django.urls import reverse

from pagoda.domain.search.models import SavedSearch
from pagoda_api.testing.host import browser_of

pytestmark = pytest.mark.django_db

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def hosts(make_entity: Any, make_entry: Any) -> Any:
    host = make_entity("Host", ram="number", is_old="boolean", os="string")
    for number in range(4):
        make_entry(host, f"host {number}", ram=number, is_old=number > 1, os="debian")
    make_entry(host, "host a", os='a, "b"')
    return host


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"attr.ram": "2"}, ["host 2"]),
        ({"attr.is_old": "true", "ordering": "-name"}, ["host 3", "host 2"]),
        ({"search": "host 1", "attr.os__contains": "deb", "columns": ["os"]}, ["host 1"]),
        ({"attr.ram__in": "1,3", "attr.os__empty": "false"}, ["host 1", "host 3"]),
        ({"attr.os__in": '"a, ""b""",c', "columns": ["os"]}, ["host a"]),
        ({"attr.ram__gte": "1", "ordering": "attr.ram", "search": ""}, ["host 1", "host 2", "host 3"]),
    ],
)
def test_a_view_opens_the_table_as_it_was_saved(ann: Any, hosts: Any, query: Any, names: list[str]) -> None:
    browser, table = browser_of(ann), reverse("console-entity", args=[hosts.pk])
    saving = reverse("console-entity-views", args=[hosts.pk])
    shown = browser.get(f"{table}?{urlencode(query, doseq=True)}")
    assert [entry["name"] for entry, _ in shown.context["rows"]] == names
    browser.post(f"{saving}?{urlencode(query, doseq=True)}", {"name": EVIL})
    [(saved, kept)] = browser.get(saving).context["saved"]
    assert EVIL not in browser.get(saving).content.decode()
    again = browser.get(f"{table}?{kept}")
    assert [entry["name"] for entry, _ in again.context["rows"]] == names
    assert again.context["chosen"] == shown.context["chosen"]

    browser.post(reverse("console-view-delete", args=[hosts.pk, saved["id"]]))
    assert not SavedSearch.objects.exists()


def test_only_shared_views_are_seen_by_others_and_none_is_deleted_by_them(
    ann: Any, hosts: Any, make_user: Any, django_assert_max_num_queries: Any
) -> None:
    mine, bob = browser_of(ann), browser_of(make_user("bob"))
    url = reverse("console-entity-views", args=[hosts.pk])
    mine.post(url, {"name": "private"})
    mine.post(url, {"name": "open", "is_shared": "1"})
    with django_assert_max_num_queries(10):
        assert [each["name"] for each, _ in bob.get(url).context["saved"]] == ["open"]
    for saved in SavedSearch.objects.all():
        bob.post(reverse("console-view-delete", args=[hosts.pk, saved.pk]))
    assert SavedSearch.objects.count() == 2


def test_a_search_of_the_api_is_a_view_of_the_table(ann: Any, hosts: Any) -> None:
    test = {"field": "attr.ram", "op": "in", "value": [1, 3]}
    SavedSearch.objects.create(
        name="some", user=ann, search={"entities": [hosts.pk], "where": {"and": [test]}}
    )
    [(_, kept)] = browser_of(ann).get(reverse("console-entity-views", args=[hosts.pk])).context["saved"]
    assert kept == "attr.ram__in=1%2C3"


def test_what_can_t_be_saved_is_told(ann: Any, hosts: Any) -> None:
    url = reverse("console-entity-views", args=[hosts.pk])
    for query in ("attr.ram__gte=many", "&".join(["attr.ram=1"] * 101)):
        answer = browser_of(ann).post(f"{url}?{query}", {"name": "wrong"})
        assert answer.status_code == 400
        assert answer.context["faults"]
    assert not SavedSearch.objects.exists()
