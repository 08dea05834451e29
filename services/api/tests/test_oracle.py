"""One oracle of rights: levels on entity, attribute and entry x way to come by them x action, by requests.

What is expected is computed here from three levels by the rules of ADR 15, and by nothing of the host's own.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.test import Client

from pagoda.domain.access import attrinfo_for
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import ApiToken, GroupNesting, Level, Role, RolePermission, User
from pagoda.jobs.models import Job, JobFile
from tools.examples import examples

pytestmark = pytest.mark.django_db

API = "/api/v2/"
NOTHING, READABLE, WRITABLE, FULL = Level
SECRET = "s3cret"
LEVELS = list(product(Level, Level, Level))[:: examples(1, quick=3)]
"""All combinations, or a third of them with every pair of levels; what each expects is worked out below."""
WAYS = ("default", "role", "group", "nested group")
LEVELS_BY_WAY = list(product(Level, WAYS))[:: examples(1, quick=3)]
"""All combinations, or six with each level and each way; the levels above come by all ways, too."""


class Site:
    """An entity Vault with the attributes open and secret and an entry door; ann owns entity Mine."""

    def __init__(self, ann: Any, client: Any, entity: int, attr: int, entry: int, way: str) -> None:
        self.ann, self.client, self.way = ann, client, way
        self.entity, self.attr, self.entry = entity, attr, entry  # levels as granted
        names = [{"name": "open", "type": "string"}, {"name": "secret", "type": "string"}]
        self.vault = Entity.objects.create_entity(user=None, name="Vault", attrs=names)
        self.empty = Entity.objects.create_entity(user=None, name="Hollow")
        values = {"open": "x", "secret": SECRET}
        self.door = Entry.objects.create_entry(user=None, schema=self.vault, name="door", attrs=values)
        refs: list[dict[str, Any]] = [
            {"name": "ref", "type": "object", "referral": ["Vault"]},
            {"name": "chain", "type": "object", "referral": ["Vault"], "is_delete_in_chain": True},
        ]
        self.mine = Entity.objects.create_entity(user=None, name="Mine", attrs=refs)
        Entity.objects.filter(pk=self.mine.pk).update(owner=ann)
        self.pointer = Entry.objects.create_entry(
            user=None, schema=self.mine, name="pointer", attrs={"chain": self.door.pk}
        )
        self.secret = EntityAttr.objects.get(parent_entity=self.vault, name="secret")
        for row, level in (
            (self.vault, entity),
            (self.empty, entity),
            (self.secret, attr),
            (self.door, entry),
        ):
            self._give(row, level)

    def _give(self, row: Any, level: int) -> None:
        by_default = self.way == "default"
        type(row).objects.filter(pk=row.pk).update(default_permission=level if by_default else NOTHING)
        if by_default:
            return
        kind = {Entity: "entity", EntityAttr: "attr", Entry: "entry"}[type(row)]
        role = Role.objects.create(name=f"{kind} {row.pk}")
        RolePermission.objects.create(role=role, level=level, **{kind: row})
        if self.way == "role":
            role.users.add(self.ann)
            return
        group = Group.objects.create(name=f"holders of {role.name}")
        role.groups.add(group)
        if self.way == "nested group":
            inner = Group.objects.create(name=f"within {group.name}")
            GroupNesting.objects.create(group=inner, parent=group)
            group = inner
        self.ann.groups.add(group)

    @property
    def on_entry(self) -> int:
        return min(self.entity, self.entry)

    @property
    def on_attr(self) -> int:
        return min(self.entity, self.attr)

    @property
    def is_root(self) -> bool:
        return bool(self.ann.is_superuser)

    def stored_secret(self) -> str:
        root = User(username="root", is_superuser=True)
        info = attrinfo_for([Entry.objects.get(pk=self.door.pk)], root)[self.door.pk]
        return str({item["name"]: item["value"] for item in info}["secret"])

    def door_is_there(self) -> bool:
        return Entry.objects.filter(pk=self.door.pk, is_active=True).exists()

    @property
    def vault_url(self) -> str:
        return f"{API}entities/{self.vault.pk}/"

    @property
    def door_url(self) -> str:
        return f"{API}entries/{self.door.pk}/"


def changing(has: int, needed: int, done: int = 200) -> int:
    """Return the status of a request for a thing on which the user has a level, where one is needed."""
    if has < READABLE:
        return 404
    return done if has >= needed else 403


def ids(answer: Any) -> list[int]:
    return [row["id"] for row in answer.json()["results"]]


Seen = Any
ACTIONS: dict[str, tuple[Callable[[Site], Seen], Callable[[Site], Seen]]] = {}
"""``{action: (what is seen, what is expected)}``."""


def action(expected: Callable[[Site], Seen]) -> Callable[[Callable[[Site], Seen]], Callable[[Site], Seen]]:
    def add(act: Callable[[Site], Seen]) -> Callable[[Site], Seen]:
        ACTIONS[act.__name__] = (act, expected)
        return act

    return add


@action(lambda s: changing(s.entity, READABLE))
def see_entity(s: Site) -> Seen:
    return s.client.get(s.vault_url).status_code


@action(lambda s: (s.entity >= READABLE,) * 3)
def find_entity(s: Site) -> Seen:
    """In the list, by search, and by ordering."""
    asked: list[dict[str, str]] = [{}, {"search": "aul"}, {"is_active": "all"}]
    return tuple(s.vault.pk in ids(s.client.get(f"{API}entities/", query)) for query in asked)


@action(lambda s: s.entity >= READABLE and s.on_attr >= READABLE)
def see_attribute_of_entity(s: Site) -> Seen:
    return '"secret"' in s.client.get(s.vault_url).content.decode()


@action(lambda s: changing(s.on_entry, READABLE))
def see_entry(s: Site) -> Seen:
    return s.client.get(s.door_url).status_code


@action(lambda s: (s.on_entry >= READABLE,) * 3)
def find_entry(s: Site) -> Seen:
    asked: list[dict[str, str]] = [{}, {"search": "oo"}, {"is_active": "all"}]
    return tuple(s.door.pk in ids(s.client.get(f"{API}entries/", query)) for query in asked)


@action(lambda s: s.on_entry >= READABLE and s.on_attr >= READABLE)
def see_value(s: Site) -> Seen:
    return SECRET in s.client.get(s.door_url).content.decode()


@action(lambda s: s.on_entry >= READABLE and s.on_attr >= READABLE)
def see_value_in_list(s: Site) -> Seen:
    return SECRET in s.client.get(f"{API}entries/").content.decode()


@action(lambda s: (changing(s.on_entry, READABLE), s.on_entry >= READABLE and s.on_attr >= READABLE))
def see_history(s: Site) -> Seen:
    answer = s.client.get(f"{s.door_url}history/")
    return answer.status_code, SECRET in answer.content.decode()


@action(lambda s: changing(s.on_entry, WRITABLE))
def change_entry(s: Site) -> Seen:
    return s.client.patch(s.door_url, {"note": "changed"}).status_code


def _change_value(s: Site) -> int:
    if s.on_entry < WRITABLE:
        return changing(s.on_entry, WRITABLE)
    return 400 if s.on_attr < READABLE else 403 if s.on_attr < WRITABLE else 200


@action(_change_value)
def change_value(s: Site) -> Seen:
    return s.client.patch(s.door_url, {"attrs": {"secret": "new"}}).status_code


@action(lambda s: (changing(s.on_entry, WRITABLE), SECRET))
def send_entry_back(s: Site) -> Seen:
    """PATCH with all that GET shows and another note leaves what one can't see or write."""
    shown = s.client.get(s.door_url).json()
    answer = s.client.patch(s.door_url, {**shown, "note": "changed"})
    return answer.status_code, s.stored_secret()


