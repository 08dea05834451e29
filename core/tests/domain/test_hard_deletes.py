"""Rows of plugins that are not enabled are not left pointing to nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection, models, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import ProtectedError
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from pagoda.domain.entity.models import Entity
from pagoda.domain.entry import services
from pagoda.domain.entry.models import AttributeValue, Entry
from pagoda.domain.hard_deletes import StillReferenced, removable, unseen_keys
from pagoda.domain.user.models import Role, User
from pagoda.jobs.models import Job
from pagoda.jobs.store import sweeps
from pagoda_plugin_sdk.operations import JobStatus

pytestmark = pytest.mark.django_db


@pytest.fixture
def left_behind() -> Callable[..., None]:
    """Make a table as a plugin leaves it when it is taken out, with a row that refers to something."""

    def make(target: models.Model, app: str = "assets", *, is_migrated: bool = True) -> None:
        table = f"{app}_{target._meta.model_name}"
        with connection.cursor() as cursor:
            cursor.execute(
                f'CREATE TABLE "{table}" ("id" integer PRIMARY KEY, "owner_id" bigint NOT NULL REFERENCES '
                f'"{target._meta.db_table}" ("id") DEFERRABLE INITIALLY DEFERRED)'
            )
            cursor.execute(f'INSERT INTO "{table}" VALUES (1, %s)', [target.pk])
        if is_migrated:
            MigrationRecorder(connection).record_applied(app, "0001_initial")

    return make


def things(user: User, network: Entity) -> dict[str, Any]:
    lan = services.create_entry(user, network, name="lan", attrs={"cidr": "x"})
    return {
        "user": User.objects.create_user("bob"),
        "group": Group.objects.create(name="g"),
        "role": Role.objects.create(name="r"),
        "entity": Entity.objects.create_entity(user=None, name="E"),
        "entityattr": network.attrs.get(),
        "entry": lan,
        "attributevalue": AttributeValue.objects.get(parent_entry=lan),
    }


@pytest.mark.parametrize("kind", ["user", "group", "role", "entity", "entityattr", "entry", "attributevalue"])
def test_a_row_that_a_disabled_plugin_refers_to_is_not_deleted(
    user: User, network: Entity, left_behind: Callable[..., None], kind: str
) -> None:
    target = things(user, network)[kind]
    left_behind(target)
    deleted = target.parent_entry if kind == "attributevalue" else target

    with pytest.raises(StillReferenced) as caught, transaction.atomic():
        (getattr(deleted, "hard_delete", None) or deleted.delete)()

    message = str(caught.value.args[0])
    assert f"1 row(s) of table 'assets_{kind}' (column 'owner_id') refer to it" in message
    assert "of app 'assets', whose plugin is not enabled; enable it in ENABLED_PLUGINS" in message
    assert "`pagoda migrate assets zero`" in message
    assert type(target)._base_manager.filter(pk=target.pk).exists()


def test_a_queryset_and_an_entity_with_entries_are_refused_too(
    user: User, network: Entity, left_behind: Callable[..., None]
) -> None:
    bob = User.objects.create_user("bob")
    left_behind(bob)
    with pytest.raises(ProtectedError, match="assets_user"), transaction.atomic():
        User.objects.filter(username__in=["bob"]).delete()
    lan = services.create_entry(user, network, name="lan")
    left_behind(lan)
    services.delete_entry(lan, user)
    with pytest.raises(ProtectedError, match=r"Entry 'lan' can't be deleted.*assets_entry"):
        network.hard_delete()
    assert Entry.objects.filter(pk=lan.pk).exists()


def test_what_nothing_refers_to_is_deleted(
    user: User, network: Entity, left_behind: Callable[..., None]
) -> None:
    left_behind(user)
    User.objects.create_user("bob").delete()
    network.hard_delete()
    assert set(User.objects.all()) == {user}
    assert not Entity.objects.exists()


def test_a_table_without_an_app_is_named_and_one_that_cascades_is_left_to_the_database(
    user: User, left_behind: Callable[..., None]
) -> None:
    left_behind(user, "nobody", is_migrated=False)
    with pytest.raises(ProtectedError, match=r"'nobody_user'.*no installed app knows"), transaction.atomic():
        user.delete()
    bob = User.objects.create_user("bob")
    with connection.cursor() as cursor:
        cursor.execute('CREATE TABLE "own" ("u" bigint REFERENCES "user_user" ("id") ON DELETE CASCADE)')
        cursor.execute('INSERT INTO "own" VALUES (%s)', [bob.pk])
    bob.delete()
    with connection.cursor() as cursor:
        cursor.execute('SELECT COUNT(*) FROM "own"')
        assert cursor.fetchone() == (0,)


@pytest.mark.parametrize("model", [User, Group, Role, Entity, Entry, AttributeValue])
def test_every_key_of_installed_models_is_seen_to(db: None, model: type[models.Model]) -> None:
    assert unseen_keys(model) == []


def test_many_rows_take_one_look_at_the_keys(user: User) -> None:
    User.objects.bulk_create(User(username=f"u{number}") for number in range(20))
    with CaptureQueriesContext(connection) as captured:
        User.objects.filter(username__startswith="u").delete()
    assert sum("foreign_key_list" in each["sql"] or "pg_constraint" in each["sql"] for each in captured) == 1


def test_a_protected_row_is_no_clash_of_writes(user: User, network: Entity) -> None:
    def protect(*_args: object, **_kwargs: object) -> None:
        raise ProtectedError("kept", set())

    models.signals.pre_save.connect(protect, sender=Entry)
    try:
        with pytest.raises(IntegrityError, match="kept"):
            services.create_entry(user, network, name="lan")
    finally:
        models.signals.pre_save.disconnect(protect, sender=Entry)


def test_old_rows_that_are_kept_do_not_stop_the_others(user: User, left_behind: Callable[..., None]) -> None:
    limits = {"operation": 1, "soft_limit_seconds": 1, "hard_limit_seconds": 2}
    kept, other = Job.objects.create(**limits), Job.objects.create(**limits)
    Job.objects.update(created_at=timezone.now() - timedelta(days=2), status=JobStatus.PREPARING)
    assert set(removable(Job.objects.all())) == {kept, other}
    left_behind(kept)
    assert sweeps.purge(timedelta(days=1)) == 1
    assert list(Job.objects.all()) == [kept]
