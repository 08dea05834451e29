"""What a user may not read is not there for them: no byte of an answer tells what became of it.

A small world with drawn defaults and grants, a snapshot of what one user is answered, drawn changes of what
is hidden from that user, and the same snapshot again. The levels are worked out here, from what was drawn.

What can't be hidden, and is not compared:

- That a name is taken, where names are unique (ADR 15): hidden things get names that nobody sends.
- That hidden entries, or references from what is hidden, keep something from being deleted: an entity is not
  asked to be deleted by who sees none of its entries, and what a chain left is not looked at.
- That a hidden attribute is mandatory: none becomes so.
- How long queues are (`plugins/health/`): the load of the host, which tells of no object.
- Ids and times of what a request itself makes, as all draw ids from one sequence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random
from typing import Any, ClassVar, NamedTuple

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from hypothesis import HealthCheck, Phase, assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from pagoda.domain.acting import acting_as
from pagoda.domain.entity import services as entities
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry import services as entries
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import ApiToken, Level, Role, RolePermission, User, nest
from pagoda.jobs import operations, store
from pagoda.jobs.testing import plugin_tasks, recording_publisher
from pagoda_plugin_sdk.tasks import plugin_task
from tools.examples import examples

pytestmark = pytest.mark.django_db

SCHEMAS: dict[str, list[dict[str, Any]]] = {
    "Rack": [
        {"name": "place", "type": "string"},
        {"name": "units", "type": "number"},
        {"name": "holds", "type": "object", "is_delete_in_chain": True},
    ],
    "Host": [
        {"name": "state", "type": "select", "choices": ["open", "shut"]},
        {"name": "parts", "type": "array_object", "is_delete_in_chain": True},
        {"name": "team", "type": "group"},
    ],
    "Disk": [
        {"name": "keeper", "type": "role"},
        {"name": "near", "type": "array_named_object", "referral": ["Rack", "Host"]},
        {"name": "serial", "type": "string", "default_value": "none"},
    ],
}
NAMES = ("one", "two", "gone")
"""The entries of each entity; the last is deleted."""

WAYS = ("default", "role", "group", "nested")
LEVELS = st.sampled_from([Level.NOTHING, Level.READABLE, Level.WRITABLE, Level.FULL])
KINDS = {"entity": Entity, "attr": EntityAttr, "entry": Entry}

type Thing = tuple[str, str]  # its kind and its path, such as ("attr", "Host.team")

THINGS: list[Thing] = [
    *(("entity", name) for name in SCHEMAS),
    *(("attr", f"{name}.{attr['name']}") for name, attrs in SCHEMAS.items() for attr in attrs),
    *(("entry", f"{name}.{entry}") for name in SCHEMAS for entry in NAMES),
]


@plugin_task(0)
def restock(job: Any) -> None: ...


@dataclass
class World:
    """What the host made, and what `user` was given."""

    user: User
    other: User
    others: Role  # that the user does not hold
    session: str
    rows: dict[Thing, Any] = field(default_factory=dict)  # Any: a row of one of the models
    levels: dict[Thing, int] = field(default_factory=dict)
    jobs: list[int] = field(default_factory=list)

    def level(self, thing: Thing) -> int:
        """Return the level that `user` has."""
        kind, path = thing
        own = self.levels[thing]
        return own if kind == "entity" else min(own, self.levels["entity", path.partition(".")[0]])

    def hidden(self) -> list[Thing]:
        return [thing for thing in self.rows if self.level(thing) < Level.READABLE]

    def job(self, user: User, **target: Any) -> None:
        operation = operations.resolve_name("shop", "restock")
        request = store.JobRequest(operation=operation, user=user, text="stock", **target)
        self.jobs.append(store.submit(request).pk)


def make_world(grants: dict[Thing, tuple[str, int]], rights: list[str]) -> World:
    user, other = (User.objects.create(username=name, is_staff=True) for name in ("ann", "bob"))
    client = APIClient(raise_request_exception=False)
    client.force_login(user)
    others = Role.objects.create(name="of others")
    others.users.add(other)
    world = World(user, other, others, client.cookies[settings.SESSION_COOKIE_NAME].value)
    inner, outer = (Group.objects.create(name=name) for name in ("inner", "outer"))
    nest(inner, outer)
    user.groups.add(inner)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    roles = {way: Role.objects.create(name=f"by {way}") for way in WAYS}
    roles["role"].users.add(user)
    roles["group"].groups.add(inner)
    roles["nested"].groups.add(outer)
    for name in SCHEMAS:
        entity = entities.create_entity(None, name=name, default_permission=Level.FULL)
        world.rows["entity", name] = entity
    for name, attrs in SCHEMAS.items():
        entity = world.rows["entity", name]
        entities.update_entity(entity, None, attrs=attrs)
        world.rows |= {("attr", f"{name}.{attr.name}"): attr for attr in entity.attrs.all()}
        for entry in NAMES:
            made = entries.create_entry(None, entity, name=entry)
            world.rows["entry", f"{name}.{entry}"] = made
    hold = {f"{name}.{entry}": world.rows["entry", f"{name}.{entry}"] for name in SCHEMAS for entry in NAMES}
    for entry, values in {
        "Rack.one": {"place": "north", "units": 4, "holds": hold["Host.one"]},
        "Rack.two": {"place": "south", "holds": hold["Rack.one"]},
        "Host.one": {"state": "open", "parts": [hold["Disk.one"], hold["Disk.gone"]], "team": inner},
        "Host.two": {"parts": [hold["Disk.two"], hold["Disk.one"], hold["Rack.two"]], "team": outer},
        "Disk.one": {"keeper": roles["role"], "near": [{"name": "by", "object": hold["Rack.one"]}]},
        "Disk.two": {"near": [{"name": "a", "object": hold["Host.two"]}, {"name": "b", "object": None}]},
    }.items():
        entries.update_entry(hold[entry], None, attrs=values)
    entries.update_entry(hold["Rack.one"], None, attrs={"place": "east", "holds": hold["Host.two"]})
    for name in SCHEMAS:
        entries.delete_entry(hold[f"{name}.gone"], None)
        world.job(other, target=world.rows["entity", name])
        world.job(user, target=world.rows["entity", name])
        world.job(other, target=hold[f"{name}.one"])
        world.job(user, target=hold[f"{name}.two"])
    for thing, row in world.rows.items():
        way, level = grants[thing]
        world.levels[thing] = level
        is_default = way == "default"
        type(row)._base_manager.filter(pk=row.pk).update(
            default_permission=level if is_default else Level.NOTHING
        )
        if not is_default:
            RolePermission.objects.create(role=roles[way], level=level, **{thing[0]: row})
        row.refresh_from_db()
    return world


class Question(NamedTuple):
    """A request, made within a transaction that is undone."""

    method: str
    path: str
    data: Any = None  # Any: JSON
    made: str = ""  # fields of what the request itself makes
    is_as_shown: bool = False  # what GET shows is sent


class Snapshot:
    """What a user is answered to everything that is asked here, by what was asked."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._client = APIClient(raise_request_exception=False)
        self._client.cookies[settings.SESSION_COOKIE_NAME] = world.session
        self.answers: dict[str, tuple[int, dict[str, str], str]] = {}

    def take(self, order: list[int]) -> dict[str, tuple[int, dict[str, str], str]]:
        """Return the answers to the questions with these numbers."""
        questions = list(self._questions())
        for number in order:
            self._ask(questions[number % len(questions)])
        return self.answers

    _OWN: ClassVar = {"x-request-id", "expires", "last-modified"}

    def _ask(self, question: Question) -> None:
        method, path, data, made, is_as_shown = question
        label = "as shown" if is_as_shown else json.dumps(data)
        if is_as_shown:
            data = self._client.get(path).json()
        with transaction.atomic():
            answer = self._client.generic(
                method, path, "" if data is None else json.dumps(data), "application/json"
            )
            transaction.set_rollback(True)
        assert answer.status_code < 500, (method, path, data, answer.content)
        text = answer.getvalue()
        headers = {key: value for key, value in answer.items() if key.lower() not in self._OWN}
        shown = re.sub(r'("request_id": ?|csrfmiddlewaretoken" value=)"[\w-]+"', "masked", text.decode())
        shown = re.sub(r"permission_denied, request \w+", "masked", shown)
        if made and answer.status_code < 300:
            shown = re.sub(rf'"({made})": ?("[^"]*"|\d+)', "masked", shown)
            headers.pop("Content-Length", None)
            tag = headers.pop("ETag", None)  # says no more than the body does
            assert tag in (None, f'"{sha256(text).hexdigest()[:32]}"')
        self.answers[f"{method} {path} {label}"] = (answer.status_code, headers, shown)

    def _questions(self) -> Iterator[Question]:
        yield from self._of_all()
        for (kind, path), row in self._world.rows.items():
            match kind:
                case "entity":
                    yield from self._of_entity(path, row.pk)
                case "entry":
                    yield from self._of_entry(path, row.pk)
                case "attr":
                    yield from self._of_attr(path, row.pk)

    def _of_all(self) -> Iterator[Question]:
        for path in (
            *("me/", "me/tokens/", "users/", "groups/", "roles/", "tokens/", "audit/", "audit/export/"),
            *("users/?search=o", "groups/?search=e", "roles/?search=b", "plugins/", ""),
            *("jobs/", "jobs/?hidden=true&limit=2", "jobs/?user=bob", "jobs/?status=processing"),
        ):
            yield Question("GET", f"/api/v2/{path}")
        for rows in ("entities", "entries"):
            for query in ("", "?limit=2", "?limit=1&offset=1", "?is_active=all", "?is_active=false"):
                yield Question("GET", f"/api/v2/{rows}/{query}")
            for word in ("o", "hidden", "t"):
                yield Question("GET", f"/api/v2/{rows}/?search={word}")
        for job in self._world.jobs[: 4 * len(SCHEMAS)]:
            for path in ("", "log/", "file/"):
                yield Question("GET", f"/api/v2/jobs/{job}/{path}")
            yield Question("POST", f"/api/v2/jobs/{job}/cancel/", made="updated_at|finished_at")
        for page in ("", "entity/entity/", "entry/entry/", "job/job/", "user/role/", "auth/group/"):
            yield Question("GET", f"/admin/{page}")

    def _of_entity(self, name: str, pk: int) -> Iterator[Question]:
        url = f"/api/v2/entities/{pk}/"
        times = "updated_time"
        yield Question("GET", url)
        yield Question("GET", f"/admin/entity/entity/{pk}/change/")
        yield Question("GET", f"/api/v2/entries/?entity={name}")
        yield Question("GET", f"/api/v2/entries/?entity={pk}&is_active=all")
        yield Question("GET", f"/api/v2/entries/?entity={name}x")
        yield Question("PATCH", url, {"note": "other"}, made=times)
        yield Question("PATCH", url, {"attrs": [{"name": "more", "type": "string"}]}, made="id|" + times)
        yield Question("PATCH", url, {"attrs": [{"id": 99999, "name": "q"}]}, made=times)
        yield Question("PUT", url, made=times, is_as_shown=True)
        yield Question("PUT", url, {"name": name}, made=times)
        yield Question("POST", f"{url}restore/", made=times)
        seen = [e for e in NAMES[:-1] if self._world.level(("entry", f"{name}.{e}")) >= Level.READABLE]
        if seen or self._world.level(("entity", name)) < Level.FULL:
            yield Question("DELETE", url)
        body = {"name": "new", "entity": name}
        made = "id|created_time|updated_time"
        yield Question("POST", "/api/v2/entries/", body, made=made)
        yield Question("POST", "/api/v2/entries/", body | {"entity": pk, "attrs": {"q": 1}}, made=made)
        grant = {"name": "new", "permissions": [{"entity": name, "level": "full"}]}
        yield Question("POST", "/api/v2/roles/", grant, made=made)

    def _of_entry(self, path: str, pk: int) -> Iterator[Question]:
        url = f"/api/v2/entries/{pk}/"
        times = "updated_time"
        entity, _, name = path.partition(".")
        yield Question("GET", url)
        yield Question("GET", f"{url}history/")
        yield Question("GET", f"/admin/entry/entry/{pk}/change/")
        yield Question("PATCH", url, {"note": "other"}, made=times)
        yield Question("PATCH", url, {"name": "other"}, made=times)
        yield Question("PATCH", url, {"attrs": {"nothing": 1}}, made=times)
        yield Question("DELETE", url)
        yield Question("POST", f"{url}restore/", made=times)
        yield Question("POST", f"{url}revert/", {"version": 1}, made=times)
        if self._world.level(("entry", path)) >= Level.READABLE:
            body = {"entity": entity, "name": name}
            yield Question("POST", "/api/v2/entries/", body, made="id|created_time|updated_time")
        for schema, attrs in SCHEMAS.items():  # every attribute that points is tried with it
            for attr in attrs:
                if attr["type"] in {"object", "array_object", "array_named_object"}:
                    one: Any = {"name": "x", "object": pk} if "named" in attr["type"] else pk
                    value = [one] if "array" in attr["type"] else one
                    target = f"/api/v2/entries/{self._world.rows['entry', f'{schema}.two'].pk}/"
                    data = {"attrs": {attr["name"]: value}}
                    yield Question("PATCH", target, data, made=times)

    def _of_attr(self, path: str, pk: int) -> Iterator[Question]:
        entity, _, name = path.partition(".")
        row = self._world.rows["entity", entity]
        url = f"/api/v2/entities/{row.pk}/"
        entry = f"/api/v2/entries/{self._world.rows['entry', f'{entity}.one'].pk}/"
        times = "updated_time"
        changes: list[dict[str, Any]] = [{"note": "other"}, {"is_deleted": True}, {"type": "string"}]
        for each in ({"default_permission": 8}, *changes):
            yield Question("PATCH", url, {"attrs": [{"id": pk} | each]}, made=times)
        for value in (None, "open", 7):
            yield Question("PATCH", entry, {"attrs": {name: value}}, made=times)
        if self._world.level(("attr", path)) >= Level.READABLE:
            yield Question("PATCH", url, {"attrs": [{"name": name, "type": "string"}]}, made=times)


