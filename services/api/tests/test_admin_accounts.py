"""Users, groups, roles and tokens in the admin: as by the API, and no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from pagoda.audit.models import AuditEvent
from pagoda.domain.entity.models import Entity
from pagoda.domain.user.models import ApiToken, GroupNesting, Level, Role, RolePermission, User, nest

pytestmark = pytest.mark.django_db


def page(model: Any, name: str, *ids: int) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=ids)


def shown(response: Any) -> str:
    text: str = response.content.decode()
    return text.replace("&#x27;", "'").replace("&quot;", '"')


@pytest.fixture
def browser(admin_user: User) -> Client:
    client = Client(raise_request_exception=True)
    client.force_login(admin_user)
    return client


@pytest.fixture
def mary(make_user: Callable[..., Any]) -> Client:
    """Who manages everything in the admin, and is no superuser."""
    user = make_user("mary")
    User.objects.filter(pk=user.pk).update(is_staff=True)
    models = ("user", "group", "role", "apitoken")
    names = [f"{verb}_{model}" for verb in ("view", "add", "change", "delete") for model in models]
    user.user_permissions.add(*Permission.objects.filter(codename__in=names))
    client = Client(raise_request_exception=True)
    client.force_login(User.objects.get(pk=user.pk))
    return client


@pytest.fixture
def shut(db: None) -> Entity:
    return Entity.objects.create(name="Shut", default_permission=Level.NOTHING)


def role_form(name: str, *grants: dict[str, Any], **fields: Any) -> dict[str, Any]:
    stored = sum("id" in grant for grant in grants)
    form = {"name": name, "is_active": "on", "permissions-TOTAL_FORMS": len(grants)}
    form |= {"permissions-INITIAL_FORMS": stored, **fields}
    for number, grant in enumerate(grants):
        form |= {f"permissions-{number}-{field}": value for field, value in grant.items()}
    return form


def user_form(user: User, **fields: Any) -> dict[str, Any]:
    kept = {
        "username": user.username,
        "is_active": "on",
        "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00",
    }
    return kept | fields


def test_names_of_groups_are_stored_clean(browser: Client) -> None:
    old = Group.objects.create(name="cafe\u0301")

    browser.post(page(Group, "add"), {"name": " re\u0301seau "})
    for taken in ("re\u0301seau", "r\u00e9seau", "caf\u00e9", "\u200b"):
        refused = browser.post(page(Group, "add"), {"name": taken})
        assert refused.status_code == 200, taken
    browser.post(page(Group, "change", old.pk), {"name": "cafe\u0301"})

    assert {*Group.objects.values_list("name", flat=True)} == {"r\u00e9seau", "cafe\u0301"}
    browser.post(page(Group, "change", old.pk), {"name": "caf\u00e9"})
    old.refresh_from_db()
    assert old.name == "caf\u00e9"


def test_a_group_has_its_parent_and_its_users(browser: Client, make_user: Any) -> None:
    bob, company = make_user("bob"), Group.objects.create(name="company")
    browser.post(page(Group, "add"), {"name": "team", "parent": company.pk, "users": [bob.pk]})
    team = Group.objects.get(name="team")
    assert (team.nesting.parent, [*team.user_set.all()]) == (company, [bob])
    assert "company" in shown(browser.get(page(Group, "changelist")))
    assert "bob" in shown(browser.get(page(Group, "change", team.pk)))
    circle = browser.post(page(Group, "change", company.pk), {"name": "firm", "parent": team.pk}, follow=True)
    assert "Group 'firm' can't be nested in 'team', which is nested in it." in shown(circle)
    assert Group.objects.filter(name="company").exists()
    browser.post(page(Group, "change", team.pk), {"name": "team", "parent": "", "users": []})
    assert not GroupNesting.objects.exists()
    assert not bob.groups.exists()


def test_tokens_are_shown_without_their_text_and_revoked(browser: Client, make_user: Any) -> None:
    token, plain = ApiToken.issue(make_user("bob"), "laptop", None, networks=["10.0.0.0/8"])
    for url in (page(ApiToken, "changelist"), page(ApiToken, "change", token.pk)):
        text = shown(browser.get(url))
        assert "laptop" in text
        assert plain not in text
        assert token.digest not in text
    browser.post(page(ApiToken, "add"), {"name": "made", "user": token.user_id})
    browser.post(page(ApiToken, "change", token.pk), {"name": "made", "user": token.user_id})
    assert [each.name for each in ApiToken.objects.all()] == ["laptop"]
    browser.post(page(ApiToken, "delete", token.pk), {"post": "yes"})
    assert not ApiToken.objects.exists()
    assert AuditEvent.objects.filter(action="token.revoked", actor="admin").exists()


def test_switching_users_off_ends_what_they_are_logged_in_with(browser: Client, make_user: Any) -> None:
    bob = make_user("bob")
    ApiToken.issue(bob, "laptop", None)
    session = Client()
    session.force_login(bob)
    for action, is_active in (("switch_off", False), ("switch_on", True)):
        browser.post(page(User, "changelist"), {"action": action, "_selected_action": [bob.pk]})
        bob.refresh_from_db()
        assert bob.is_active is is_active
        assert session.get("/api/v2/me/").status_code == 401
    assert not ApiToken.objects.exists()
    assert AuditEvent.objects.filter(action="user.updated", subject="bob").count() == 2


def test_who_manages_there_gives_no_more_than_they_have(
    mary: Client, shut: Entity, make_user: Any, admin_user: User
) -> None:
    bob, strong = make_user("bob"), Role.objects.create(name="strong")
    RolePermission.objects.create(role=strong, entity=shut, level=Level.READABLE)
    group = Group.objects.create(name="strong ones")
    strong.groups.add(group)
    own = User.objects.get(username="mary")
    password = {"password1": "correct horse", "password2": "correct horse", "usable_password": "true"}
    permission = Permission.objects.get(codename="add_entity")
    kept = [each.pk for each in own.user_permissions.all()]
    mine: dict[str, Any] = {"is_staff": "on", "user_permissions": kept}
    for url, form in (
        (
            page(User, "change", own.pk),
            user_form(own, **mine, is_superuser="on"),
        ),
        (
            page(User, "change", own.pk),
            user_form(own, **mine | {"user_permissions": [*kept, permission.pk]}),
        ),
        (
            page(User, "change", own.pk),
            user_form(own, **mine, groups=[group.pk]),
        ),
        (page(User, "change", bob.pk), user_form(bob, is_staff="on")),
        (page(User, "change", admin_user.pk), user_form(admin_user, first_name="A", is_staff="on")),
        (reverse("admin:auth_user_password_change", args=[admin_user.pk]), password),
        (page(Role, "change", strong.pk), role_form("strong", users=[own.pk], groups=[group.pk])),
        (page(Role, "add"), role_form("new", can_add_entities="on")),
        (page(Group, "add"), {"name": "new", "parent": group.pk}),
        (page(Group, "change", group.pk), {"name": "strong ones", "users": [own.pk]}),
    ):
        text = shown(mary.post(url, form, follow=True))
        assert "superuser" in text, url
    users = User.objects.filter(is_superuser=True) | User.objects.filter(is_staff=True)
    assert {user.username for user in users} == {"admin", "mary"}
    assert own.get_all_permissions() == User.objects.get(pk=own.pk).get_all_permissions()
    held = (own.groups.count(), own.roles.count(), Group.objects.filter(name="new").count())
    assert held == (0, 0, 0)
    assert admin_user.password == User.objects.get(pk=admin_user.pk).password


def test_what_a_role_grants_on_what_one_can_not_see_is_not_there_and_stays(
    mary: Client, shut: Entity, make_entity: Any
) -> None:
    role, seen = Role.objects.create(name="r"), make_entity("Seen")
    RolePermission.objects.create(role=role, entity=shut, level=Level.READABLE)
    granted = RolePermission.objects.create(role=role, entity=seen, level=Level.READABLE)
    url = page(Role, "change", role.pk)
    text = shown(mary.get(url))
    assert "Seen" in text
    assert "Shut" not in text
    form = role_form("r", {"role": role.pk, "entity": shut.pk, "level": 8})
    answer = shown(mary.post(url, form))
    assert "Select a valid choice" in answer
    assert "Shut" not in answer
    raised = {"id": granted.pk, "role": role.pk, "entity": seen.pk, "level": 8}
    mary.post(url, role_form("r", raised))
    mary.post(url, role_form("renamed", raised | {"DELETE": "on"}))
    role.refresh_from_db()
    assert (role.name, [each.entity for each in role.permissions.all()]) == ("renamed", [shut])


def test_members_that_one_can_not_see_stay(mary: Client, make_user: Any) -> None:
    own = User.objects.get(username="mary")
    own.user_permissions.set(Permission.objects.filter(codename__in=["change_role", "change_group"]))
    bob, role, group = make_user("bob"), Role.objects.create(name="r"), Group.objects.create(name="g")
    role.users.add(bob, own)
    group.user_set.add(bob, own)
    nest(group, Group.objects.create(name="p"))
    assert "bob" not in shown(mary.get(page(Role, "change", role.pk)))
    assert "bob" not in shown(mary.get(page(Group, "change", group.pk)))
    mary.post(page(Role, "change", role.pk), role_form("renamed", users=[]))
    mary.post(page(Group, "change", group.pk), {"name": "renamed", "users": []})
    assert [*Role.objects.get(name="renamed").users.all()] == [bob]
    assert [*Group.objects.get(name="renamed").user_set.all()] == [bob]


@pytest.mark.parametrize(
    ("model", "lookup", "other"),
    [
        (Role, "users__id", "user"),
        (Role, "groups", "group"),
        (Role, "permissions__id", "grant"),
        (Group, "user__id", "user"),
        (Group, "roles__id__exact", "role"),
        (User, "groups__id__exact", "group"),
        (User, "roles", "role"),
        (Entity, "attrs__id", "role"),
        (Entity, "owner", "user"),
    ],
)
def test_a_list_is_not_asked_for_by_rows_of_others(
    mary: Client, make_user: Any, shut: Entity, model: type[Any], lookup: str, other: str
) -> None:
    role, group, bob = Role.objects.create(name="r"), Group.objects.create(name="g"), make_user("bob")
    grant = RolePermission.objects.create(role=role, entity=shut, level=Level.READABLE)
    seer = User.objects.get(username="mary")
    seer.user_permissions.add(Permission.objects.get(codename="view_entity"))
    ids = {"role": role.pk, "group": group.pk, "user": bob.pk, "grant": grant.pk}
    assert mary.get(page(model, "changelist")).status_code == 200
    assert mary.get(page(model, "changelist"), {lookup: ids[other]}).status_code == 400
    assert mary.get(page(User, "changelist"), {"is_staff__exact": "1"}).status_code == 200


def test_pages_of_a_role_name_nothing_that_one_can_not_see(
    browser: Client, mary: Client, shut: Entity
) -> None:
    role = Role.objects.create(name="r")
    form = role_form("r", {"entity": shut.pk, "level": Level.READABLE})
    browser.post(page(Role, "change", role.pk), form)
    assert role.permissions.count() == 1
    for name in ("change", "history", "delete"):
        told = mary.get(page(Role, name, role.pk))
        assert (told.status_code, "Shut" in shown(told)) == (200, False), name
    chosen = {"action": "delete_selected", "_selected_action": [role.pk]}
    told = mary.post(page(Role, "changelist"), chosen)
    assert (told.status_code, "Shut" in shown(told)) == (200, False)
    mary.post(page(Role, "delete", role.pk), {"post": "yes"})
    assert not Role.objects.exists()


def test_who_sees_users_alone_is_told_of_no_groups(make_user: Any) -> None:
    Group.objects.create(name="secret cabal")
    user = make_user("desk")
    User.objects.filter(pk=user.pk).update(is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_user"))
    client = Client()
    client.force_login(User.objects.get(pk=user.pk))
    assert "cabal" not in shown(client.get(page(User, "changelist")))
    assert "cabal" not in shown(client.get(page(User, "change", user.pk)))
