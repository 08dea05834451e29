from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from pagoda.domain.entity.models import Entity
from pagoda.domain.entry import verifying
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import ApiToken, Level, Role, Scope, User
from pagoda.domain.user.permissions import may_add_entities


@pytest.mark.django_db
def test_the_migrations_match_the_models() -> None:
    printed = StringIO()
    call_command("makemigrations", "user", "entity", "entry", check=True, dry_run=True, stdout=printed)
    assert "No changes detected" in printed.getvalue()


@pytest.mark.django_db(transaction=True)
def test_nobody_loses_or_gains_a_right_by_the_closed_defaults() -> None:
    executor = MigrationExecutor(connection)
    latest = executor.loader.graph.leaf_nodes()
    before = [("user", "0002_role_permission"), ("entity", "0001_initial")]
    try:
        executor.migrate(before)
        old = executor.loader.project_state(before).apps
        ada = old.get_model("user", "User").objects.create(username="ada")
        old.get_model("user", "User").objects.create(username="root", is_superuser=True)
        old.get_model("entity", "Entity").objects.create(name="Open", created_user=ada, default_permission=8)
        old.get_model("entity", "Entity").objects.create(name="Shut", created_user=ada, default_permission=1)
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(latest)
    user, later = User.objects.get(username="ada"), User.objects.create_user("later")
    for of_then, of_now in ((user, True), (later, False)):
        assert may_add_entities(of_then) is of_now
        assert Entity.objects.get(name="Open").may_permitted(of_then, Level.FULL)
        assert not Entity.objects.get(name="Shut").may_permitted(of_then, Level.READABLE)
    assert [user.username for user in Role.objects.get().users.all()] == ["ada"]


@pytest.mark.django_db(transaction=True)
def test_who_is_switched_off_gets_no_old_token_or_session_back() -> None:
    executor = MigrationExecutor(connection)
    latest, before = executor.loader.graph.leaf_nodes(), [("user", "0004_group_nesting")]
    try:
        executor.migrate(before)
        old = executor.loader.project_state(before).apps
        for name in ("ada", "off"):
            user = old.get_model("user", "User").objects.create(username=name, is_active=name == "ada")
            old.get_model("user", "ApiToken").objects.create(user=user, name=name, digest=name)
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(latest)
    ada, off = User.objects.order_by("username")
    assert (ada.session_salt, len(off.session_salt)) == ("", 32)
    kept = ApiToken.objects.get()
    assert (kept.user, kept.scope, kept.networks, kept.last_used_time) == (ada, Scope.READ_WRITE, [], None)


@pytest.mark.django_db(transaction=True)
def test_entries_of_an_earlier_release_are_read_and_converted() -> None:
    executor = MigrationExecutor(connection)
    latest = executor.loader.graph.leaf_nodes()
    before = [("entity", "0002_owner"), ("entry", "0002_bound_base_manager")]
    try:
        executor.migrate(before)
        old = executor.loader.project_state(before).apps

        def make(model: str, /, **fields: Any) -> Any:
            return old.get_model(model).objects.create(**fields)

        entity = make("entity.Entity", name="Host")
        entries = [make("entry.Entry", name=f"host {number}", schema=entity) for number in range(3)]
        for index, (name, attr_type) in enumerate([("ram", 1 << 8), ("peers", 1 << 0 | 1 << 10)]):
            rule = make("entity.EntityAttr", parent_entity=entity, name=name, type=attr_type, index=index)
            for number, entry in enumerate(entries):
                attribute = make("entry.Attribute", parent_entry=entry, schema=rule, name=name)
                values = {"parent_attr": attribute, "parent_entry": entry}
                make("entry.AttributeValue", **values, value=-1, is_latest=False)
                value = make("entry.AttributeValue", **values, value=number if name == "ram" else None)
                for ordinal in range(number if name == "peers" else 0):
                    make("entry.AttributeReference", value=value, ordinal=ordinal, entry=entries[ordinal])
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(latest)
    hosts = list(Entry.objects.order_by("pk"))
    expected = [(0, []), (1, ["host 0"]), (2, ["host 0", "host 1"])]

    def read() -> list[tuple[int, list[str]]]:
        found = [Entry.objects.get(pk=host.pk).get_attrs() for host in hosts]
        return [(attrs["ram"], [peer["name"] for peer in attrs["peers"]]) for attrs in found]

    assert read() == expected
    hosts[1].set_attrs(None, ram=5)
    assert verifying.fill() == 3
    assert read() == [expected[0], (5, ["host 0"]), expected[2]]
    assert verifying.verify() == verifying.ValuesCheck(entries=3)
