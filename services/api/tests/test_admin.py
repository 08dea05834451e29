from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import ProtectedError, RestrictedError
from django.test import Client
from django.urls import reverse

from pagoda.domain.entity.models import Entity
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import ApiToken, Role, User
from pagoda.fencing.models import Breaker
from pagoda.hooks.manager import manager
from pagoda.jobs.models import Job
from pagoda_api.admin.operating import ForSuperusers
from pagoda_api.admin.refusing import CONSOLE_PAGES
from pagoda_api.problems import handle_exception
from pagoda_plugin_sdk.exceptions import HookRejected

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(make_user: Callable[..., Any]) -> Any:
    return make_user("root", is_superuser=True)


@pytest.fixture
def browser(root: Any) -> Client:
    client = Client(raise_request_exception=True)
    client.force_login(root)
    return client


@pytest.fixture
def refuse() -> Any:
    """Have a plugin refuse a hook."""

    def handler(*args: Any) -> None:
        raise HookRejected("not today")

    yield lambda hook: manager().register_hook(hook, handler, plugin_id="keeper")
    manager().unregister_plugin("keeper")


def url(thing: Any, page: str) -> str:
    name = f"admin:{thing._meta.app_label}_{thing._meta.model_name}_{page}"
    return reverse(name, args=[] if isinstance(thing, type) else [thing.pk])


def shown(response: Any) -> str:
    text: str = response.content.decode()
    return text.replace("&#x27;", "'").replace("&quot;", '"')


FIELDS = {"note": "", "default_permission": 8, "attrs-TOTAL_FORMS": 0, "attrs-INITIAL_FORMS": 0}


def test_pages_of_all_models_open(browser: Client, make_entity: Any, make_entry: Any) -> None:
    entry = make_entry(make_entity("Host", address="string"), "web")
    role = Role.objects.create(name="operators")

    pages = [url(type(each), "changelist") for each in (entry, entry.schema, role)]
    pages += [url(each, "change") for each in (entry, entry.schema, role)]
    pages += [url(type(each), "add") for each in (entry, entry.schema, role)]
    pages += [reverse("admin:user_user_changelist"), reverse("admin:job_job_changelist")]

    assert [browser.get(page).status_code for page in pages] == [200] * len(pages)


def test_every_row_leads_to_its_page_in_the_console(
    browser: Client, root: Any, make_entity: Any, make_entry: Any
) -> None:
    entry = make_entry(make_entity("Host"), "web")
    token, _ = ApiToken.issue(root, "laptop", None)
    group, role = Group.objects.create(name="g"), Role.objects.create(name="r")
    numbers = dict.fromkeys(("since", "window", "calls", "failures", "retry_at", "version"), 0)
    breaker = Breaker.objects.create(plugin="moody", surface="hooks", status="open", streaks={}, **numbers)
    limits = {"soft_limit_seconds": 1, "hard_limit_seconds": 2}
    job = Job.objects.create(operation=92, operation_name="canary", target_type=1, user=root, **limits)
    pages = {
        entry: reverse("console-entry", args=[entry.pk]),
        entry.schema: reverse("console-entity", args=[entry.schema_id]),
        job: reverse("console-job", args=[job.pk]),
        root: reverse("console-account", args=["user", root.pk]),
        group: reverse("console-account", args=["group", group.pk]),
        role: reverse("console-account", args=["role", role.pk]),
        token: reverse("console-account", args=["user", root.pk]),
        breaker: reverse("console-plugin", args=["moody"]),
    }
    assert {type(each) for each in pages} == set(CONSOLE_PAGES)
    for row, page in pages.items():
        for where in (url(row, "change"), url(type(row), "changelist")):
            assert f'href="{page}"' in shown(browser.get(where)), where


def test_tables_of_the_host_are_for_superusers_to_look_at(browser: Client, make_user: Any) -> None:
    tables = [model for model, page in admin.site._registry.items() if isinstance(page, ForSuperusers)]
    assert len(tables) == 5
    staff = make_user("mary")
    staff.is_staff = True
    staff.save()
    staff.user_permissions.set(Permission.objects.all())
    theirs = Client()
    theirs.force_login(staff)
    for table in tables:
        assert browser.get(url(table, "changelist")).status_code == 200, table
        assert browser.get(url(table, "add")).status_code == 403, table
        assert theirs.get(url(table, "changelist")).status_code == 403, table


def test_it_bears_the_name_of_the_host_and_files_of_its_own(browser: Client) -> None:
    text = shown(browser.get("/admin/"))
    assert "Pagoda" in text
    assert "Django administration" not in text
    assert re.findall(r"<script(?![^>]* src=\"/static/)", text) == []
    assert re.findall(r"(?:src|href)=\"(?:https?:)?//", text) == []
    assert "script-src 'self' 'unsafe-eval'" in browser.get("/admin/")["Content-Security-Policy"]


def test_what_is_written_there_runs_hooks_as_the_user(browser: Client, root: Any) -> None:
    seen: list[Any] = []
    manager().register_hook(
        "entity.after_create", lambda user, entity: seen.append((user, entity.name)), plugin_id="t"
    )
    try:
        browser.post(url(Entity, "add"), {"name": "Host", **FIELDS})
    finally:
        manager().unregister_plugin("t")

    assert seen == [(root, "Host")]
    assert Entity.objects.get().created_user == root


def test_delete_is_soft(browser: Client, make_entity: Any, make_entry: Any) -> None:
    entry = make_entry(make_entity("Host"), "web")

    browser.post(url(entry, "delete"), {"post": "yes"})

    entry.refresh_from_db()
    assert not entry.is_active