CHANGES = ("rename", "note", "write", "delete", "restore", "add", "grant", "job", "accounts")


def change(world: World, thing: Thing, how: str, number: int) -> None:
    """Change something hidden, as the host or as somebody else does."""
    kind, row = thing[0], world.rows[thing]
    row.refresh_from_db()
    name = f"hidden {number}"
    match how, kind:
        case "grant", _:
            RolePermission.objects.get_or_create(role=world.others, level=Level.FULL, **{kind: row})
        case "accounts", _:
            new = User.objects.create(username=name)
            new.groups.add(Group.objects.create(name=name))
            ApiToken.issue(new, name, None)
        case "job", "entity" | "entry":
            world.job(world.other, target=row)
        case "restore", "entity" | "entry":
            if kind == "entity" or row.schema.is_active:
                row.restore()
        case _, "attr":
            change_attr(world, row, how, name)
        case _, "entity":
            change_entity(row, how, name)
        case _, "entry":
            change_entry(world, row, how, name)


def change_attr(world: World, attr: EntityAttr, how: str, name: str) -> None:
    entity = Entity.objects.get(pk=attr.parent_entity_id)
    if not (entity.is_active and attr.is_active):
        return
    match how:
        case "rename":
            entities.update_entity(entity, None, attrs=[{"id": attr.pk, "name": name}])
        case "delete":
            entities.remove_attribute(attr, None)
        case "note":
            spec = {"id": attr.pk, "note": name, "is_delete_in_chain": not attr.is_delete_in_chain}
            entities.update_entity(entity, None, attrs=[spec])
        case "write" | "add":
            for entry in Entry.objects.active().filter(schema=entity):
                entries.update_entry(entry, None, attrs={attr.name: value_for(world, attr, name)})


