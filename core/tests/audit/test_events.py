"""Which events are recorded, and what they say."""

from __future__ import annotations

from typing import Any

import pytest
import structlog
from django.contrib import auth
from django.contrib.auth.models import AnonymousUser, Group, Permission
from django.contrib.sessions.backends.db import SessionStore
from django.db import transaction
from django.test import RequestFactory

from pagoda.audit.models import AuditEvent
from pagoda.domain.acting import acting_as
from pagoda.domain.entity.models import Entity
from pagoda.domain.entry import services
from pagoda.domain.user.models import ApiToken, Level, Role, RolePermission, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann() -> User:
    return User.objects.create(username="ann", is_superuser=True)


@pytest.fixture
def host(ann: User) -> Entity:
    return Entity.objects.create_entity(user=ann, name="Host", attrs=[{"name": "ip", "type": "string"}])


def latest() -> AuditEvent:
    return AuditEvent.objects.latest("id")


def told(first: int = 0) -> list[str]:
    return list(AuditEvent.objects.filter(pk__gt=first).order_by("pk").values_list("action", flat=True))


def test_an_entry_s_life_is_recorded_with_the_names_of_what_changed_and_no_value(
    ann: User, host: Entity
) -> None:
    before = latest().pk
    entry = services.create_entry(ann, host, name="web-1", attrs={"ip": "192.0.2.1"})
    services.update_entry(entry, ann, note="hunter2", attrs={"ip": "192.0.2.99"})
    changed = latest()
    services.delete_entry(entry, ann)
    services.restore_entry(entry, ann)
    assert told(before) == ["entry.created", "entry.updated", "entry.deleted", "entry.restored"]
    assert changed.details == {"entity": "Host", "fields": ["note"], "attrs": ["ip"]}
    assert (changed.actor_id, changed.actor, changed.subject_id) == (ann.pk, "ann", str(entry.pk))
    assert "192.0.2.99" not in str(changed.to_json())
    assert "hunter2" not in str(changed.to_json())


def test_plain_saves_of_a_shell_are_recorded_too(host: Entity) -> None:
    before = latest().pk
    host.note = "racks"
    host.save()
    host.delete()
    host.is_active = True
    host.save()
    assert told(before) == ["entity.updated", "entity.deleted", "entity.restored"]
    assert latest().actor == "host"


def test_many_entries_are_one_statement(ann: User, host: Entity, django_assert_max_num_queries: Any) -> None:
    rows = [{"name": f"h{number}"} for number in range(100)]
    before = latest().pk
    with django_assert_max_num_queries(9):
        services.create_entries(ann, host, rows)
    assert told(before) == ["entry.created"] * 100


def test_what_is_rolled_back_leaves_no_event(ann: User, host: Entity) -> None:
    before = latest().pk
    with transaction.atomic():
        services.create_entry(ann, host, name="web-1")
        transaction.set_rollback(True)
    assert told(before) == []


def test_a_job_is_the_actor_and_its_user_the_one_on_whose_behalf(ann: User, host: Entity) -> None:
    ids = {"job_id": 7, "plugin": "shop", "request_id": "r-1"}
    with structlog.contextvars.bound_contextvars(**ids), acting_as(ann):
        services.create_entry(ann, host, name="web-1")
    event = latest()
    assert (event.actor, event.actor_id, event.job_id) == ("job", None, 7)
    assert (event.on_behalf_of, event.on_behalf_of_id) == ("ann", ann.pk)
    assert (event.plugin, event.request_id) == ("shop", "r-1")


def test_logins_are_recorded_without_the_password(ann: User) -> None:
    ann.set_password("right")
    ann.save()
    request = RequestFactory().post("/")
    request.session, request.user = SessionStore(), AnonymousUser()
    before = latest().pk
    assert auth.authenticate(request, username="ann", password="hunter2") is None
    found = auth.authenticate(request, username="ann", password="right")
    assert found is not None
    auth.login(request, found)
    auth.logout(request)
    events = list(AuditEvent.objects.filter(pk__gt=before).order_by("pk"))
    assert [event.action for event in events] == ["login.failed", "login.succeeded", "logout"]
    assert [event.subject for event in events] == ["ann"] * 3
    assert [event.actor for event in events] == ["host", "ann", "ann"]
    assert all("hunter2" not in str(event.to_json()) for event in events)


def test_tokens_are_recorded_without_their_text(ann: User) -> None:
    before = latest().pk
    token, plain = ApiToken.issue(ann, "laptop", None)
    token.delete()
    assert told(before) == ["token.made", "token.revoked"]
    assert all(plain not in str(event.to_json()) for event in AuditEvent.objects.all())


def test_users_groups_roles_and_what_they_may_do_are_recorded(ann: User, host: Entity) -> None:
    before = latest().pk
    ops = Group.objects.create(name="ops")
    ops.name = "operators"
    ops.save()
    ops.permissions.add(Permission.objects.all()[0])
    ann.groups.add(ops)
    ann.user_permissions.add(Permission.objects.all()[0])
    ann.is_superuser = True
    ann.save(update_fields=["is_superuser"])
    assert latest().details == {"fields": ["is_superuser"]}
    role = Role.objects.create(name="admins")
    role.users.add(ann)
    assert latest().details == {"change": "add", "field": "users", "ids": [str(ann.pk)]}
    role.note = "x"
    role.save()
    granted = RolePermission.objects.create(role=role, entity=host, level=Level.READABLE)
    granted.level = Level.FULL
    granted.save()
    assert latest().details == {"role": role.pk, "level": int(Level.FULL), "entity": host.pk}
    granted.delete()
    role.delete()
    ops.delete()
    ann.delete()
    assert told(before) == [
        "group.created", "group.updated", "group.rights_changed",
        "user.rights_changed", "user.rights_changed",
        "user.updated", "role.created", "role.members_changed", "role.updated", "permission.granted",
        "permission.changed", "permission.revoked", "role.deleted", "group.deleted", "user.deleted",
    ]  # fmt: skip
