"""`/api/v2/users/{id}/access/`: what somebody may do with something, and why."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission

from pagoda.domain.user.models import Level, Role, RolePermission, nest

pytestmark = pytest.mark.django_db


def path(user: Any) -> str:
    return f"/api/v2/users/{user.pk}/access/"


def step(answer: Any, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in answer.json()["steps"] if each["kind"] == kind)
    return found


@pytest.fixture
def closed(web: Any) -> Any:
    """`web`, whose entity gives nobody anything."""
    type(web.schema).objects.filter(pk=web.schema_id).update(default_permission=Level.NOTHING)
    return web


def test_a_role_by_a_parent_group_is_named(
    superuser_api: Any, make_user: Any, closed: Any, django_assert_max_num_queries: Any
) -> None:
    bob, inner, outer = (
        make_user("bob"),
        Group.objects.create(name="inner"),
        Group.objects.create(name="outer"),
    )
    nest(inner, outer)
    bob.groups.add(inner)
    role = Role.objects.create(name="readers")
    role.groups.add(outer)
    RolePermission.objects.create(role=role, level=Level.READABLE, entity=closed.schema)
    unheld = Role.objects.create(name="unheld")
    RolePermission.objects.create(role=unheld, level=Level.FULL, entity=closed.schema)

    with django_assert_max_num_queries(14):
        answer = superuser_api.get(path(bob), {"entry": closed.pk})
    assert answer.status_code == 200
    assert (answer.json()["level"], answer.json()["is_fixed"]) == ("readable", False)
    assert step(answer, "entity")["default"] == "nothing"
    assert step(answer, "entity")["grants"] == [
        {
            "role": {"id": role.pk, "name": "readers"},
            "is_own": False,
            "groups": [{"id": outer.pk, "name": "outer"}],
            "level": "readable",
        }
    ]
    role.is_active = False
    role.save()
    assert superuser_api.get(path(bob), {"entry": closed.pk}).json()["level"] == "nothing"


@pytest.mark.parametrize("kind", ["entity", "attr", "entry"])
def test_owners_and_superusers_have_all(superuser_api: Any, make_user: Any, closed: Any, kind: str) -> None:
    bob, root = make_user("bob"), make_user("boss", is_superuser=True)
    type(closed.schema).objects.filter(pk=closed.schema_id).update(owner=bob)
    ids = {"entity": closed.schema_id, "attr": closed.schema.attrs.first().pk, "entry": closed.pk}
    answer = superuser_api.get(path(bob), {kind: ids[kind]})
    assert answer.json()["level"] == "full"
    assert all(each["is_owner"] for each in answer.json()["steps"])
    boss = superuser_api.get(path(root), {kind: ids[kind]}).json()
    assert (boss["level"], boss["is_fixed"]) == ("full", True)


def test_who_does_not_manage_users_asks_about_themselves_alone(
    api: Any, ann: Any, make_user: Any, web: Any, client_of: Any
) -> None:
    bob = make_user("bob")
    assert api.get(path(ann), {"entry": web.pk}).json()["level"] == "full"
    assert api.get(path(bob), {"entry": web.pk}).status_code == 404
    ann.user_permissions.add(Permission.objects.get(codename="view_user"))
    assert api.get(path(bob), {"entry": web.pk}).status_code == 200


def test_what_the_asker_may_not_read_is_not_there(ann: Any, api: Any, closed: Any) -> None:
    ann.user_permissions.add(Permission.objects.get(codename="view_user"))
    for kind, number in (("entry", closed.pk), ("entity", closed.schema_id)):
        answer = api.get(path(ann), {kind: number})
        assert (answer.status_code, answer.json()["detail"][:11]) == (404, "There is no")


@pytest.mark.parametrize(
    "query", [{}, {"entry": "x"}, {"entry": 1, "entity": 1}, {"thing": 1}, {"entry": 9**30}]
)
def test_anything_else_is_refused(api: Any, ann: Any, query: Any) -> None:
    assert api.get(path(ann), query).status_code == 400
