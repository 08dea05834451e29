"""How many queries a request may take, whatever the number of entries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from django.contrib.auth.models import Group

from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.models import Entry
from pagoda.domain.entry.services import create_entries
from pagoda.domain.user.models import GroupNesting, Level, Role
from tools.examples import examples
from tools.kept_rows import made_once

pytestmark = [pytest.mark.django_db, pytest.mark.bounds]

URL = "/api/v2/entries/"
MaxQueries = Callable[[int], Any]


ROLES, GROUPS = 50, 20


def hold_by_nested_groups(user: Any) -> Group:
    """Give all roles to groups, each nested in the next one; return the first, which the user is in."""
    groups = [Group.objects.create(name=f"group {number}") for number in range(GROUPS)]
    for group, parent in pairwise(groups):
        GroupNesting.objects.create(group=group, parent=parent)
    for number, role in enumerate(Role.objects.order_by("-pk")):
        role.users.clear()
        role.groups.add(groups[number % GROUPS])
    user.groups.add(groups[0])
    return groups[0]


@dataclass(frozen=True)
class Rows:
    """Entities with entries of 5 attributes; all rights of the user come from roles of groups."""

    host: Entity
    entries: list[Entry]
    attrs: dict[str, Any]


class Site:
    """The rows, and a client of their user."""

    def __init__(self, api: Any, rows: Rows) -> None:
        self.api = api
        self.host, self.entries, self.attrs = rows.host, rows.entries, rows.attrs
        api.get(f"{URL}{self.entries[0].pk}/")  # tokens and attributes are kept from the first request on


def make_rows(count: int, ann: Any, grant: Callable[..., Any], make_entry: Callable[..., Any]) -> Rows:
    rack = Entity.objects.create_entity(user=None, name="Rack")
    given: list[dict[str, Any]] = [
        {"name": "address", "type": "string", "is_mandatory": True},
        {"name": "count", "type": "number"},
        {"name": "rack", "type": "object", "referral": ["Rack"]},
        {"name": "team", "type": "group"},
        {"name": "owners", "type": "array_role"},
    ]
    host = Entity.objects.create_entity(user=None, name="Host", attrs=given)
    Entity.objects.update(default_permission=Level.NOTHING)
    EntityAttr.objects.update(default_permission=Level.NOTHING)
    for entity in (rack, host):
        grant(ann, Level.FULL, entity=entity)
    for attr in EntityAttr.objects.all():
        grant(ann, Level.FULL, attr=attr)
    while Role.objects.count() < ROLES:
        grant(ann, Level.READABLE, entity=host)
    group = hold_by_nested_groups(ann)
    attrs = {
        "address": "10.0.0.1",
        "count": 4,
        "rack": make_entry(rack, "r1").pk,
        "team": group.pk,
        "owners": [Role.objects.all()[0].pk],
    }
    entries = create_entries(
        None, host, [{"name": f"host {number}", "attrs": attrs} for number in range(count)]
    )
    return Rows(host, entries, attrs)


@pytest.fixture(params=[10, examples(1000, quick=150)])
def site(
    request: pytest.FixtureRequest,
    ann: Any,
    client_of: Callable[..., Any],
    grant: Callable[..., Any],
    make_entry: Callable[..., Any],
) -> Site:
    rows = made_once(make_rows, request.param, ann, grant, make_entry)
    return Site(client_of(ann), rows)


def test_showing_an_entry_takes_2_queries(site: Site, django_assert_max_num_queries: MaxQueries) -> None:
    assert (Role.objects.count(), site.host.permissions.count()) == (ROLES, ROLES - 6)
    with django_assert_max_num_queries(2):
        response = site.api.get(f"{URL}{site.entries[0].pk}/")

    assert response.status_code == 200
    assert len(response.json()["attrs"]) == 5


def test_a_page_of_100_takes_3_queries(site: Site, django_assert_max_num_queries: MaxQueries) -> None:
    with django_assert_max_num_queries(3):
        response = site.api.get(URL, {"entity": "Host", "search": "host", "limit": 100})

    body = response.json()
    assert response.status_code == 200
    assert body["count"] == len(site.entries)
    assert len(body["results"]) == min(100, len(site.entries))
    assert all(len(entry["attrs"]) == 5 for entry in body["results"])
    assert {attr["name"]: attr["value"] for attr in body["results"][-1]["attrs"]}["rack"]["name"] == "r1"


@pytest.mark.parametrize("asked", [{"ordering": "-name"}, {"name__startswith": "host"}, {"attr.count": "4"}])
def test_a_search_tells_the_database_which_entity_it_is_of(
    site: Site, asked: dict[str, str], django_assert_max_num_queries: MaxQueries
) -> None:
    with django_assert_max_num_queries(7) as queries:
        response = site.api.get(URL, {"entity": "Host", **asked})

    assert response.json()["count"] == len(site.entries), response.json()
    of_entries = [each["sql"] for each in queries.captured_queries if 'FROM "entry_entry"' in each["sql"]]
    assert len(of_entries) >= 2  # the count and the page
    assert not any('FROM "entity_entity" U0' in each for each in of_entries)


def test_creating_an_entry_takes_9_queries(site: Site, django_assert_max_num_queries: MaxQueries) -> None:
    with django_assert_max_num_queries(9):
        response = site.api.post(URL, {"name": "new", "schema": "Host", "attrs": site.attrs})

    assert response.status_code == 201, response.json()


def test_changing_one_attribute_takes_8_queries_and_a_reference_one_more(
    site: Site, ann: Any, django_assert_max_num_queries: MaxQueries, make_entry: Callable[..., Any]
) -> None:
    url = f"{URL}{site.entries[0].pk}/"
    ann.groups.add(team := Group.objects.create(name="others"))
    ann.roles.add(role := Role.objects.create(name="another"))
    changed = {
        "address": "10.0.0.2",
        "count": 5,
        "rack": make_entry(Entity.objects.get(name="Rack"), "r2").pk,
        "team": team.pk,
        "owners": [role.pk],
    }

    for name, value in changed.items():
        with django_assert_max_num_queries(8 if name in ("address", "count") else 9):
            response = site.api.patch(url, {"attrs": {name: value}})

        assert response.status_code == 200, response.json()
        assert site.api.get(url).json()["attrs"] == response.json()["attrs"]
