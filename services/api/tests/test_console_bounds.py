"""Each page of the console asks the database a bounded number of times, however much there is to show."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import resolve
from pydantic import BaseModel

from pagoda.domain.entity.models import Entity
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import Level, Role, User
from pagoda.jobs import operations, store
from pagoda.jobs.testing import plugin_tasks, recording_publisher
from pagoda.watching.presence import LivingProcess, renew
from pagoda_api.console.urls import urlpatterns
from pagoda_api.resources.entities import EntitySerializer
from pagoda_api.resources.job_representation import JobSerializer
from pagoda_api.testing.host import browser_of
from pagoda_plugin_sdk import Plugin
from pagoda_plugin_sdk.tasks import plugin_task

pytestmark = pytest.mark.django_db

FEW, MANY = 2, 25

BOUNDS: Mapping[str, int] = {
    "": 24,
    "me/": 6,
    "access/?kind=entry&thing={entry}&user=root": 16,
    "accounts/role/": 8,
    "accounts/role/new/": 3,
    "accounts/role/{role}/": 7,
    "search/?q=a": 10,
    "entities/": 7,
    "entities/{entity}/": 12,
    "entities/new/": 3,
    "entities/{entity}/edit/": 5,
    "entities/{entity}/delete/": 10,
    "entities/{entity}/history/": 11,
    "audit/": 4,
    "entities/{entity}/new/": 6,
    "entities/{entity}/attributes/": 8,
    "entities/{entity}/attributes/new/": 6,
    "entities/{entity}/attributes/{attr}/": 6,
    "entities/{entity}/attributes/{attr}/remove/": 24,
    "entities/{entity}/views/": 7,
    "entities/{entity}/import/": 6,
    "entries/{entry}/": 19,
    "entries/{entry}/history/": 12,
    "entries/{entry}/edit/": 8,
    "entries/{entry}/delete/": 5,
    "suggestions/?type=object&of=x&x=rack": 6,
    "jobs/": 5,
    "jobs/{job}/": 6,
    "requests/one/": 5,
    "jobs/{job}/live/": 6,
    "plugins/": 14,
    "hooks/": 3,
    "plugins/shop-of-test/": 16,
    "tasks/shop-of-test/order/": 3,
    "plugins/shop-of-test/settings/": 3,
}
"""``{path below /console/: statements at most}`` of each page that takes a GET, session and user included."""

OPEN = {"console-login", "console-language"}
"""For who is not logged in; Django's own."""


class OrderParams(BaseModel):
    size: int = 1


@plugin_task(0, params_model=OrderParams, target="entry")
def order(job: Any) -> None: ...


class Shop(Plugin):
    id = name = "shop-of-test"
    version = "1.0.0"


@pytest.fixture
def root(make_user: Any) -> User:
    user: User = make_user("root", is_superuser=True)
    return user


@pytest.fixture
def fill(
    register: Callable[[Any], Any], root: User, make_user: Any, make_entity: Any, make_entry: Any
) -> Iterator[Callable[[int], dict[str, Any]]]:
    """Make so many of everything, and return what stands in the paths of pages."""
    register(Shop())

    def filled(size: int) -> dict[str, Any]:
        kinds = {f"link{size}": "array_object", f"one{size}": "object", f"text{size}": "text"}
        kinds |= {f"value{size}-{number}": "string" for number in range(size)}
        entity = make_entity(f"Rack {size}", **kinds)
        for number in range(size):
            make_entity(f"Other {size} {number}", text="string")
            register(type("More", (Plugin,), {"id": f"more-{size}-{number}", "name": f"More {number}"})())
            user = make_user(f"user{size}-{number}")
            role = Role.objects.create(name=f"role{size}-{number}")
            role.users.add(user, root)
            group = Group.objects.create(name=f"group{size}-{number}")
            group.user_set.add(user, root)
            role.groups.add(group)
            renew(LivingProcess(service="dispatcher"))
        first = make_entry(entity, f"rack {size}")
        for number in range(size):
            links = {f"link{size}": [first.pk], f"one{size}": first.pk, f"value{size}-0": f"v{number}"}
            other = make_entry(entity, f"rack {size}-{number}", **links)
            first.set_attrs(user=None, **{f"one{size}": other.pk, f"text{size}": f"t{number}"})
        jobs = [
            store.submit(
                store.JobRequest(
                    operation=operations.resolve_name("shop-of-test", "order"), user=root, target=first
                )
            )
            for _ in range(size)
        ]
        for number in range(size):
            jobs[0].logs.create(level="INFO", message=f"line {number}", attempt=1)
        return {
            "entity": entity.pk,
            "attr": entity.attrs.first().pk,
            "entry": first.pk,
            "job": jobs[0].pk,
            "role": role.pk,
        }

    with recording_publisher(), plugin_tasks("shop-of-test", [order]):
        yield filled