@action(lambda s: (changing(s.on_entry, FULL, 204), s.on_entry < FULL))
def delete_entry(s: Site) -> Seen:
    return s.client.delete(s.door_url).status_code, s.door_is_there()


@action(lambda s: changing(s.on_entry, FULL))
def restore_entry(s: Site) -> Seen:
    s.door.delete()
    return s.client.post(f"{s.door_url}restore/").status_code


@action(lambda s: 201 if s.on_entry >= READABLE else 400)
def refer_to_entry(s: Site) -> Seen:
    body = {"name": "new", "schema": "Mine", "attrs": {"ref": s.door.pk}}
    return s.client.post(f"{API}entries/", body).status_code


@action(lambda s: True)
def refer_to_hidden_as_to_none(s: Site) -> Seen:
    """What is hidden is answered as what is not there."""
    ids = {s.door.pk, 10**9} if s.on_entry < READABLE else {10**9}
    answers = set()
    for pk in ids:
        body = {"name": "new", "schema": "Mine", "attrs": {"ref": pk}}
        answers.add(s.client.post(f"{API}entries/", body).content.decode().replace(str(pk), "N"))
    return len(answers) == 1


def _chain(s: Site) -> Seen:
    if s.on_entry < READABLE:
        return 204, True  # hidden: it stays, as if it were not there
    return (204, False) if s.on_entry >= FULL else (403, True)


