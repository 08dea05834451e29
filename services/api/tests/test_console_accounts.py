"""Users, groups and roles in the console, and why somebody may see something."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from pagoda.domain.user.models import Level, Role, RolePermission, User
from pagoda_api.testing.host import browser_of

pytestmark = pytest.mark.django_db

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def boss(make_user: Any) -> Client:
    return browser_of(make_user("boss", is_superuser=True))


def of(kind: str, pk: int | None = None, name: str = "console-account") -> str:
    return reverse(f"{name}-new", args=[kind]) if pk is None else reverse(name, args=[kind, pk])


def form_of(browser: Client, url: str) -> dict[str, Any]:
    """Return what a browser would send of the form without a change."""
    context = browser.get(url).context
    form: dict[str, Any] = {"version": context.get("version", "")}
    for field in context["fields"]:
        form[field.key] = [row.text for row in field.inputs]
        if field.element == "grant":
            form[f"{field.key}-name"] = [row.name or "nothing" for row in field.inputs]
    return form


def test_a_user_is_made_and_changed(boss: Client) -> None:
    group = Group.objects.create(name="staff")
    url = of("user")
    form = {**form_of(boss, url), "attr-username": "eve", "attr-password": "battery staple 7"}
    form |= {"attr-groups": ["staff"], "attr-is_active": "true", "attr-first_name": EVIL}
    answer = boss.post(url, form, follow=True)
    assert "eve is stored." in answer.content.decode()
    assert EVIL not in answer.content.decode()
    eve = User.objects.get(username="eve")
    assert (list(eve.groups.all()), eve.check_password("battery staple 7")) == ([group], True)

    page = of("user", eve.pk)
    unchanged = form_of(boss, page)
    assert "battery" not in boss.get(page).content.decode()
    changed = {**unchanged, "attr-groups": [""], "attr-is_active": "false", "attr-first_name": ""}
    boss.post(page, changed)
    eve.refresh_from_db()
    assert (eve.groups.count(), eve.is_active, eve.first_name) == (0, False, "")
    assert eve.check_password("battery staple 7")
    stale = boss.post(page, {**unchanged, "attr-last_name": "old"})
    assert stale.status_code == 412
    assert boss.post(of("user", eve.pk, "console-account-delete")).status_code == 302
    assert not User.objects.filter(username="eve").exists()


def test_faults_stand_beside_their_fields(boss: Client) -> None:
    url = of("user")
    answer = boss.post(url, {**form_of(boss, url), "attr-username": "a b", "attr-groups": "nowhere"})
    assert answer.status_code == 400
    faults = {each.attr["id"]: each.faults for each in answer.context["fields"] if each.faults}
    assert faults.keys() == {"username", "groups"}
    assert answer.context["fields"][0].rows[0].text == "a b"


def test_a_role_grants_levels(boss: Client, web: Any, make_user: Any) -> None:
    bob, url = make_user("bob"), of("role")
    form = {**form_of(boss, url), "attr-name": "readers", "attr-is_active": "true", "attr-users": ["bob"]}
    form |= {
        "attr-permissions": ["entity Host", f"entry web #{web.pk}", ""],
        "attr-permissions-name": ["readable", "full", "nothing"],
    }
    boss.post(url, form)
    role = Role.objects.get(name="readers")
    assert list(role.users.all()) == [bob]
    levels = {(each.entity_id, each.entry_id): each.level for each in role.permissions.all()}
    assert levels == {(web.schema_id, None): Level.READABLE, (None, web.pk): Level.FULL}
    shown = form_of(boss, of("role", role.pk))["attr-permissions"]
    assert shown == [f"entity Host #{web.schema_id}", f"entry web #{web.pk}", ""]

    wrong = boss.post(url, {**form, "attr-name": "more", "attr-permissions": ["everything", "", ""]})
    assert wrong.status_code == 400
    assert not Role.objects.filter(name="more").exists()


def test_who_manages_nothing_sees_themselves_and_changes_nothing(ann: Any, make_user: Any) -> None:
    bob, browser = make_user("bob"), browser_of(ann)
    assert "bob" not in browser.get(reverse("console-accounts", args=["user"])).content.decode()
    assert browser.get(of("user", bob.pk)).status_code == 404
    page = of("user", ann.pk)
    answer = browser.post(page, {**form_of(browser, page), "attr-is_superuser": "true"})
    assert answer.status_code == 403
    assert browser.post(of("user"), {"attr-username": "eve"}).status_code == 403
    ann.refresh_from_db()
    assert (ann.is_superuser, User.objects.filter(username="eve").exists()) == (False, False)


def test_why_somebody_may_see_something_is_told(boss: Client, ann: Any, web: Any) -> None:
    group = Group.objects.create(name=EVIL)
    ann.groups.add(group)
    role = Role.objects.create(name="readers of it")
    role.groups.add(group)
    RolePermission.objects.create(role=role, level=Level.WRITABLE, entity=web.schema)
    query = {"user": "ann", "kind": "entry", "thing": f"web #{web.pk}"}
    answer = boss.get(reverse("console-access"), query)
    text = answer.content.decode()
    assert answer.context["answer"]["level"] == "full"
    assert "readers of it" in text
    assert "&lt;script&gt;" in text
    assert EVIL not in text
    assert boss.get(reverse("console-access"), {**query, "user": "nobody"}).status_code == 404
    assert boss.get(reverse("console-access"), {**query, "thing": "everything"}).status_code == 400
    assert browser_of(ann).get(reverse("console-access"), {**query, "user": "boss"}).status_code == 404


@pytest.mark.parametrize("kind", ["user", "group", "role"])
def test_lists_ask_a_bounded_number_of_queries(
    boss: Client, make_user: Any, kind: str, django_assert_max_num_queries: Any
) -> None:
    for number in range(10):
        user, group = make_user(f"user {number}"), Group.objects.create(name=f"group {number}")
        user.groups.add(group)
        user.user_permissions.add(Permission.objects.get(codename="add_entity"))
        Role.objects.create(name=f"role {number}").users.add(user)
    with django_assert_max_num_queries(16):
        text = boss.get(reverse("console-accounts", args=[kind])).content.decode()
    assert f"{kind} 9" in text