def asked(browser: Client, path: str) -> int:
    """Return how many statements a page takes that was shown before: caches are filled."""
    with CaptureQueriesContext(connection) as captured:
        answer = browser.get(path)
    assert answer.status_code == 200, path
    return len(captured)


def test_no_page_asks_more_often_where_there_is_more(
    root: User, fill: Callable[[int], dict[str, Any]]
) -> None:
    browser = browser_of(root)
    taken: dict[str, list[int]] = {name: [] for name in BOUNDS}
    for size in (FEW, MANY):
        made = fill(size)
        for name in BOUNDS:
            path = f"/console/{name.format(**made)}"
            browser.get(path)
            taken[name].append(asked(browser, path))
    assert {name: counts for name, counts in taken.items() if counts[1] > counts[0]} == {}
    assert {name: counts for name, counts in taken.items() if max(counts) > BOUNDS[name]} == {}


ROLES = 50
OF_GRANTS = 2
"""Statements more than for a superuser, who is asked for no grants."""


def test_no_page_asks_more_often_for_who_has_fifty_roles(
    make_user: Any, fill: Callable[[int], dict[str, Any]]
) -> None:
    plain = make_user("plain")
    taken: dict[str, list[int]] = {name: [] for name in BOUNDS}
    for size in (FEW, MANY):
        made = fill(size)
        Entity.objects.filter(pk=made["entity"]).update(default_permission=Level.NOTHING)
        entity, entry = Entity.objects.get(pk=made["entity"]), Entry.objects.get(pk=made["entry"])
        for number in range(len(plain.roles.all()), size * ROLES // MANY):
            role = Role.objects.create(name=f"of plain {number}")
            role.users.add(plain)
            role.permissions.create(entity=entity, level=Level.FULL)
            role.permissions.create(entry=entry, level=Level.FULL)
        browser = browser_of(User.objects.get(pk=plain.pk))
        for name in BOUNDS:
            path = f"/console/{name.format(**made)}"
            if browser.get(path).status_code == 200:
                taken[name].append(asked(browser, path))
    assert plain.roles.count() == ROLES
    seen = {name: counts for name, counts in taken.items() if len(counts) == 2}
    assert len(seen) > 20
    assert {name: counts for name, counts in seen.items() if counts[1] > counts[0]} == {}
    assert {name: counts for name, counts in seen.items() if max(counts) > BOUNDS[name] + OF_GRANTS} == {}


def test_every_page_that_takes_a_get_has_a_bound(root: User, fill: Callable[[int], dict[str, Any]]) -> None:
    made, browser = fill(FEW), browser_of(root)
    bound = {resolve(f"/console/{name.partition('?')[0].format(**made)}").url_name for name in BOUNDS}
    beside = {
        str(each.name): sample_of(each.pattern) for each in urlpatterns if each.name not in bound | OPEN
    }
    statuses = {name: browser.get(path).status_code for name, path in beside.items()}
    assert set(statuses.values()) == {405}, statuses


def sample_of(pattern: object) -> str:
    """Return a path that a pattern takes."""
    route = re.sub(r"<int:\w+>|\(\?P<\w+>\[0-9\]\+\)", "1", str(pattern).strip("^$"))
    named = r"<(?:str|path):\w+>|\(\?P<\w+>(\w+)[^)]*\)"
    return f"/console/{re.sub(named, lambda found: found[1] or 'x', route)}"


@pytest.mark.parametrize(
    ("path", "serializer"), [("jobs/?limit=50", JobSerializer), ("entities/?limit=50", EntitySerializer)]
)
def test_one_serializer_serves_all_rows_of_a_list(
    root: User,
    fill: Callable[[int], dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    serializer: type[Any],
) -> None:
    """Making its fields takes longer than all else that a row takes."""
    made, make = list[Any](), serializer.get_fields

    def noted(each: Any) -> Any:
        made.append(each)
        return make(each)

    monkeypatch.setattr(serializer, "get_fields", noted)
    fill(MANY)
    answer = browser_of(root).get(f"/api/v2/{path}")
    assert len(answer.json()["results"]) >= MANY
    assert len(made) == 1