@action(_chain)
def delete_in_chain(s: Site) -> Seen:
    status = s.client.delete(f"{API}entries/{s.pointer.pk}/").status_code
    return status, s.door_is_there()


@action(lambda s: s.on_entry >= READABLE)
def see_name_through_reference(s: Site) -> Seen:
    return '"door"' in s.client.get(f"{API}entries/{s.pointer.pk}/").content.decode()


@action(lambda s: 201 if s.entity >= WRITABLE else 403 if s.entity >= READABLE else 400)
def add_entry(s: Site) -> Seen:
    return s.client.post(f"{API}entries/", {"name": "new", "schema": "Vault"}).status_code


@action(lambda s: changing(s.entity, FULL))
def change_entity(s: Site) -> Seen:
    return s.client.patch(s.vault_url, {"note": "changed"}).status_code


def _change_attribute(s: Site) -> Seen:
    if s.entity < FULL:
        return changing(s.entity, FULL)
    if s.on_attr < READABLE:
        return 400
    return 200 if s.on_attr >= FULL else 403


@action(_change_attribute)
def rename_attribute(s: Site) -> Seen:
    return s.client.patch(s.vault_url, {"attrs": [{"id": s.secret.pk, "name": "renamed"}]}).status_code


@action(_change_attribute)
def open_attribute(s: Site) -> Seen:
    body = {"attrs": [{"id": s.secret.pk, "default_permission": int(FULL)}]}
    return s.client.patch(s.vault_url, body).status_code


@action(_change_attribute)
def remove_attribute(s: Site) -> Seen:
    body = {"attrs": [{"id": s.secret.pk, "is_deleted": True}]}
    return s.client.patch(s.vault_url, body).status_code


@action(lambda s: (changing(s.entity, FULL), True))
def send_entity_back(s: Site) -> Seen:
    shown = s.client.get(s.vault_url).json()
    status = s.client.put(s.vault_url, {**shown, "note": "changed"}).status_code
    return status, EntityAttr.objects.filter(pk=s.secret.pk, is_active=True, name="secret").exists()


@action(lambda s: changing(s.entity, FULL, 204))
def delete_entity(s: Site) -> Seen:
    return s.client.delete(f"{API}entities/{s.empty.pk}/").status_code


