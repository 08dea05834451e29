"""What points to something points to what is there, whoever checks it: PostgreSQL has triggers for that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection, transaction
from django.db.models import Model

from pagoda.domain import statement_keys
from pagoda.domain.entity.models import Entity
from pagoda.domain.entry import services
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import Role, User

MODELS: dict[str, type[Model]] = {model._meta.db_table: model for model in apps.get_models()}
KEYS = [(table, column, to) for table, keys in statement_keys.KEYS.items() for column, to in keys.items()]
IDS = [f"{table}.{column}" for table, column, _ in KEYS]
NOT_THERE = 2_000_000_000
FRESH: dict[str, Callable[[int], dict[str, Any]]] = {  # a row of which the constraints are kept
    "entry_entry": lambda n: {"name": f"fresh {n}"},
    "entry_attribute": lambda _: {},
    "entry_attributevalue": lambda _: {"is_latest": False},
    "entry_attributereference": lambda n: {"ordinal": 10 + n},
}

pytestmark = pytest.mark.django_db


@pytest.fixture
def entry(user: User, group: Group, role: Role) -> Entry:
    attrs = [{"name": "lan", "type": "object"}, {"name": "team", "type": "group"}]
    attrs += [{"name": "owner", "type": "role"}]
    entity = Entity.objects.create_entity(user=None, name="Service", attrs=attrs)
    lan = services.create_entry(None, entity, name="lan")
    values = {"lan": lan.pk, "team": group.pk, "owner": role.pk}
    entry = services.create_entry(None, entity, name="web", attrs=values)
    for table in ("entry_entry", "entry_attribute", "entry_attributevalue"):
        MODELS[table]._base_manager.update(created_user_id=user.pk)
    return entry


def is_refused(act: Callable[[], object]) -> bool:
    """Return whether the database refuses what is done, at once or in the end."""
    try:
        with transaction.atomic():
            act()
            connection.check_constraints()
    except IntegrityError:
        return True
    return False


def holding(table: str, column: str) -> Model:
    """Return a row whose key is set, of the entry or what hangs on it."""
    found = MODELS[table]._base_manager.exclude(**{column: None}).order_by("-pk").first()
    assert found is not None
    return found


@pytest.mark.parametrize(("table", "column", "to"), KEYS, ids=IDS)
def test_rows_of_one_statement_may_not_point_to_what_is_not_there(
    entry: Entry, table: str, column: str, to: str
) -> None:
    model, row = MODELS[table], holding(table, column)
    names = {field.attname for field in model._meta.concrete_fields} - {"id", "current_values"}
    columns = {name: getattr(row, name) for name in names}
    good = [model(**columns | FRESH[table](0))]
    if table == "entry_attribute":  # an entry has one of each
        model._base_manager.filter(pk=row.pk).delete()
        good = []
    bad = model(**columns | FRESH[table](1) | {column: NOT_THERE})
    before = model._base_manager.count()
    assert is_refused(lambda: model._base_manager.bulk_create([*good, bad]))
    assert model._base_manager.count() == before
    fine = [*good, model(**columns | FRESH[table](1))]
    assert not is_refused(lambda: model._base_manager.bulk_create(fine))
    assert model._base_manager.count() == before + len(fine)


@pytest.mark.parametrize(("table", "column", "to"), KEYS, ids=IDS)
def test_no_row_is_made_to_point_to_what_is_not_there(entry: Entry, table: str, column: str, to: str) -> None:
    rows = MODELS[table]._base_manager.filter(pk=holding(table, column).pk)
    assert is_refused(lambda: rows.update(**{column: NOT_THERE}))
    assert not is_refused(lambda: rows.update(**{column: rows.values_list(column, flat=True)[0]}))


@pytest.mark.parametrize(("table", "column", "to"), KEYS, ids=IDS)
def test_nothing_is_deleted_that_a_row_points_to(entry: Entry, table: str, column: str, to: str) -> None:
    key = getattr(holding(table, column), column)
    rows = MODELS[to]._base_manager.filter(pk=key)
    assert is_refused(lambda: rows._raw_delete(rows.db))
    assert MODELS[to]._base_manager.filter(pk=key).exists()


def test_postgresql_has_these_triggers_in_the_place_of_its_own_keys() -> None:
    with connection.cursor() as cursor:
        own = {
            (table, each["columns"][0])
            for table in statement_keys.KEYS
            for each in connection.introspection.get_constraints(cursor, table).values()
            if each["foreign_key"]
        }
        if connection.vendor != "postgresql":
            assert own >= {(table, column) for table, column, _ in KEYS}
            return
        cursor.execute("SELECT tgname FROM pg_trigger WHERE starts_with(tgname, 'pagoda_keys_')")
        assert {name for (name,) in cursor.fetchall()} == set(statement_keys.names())
        assert own & {(table, column) for table, column, _ in KEYS} == set()


@pytest.mark.django_db(transaction=True)
def test_what_a_new_row_points_to_stays_until_its_transaction_ends() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("one writer at a time on SQLite")
    entity = Entity.objects.create_entity(user=None, name="Service", attrs=[])
    with transaction.atomic():
        services.create_entry(None, entity, name="web")
        settings = connection.settings_dict
        with psycopg.connect(
            host=settings["HOST"], port=settings["PORT"], user=settings["USER"], dbname=settings["NAME"]
        ) as other:
            other.execute("SET lock_timeout = '100ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                other.execute("DELETE FROM entity_entity WHERE id = %s", [entity.pk])
    assert Entry.objects.filter(schema=entity.pk).count() == 1