def test_selected_rows_are_deleted_softly_and_restored(
    browser: Client, make_entity: Any, make_entry: Any
) -> None:
    host = make_entity("Host")
    made = [make_entry(host, name).pk for name in ("web", "db")]

    browser.post(url(Entry, "changelist"), {"action": "delete_softly", "_selected_action": made})
    assert Entry.objects.active().count() == 0

    browser.post(url(Entry, "changelist"), {"action": "restore", "_selected_action": made})
    assert Entry.objects.active().count() == 2


def test_entity_with_entries_is_not_deleted_and_it_says_why(
    browser: Client, make_entity: Any, make_entry: Any
) -> None:
    host, rack = make_entity("Host"), make_entity("Rack")
    make_entry(host, "web")

    response = browser.post(
        url(Entity, "changelist"),
        {"action": "delete_softly", "_selected_action": [host.pk, rack.pk]},
        follow=True,
    )

    assert "Host: Entity 'Host' has active entries; delete them first." in shown(response)
    assert "1 deleted." in shown(response)
    response = browser.post(url(host, "delete"), {"post": "yes"}, follow=True)
    assert "Entity 'Host' has active entries; delete them first." in shown(response)
    assert list(Entity.objects.active().values_list("name", flat=True)) == ["Host"]


@pytest.mark.parametrize("hook", ["entry.before_update", "entry.validate"])
def test_refusal_of_a_plugin_is_shown_and_stores_nothing(
    browser: Client, make_entity: Any, make_entry: Any, refuse: Any, hook: str
) -> None:
    entry = make_entry(make_entity("Host"), "web")
    refuse(hook)

    response = browser.post(url(entry, "change"), {"name": "new", **FIELDS}, follow=True)

    assert f"Plugin 'keeper' refused {hook} of 'Host': not today" in shown(response)
    assert Entry.objects.get().name == "web"


def test_jobs_are_to_look_at(browser: Client) -> None:
    assert browser.get(url(Job, "changelist")).status_code == 200
    assert browser.get(url(Job, "add")).status_code == 403


@pytest.fixture
def kept_user(make_user: Callable[..., Any]) -> Any:
    """A user to whom a row of a plugin refers that is not enabled."""
    user = make_user("bob")
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE assets_owner (u bigint REFERENCES user_user (id) DEFERRABLE INITIALLY DEFERRED)"
        )
        cursor.execute("INSERT INTO assets_owner VALUES (%s)", [user.pk])
    MigrationRecorder(connection).record_applied("assets", "0001_initial")
    return user


def test_a_user_that_a_disabled_plugin_refers_to_is_kept_with_the_reason(
    browser: Client, kept_user: Any
) -> None:
    chosen = {"action": "delete_selected", "_selected_action": [kept_user.pk], "post": "yes"}
    for page, data in ((url(kept_user, "delete"), {"post": "yes"}), (url(User, "changelist"), chosen)):
        text = shown(browser.post(page, data, follow=True))
        assert "1 row(s) of table 'assets_owner' (column 'u') refer to it, of app 'assets'" in text
        assert User.objects.filter(username="bob").exists()


def test_groups_and_roles_are_deleted(browser: Client) -> None:
    for thing in (Group.objects.create(name="g"), Role.objects.create(name="r")):
        browser.post(url(thing, "delete"), {"post": "yes"})
        assert not type(thing)._default_manager.exists()


@pytest.mark.parametrize(
    "error", [ProtectedError("kept by 'Asset.owner'", set()), RestrictedError("kept", set())]
)
def test_a_protected_row_is_a_conflict_in_the_api(error: Exception) -> None:
    response = handle_exception(error, {})
    assert response is not None
    assert (response.status_code, response.data["code"]) == (409, "conflict")
    assert "kept" in response.data["detail"]


def test_a_name_that_is_taken_is_refused_in_the_form(
    browser: Client, make_entity: Any, make_entry: Any
) -> None:
    host, rack = make_entity("Host"), make_entity("Rack")
    web, other = make_entry(host, "web"), make_entry(host, "other")
    for page, form, told in (
        (url(Entity, "add"), {"name": "Host"}, "Another entity has this name"),
        (url(rack, "change"), {"name": "Host"}, "Another entity has this name"),
        (url(Entry, "add"), {"name": "web", "schema": host.pk}, "Another entry of the entity has this name"),
        (url(other, "change"), {"name": "web"}, "Another entry of the entity has this name"),
    ):
        answer = browser.post(page, FIELDS | form)
        assert (answer.status_code, told in shown(answer)) == (200, True), page
    browser.post(url(Entry, "add"), FIELDS | {"name": "web", "schema": rack.pk})
    web.delete()
    browser.post(url(other, "change"), FIELDS | {"name": "web"})
    names = Entry.objects.active().order_by("pk").values_list("schema__name", "name")
    assert list(names) == [("Host", "web"), ("Rack", "web")]


def test_its_own_texts_are_in_the_language_of_whoever_looks(browser: Client, web: Any) -> None:
    table, japanese = url(Entry, "changelist"), {"accept-language": "ja"}
    told = {"en": "Restore the selected ones", "ja": "選択したものを復元"}
    for language, text in told.items():
        assert text in shown(browser.get(table, headers={"accept-language": language})), language
    data = {"action": "delete_softly", "_selected_action": web.pk}
    answer = browser.post(table, data, headers=japanese, follow=True)
    assert "1 件を削除しました。" in shown(answer)
    assert "ログアウト" in shown(browser.get(reverse("admin:index"), headers=japanese))