@action(lambda s: (s.on_entry >= READABLE, s.on_entry >= READABLE))
def see_in_admin(s: Site) -> Seen:
    codenames = ("view_entry", "change_entry")
    s.ann.is_staff = True
    s.ann.save()
    s.ann.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    client = Client(raise_request_exception=False)
    client.force_login(s.ann)
    listed = "door" in client.get("/admin/entry/entry/").content.decode()
    return listed, client.get(f"/admin/entry/entry/{s.door.pk}/change/").status_code == 200


def _job(s: Site) -> Seen:
    seen = s.on_entry >= READABLE
    return seen, seen, changing(s.on_entry, READABLE, 200 if s.is_root else 403), s.is_root


@action(_job)
def see_job_on_it(s: Site) -> Seen:
    """Somebody else's: that it is there, and to superusers what it gave."""
    job = Job.objects.create(
        operation=92, operation_name="canary", target_entry=s.door, target_type=1, params='{"key": "s3cret"}',
        soft_limit_seconds=1, hard_limit_seconds=2, error=SECRET, status=4, file_name="a.txt",
    )  # fmt: skip
    JobFile.objects.create(job=job, content=SECRET.encode())
    one, many = s.client.get(f"{API}jobs/{job.pk}/"), s.client.get(f"{API}jobs/?hidden=true")
    file = s.client.get(f"{API}jobs/{job.pk}/file/")
    told = SECRET in "".join(answer.content.decode() for answer in (one, many, file))
    return one.status_code == 200, job.pk in ids(many), file.status_code, told


@action(lambda s: (200, 204) if s.is_root else (404, 404))
def see_and_revoke_a_token_of_somebody_else(s: Site) -> Seen:
    token, _ = ApiToken.issue(User.objects.create(username="bob"), "laptop", None)
    url = f"{API}tokens/{token.pk}/"
    return s.client.get(url).status_code, s.client.delete(url).status_code


CASES = len(LEVELS) * len(ACTIONS)


def test_there_are_enough_cases() -> None:
    assert CASES > 500


@pytest.mark.parametrize("levels", LEVELS, ids=lambda levels: "-".join(level.label for level in levels))
def test_what_a_user_may_do(
    client_of: Callable[..., Any], make_user: Callable[..., Any], levels: tuple[Level, Level, Level]
) -> None:
    ann, way = make_user("ann"), WAYS[LEVELS.index(levels) % len(WAYS)]
    site = Site(ann, client_of(ann), *levels, way)

    assert observed(site) == {name: expected(site) for name, (_, expected) in ACTIONS.items()}


@pytest.mark.parametrize(("level", "way"), LEVELS_BY_WAY)
def test_every_way_to_come_by_a_level_is_worth_the_same(
    client_of: Callable[..., Any], make_user: Callable[..., Any], level: int, way: str
) -> None:
    ann = make_user("ann")
    site = Site(ann, client_of(ann), level, level, level, way)

    assert observed(site) == {name: expected(site) for name, (_, expected) in ACTIONS.items()}


def observed(site: Site) -> dict[str, Seen]:
    """Do each action in a transaction that is rolled back, and return what is seen."""
    found = {}
    for name, (act, _) in ACTIONS.items():
        with transaction.atomic():
            found[name] = act(site)
            transaction.set_rollback(True)
        site.ann.refresh_from_db()
    return found


@pytest.mark.parametrize("level", Level)
def test_superusers_may_everything_and_who_is_not_logged_in_nothing(
    client_of: Callable[..., Any], make_user: Callable[..., Any], anonymous: Any, level: int
) -> None:
    root = make_user("root", is_superuser=True)
    site = Site(make_user("ann"), anonymous, level, level, level, "default")

    for path in (site.vault_url, site.door_url, f"{site.door_url}history/", f"{API}entries/", f"{API}jobs/"):
        answer = anonymous.get(path)
        assert answer.status_code == 401
        assert "Vault" not in answer.content.decode()

    site.ann, site.client = root, client_of(root)
    site.entity = site.attr = site.entry = FULL
    assert observed(site) == {name: expected(site) for name, (_, expected) in ACTIONS.items()}