def value_for(world: World, attr: EntityAttr, name: str) -> Any:
    disk = world.rows["entry", "Rack.one"]
    target = disk.pk if Entry.objects.get(pk=disk.pk).is_active else None
    values = {
        "string": name,
        "number": len(name),
        "select": "shut",
        "object": target,
        "array_object": [target] if target else [],
        "array_named_object": [{"name": name, "object": target}],
    }
    return values.get(attr.attr_type.type_name)


def change_entity(entity: Entity, how: str, name: str) -> None:
    if not entity.is_active:
        return
    match how:
        case "rename":
            entities.update_entity(entity, None, name=name)
        case "note":
            entities.update_entity(entity, None, note=name)
        case "write":
            entities.update_entity(entity, None, attrs=[{"name": name, "type": "string"}])
        case "add":
            entries.create_entry(None, entity, name=name)
        case "delete":
            Entry.objects.filter(schema=entity).update(is_active=False)  # without what they lead to
            entities.delete_entity(entity, None)


def change_entry(world: World, entry: Entry, how: str, name: str) -> None:
    if not entry.is_active:
        return
    match how:
        case "rename":
            entries.update_entry(entry, None, name=name)
        case "note":
            entries.update_entry(entry, None, note=name)
        case "write" | "add":
            attrs = {
                each.name: value_for(world, each, name) for each in entry.schema.attrs.filter(is_active=True)
            }
            entries.update_entry(entry, None, attrs=attrs)
        case "delete":
            Entry.objects.filter(pk=entry.pk).update(is_active=False)  # without what hangs on it in chains


RIGHTS = (
    *("add_entity", "view_entity", "change_entity", "view_entry", "change_entry", "view_job"),
    *("view_role", "add_role", "change_role"),
)
GRANTS = st.fixed_dictionaries({thing: st.tuples(st.sampled_from(WAYS), LEVELS) for thing in THINGS})
STEPS = st.lists(st.tuples(st.integers(0, len(THINGS)), st.sampled_from(CHANGES)), min_size=1, max_size=5)
ORDER = st.integers(0, 10**6)
QUESTIONS = 50
"""How many questions an example asks, of some 250: to ask them all takes seconds."""


@pytest.fixture(autouse=True)
def shop() -> Iterator[None]:
    with recording_publisher(), plugin_tasks("shop", [restock], cancelable_operations=["restock"]):
        yield


@hypothesis_settings(
    max_examples=examples(8, quick=2),
    phases=[Phase.explicit, Phase.generate],  # shrinking takes minutes, and what differs is shown
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(grants=GRANTS, rights=st.lists(st.sampled_from(RIGHTS), unique=True), steps=STEPS, order=ORDER)
def test_what_becomes_of_hidden_things_changes_no_byte(
    db: None,
    grants: dict[Thing, tuple[str, int]],
    rights: list[str],
    steps: list[tuple[int, str]],
    order: int,
) -> None:
    with transaction.atomic():
        world = make_world(grants, rights)
        hidden = world.hidden()
        assume(hidden)
        asked = Random(order).sample(range(1_000), QUESTIONS)
        before = Snapshot(world).take(asked)
        with acting_as(None):
            for number, (which, how) in enumerate(steps):
                change(world, hidden[which % len(hidden)], how, number)
        after = Snapshot(world).take(asked)
        transaction.set_rollback(True)
    assert before.keys() == after.keys()
    told = {each: (answer, after[each]) for each, answer in before.items() if answer != after[each]}
    assert not told, told


def test_times_tell_nothing_of_hidden_attributes(api: APIClient, web: Entry) -> None:
    address = web.schema.attrs.get(name="address")
    EntityAttr.objects.filter(pk=address.pk).update(default_permission=Level.NOTHING)
    urls = (f"/api/v2/entries/{web.pk}/", f"/api/v2/entities/{web.schema_id}/")
    before = [api.get(url).content for url in urls]

    entries.update_entry(web, None, attrs={"address": "10.0.0.2"})
    entities.update_entity(web.schema, None, attrs=[{"id": address.pk, "name": "hidden"}])
    spec = {"name": "new", "type": "string", "default_permission": int(Level.NOTHING)}
    entities.update_entity(web.schema, None, attrs=[spec])
    assert [api.get(url).content for url in urls] == before

    times = [api.get(url).json()["updated_time"] for url in urls]
    entries.update_entry(web, None, attrs={"count": 5})
    entities.update_entity(web.schema, None, attrs=[{"name": "seen", "type": "string"}])
    assert all(api.get(url).json()["updated_time"] > time for url, time in zip(urls, times, strict=True))


def test_the_admin_shows_the_jobs_that_one_may_see_without_what_they_gave(web: Entry, ann: User) -> None:
    ann.is_staff = True
    ann.save()
    ann.user_permissions.add(Permission.objects.get(codename="view_job"))
    browser = APIClient()
    browser.force_login(ann)
    bob = User.objects.create(username="bob")
    request = store.JobRequest(
        operation=operations.resolve_name("shop", "restock"), user=bob, params='{"a": "s3cret"}', target=web
    )
    job = store.submit(request)
    page = browser.get(f"/admin/job/job/{job.pk}/change/")
    assert page.status_code == 200
    assert "s3cret" not in page.content.decode()
    Entry.objects.filter(pk=web.pk).update(default_permission=Level.NOTHING)
    assert browser.get(f"/admin/job/job/{job.pk}/change/").status_code == 302
    assert "restock" not in browser.get("/admin/job/job/").content.decode()
