"""Indexes of single attributes: made when an attribute is marked, used, and dropped when the mark goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from pagoda.domain import value_indexes
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry import services
from pagoda.domain.value_expressions import compared, key_of
from pagoda.domain.value_indexes import has_index, make_indexes
from pagoda.jobs.core_tasks import index_values
from pagoda_plugin_sdk.rules.attr_types import TYPES

pytestmark = pytest.mark.django_db(transaction=True)  # PostgreSQL makes them outside of transactions

ALL = [
    {"name": name, "type": name, "is_indexed": True, **({"choices": ["a", "b"]} if "select" in name else {})}
    for name in TYPES
]


@pytest.fixture
def things() -> Iterator[Entity]:
    yield Entity.objects.create_entity(user=None, name="Thing", attrs=ALL)
    EntityAttr.objects.update(is_indexed=False)
    make_indexes()  # drops them


def name_of(attr: EntityAttr) -> str:
    return f"pagoda_value_{attr.pk}_{attr.attr_type.type_name}"


def named(things: Entity, names: Callable[[EntityAttr], bool]) -> list[str]:
    return [name_of(attr) for attr in things.attrs.order_by("pk") if names(attr)]


def test_what_is_marked_gets_one_and_nothing_is_made_twice(things: Entity) -> None:
    done = make_indexes()
    assert done.made == named(things, lambda attr: not attr.attr_type.is_array)
    assert not done.failed
    assert not done.dropped
    again = make_indexes()
    assert (again.made, again.dropped, again.failed) == ([], [], {})


def test_the_mark_alone_is_no_index(things: Entity) -> None:
    attr = things.attrs.get(name="number")
    assert not has_index(attr)
    make_indexes()
    assert has_index(attr) is (connection.vendor == "postgresql")
    things.update_attrs(None, [{"id": attr.pk, "is_indexed": False}])
    make_indexes()
    assert not has_index(attr)
    assert not has_index(things.attrs.get(name="array_number"))


def test_another_type_takes_another_index(things: Entity) -> None:
    make_indexes()
    attr = things.attrs.get(name="number")
    former = name_of(attr)
    things.update_attrs(None, [{"id": attr.pk, "type": "string"}])
    done = make_indexes()
    attr.refresh_from_db()
    assert (done.dropped, done.made) == ([former], [name_of(attr)])


def test_what_is_made_leaves_with_the_column_of_values(things: Entity) -> None:
    make_indexes()
    executor = MigrationExecutor(connection)
    latest = executor.loader.graph.leaf_nodes()
    try:
        executor.migrate([("entry", "0002_bound_base_manager")])
    finally:
        MigrationExecutor(connection).migrate(latest)
    assert make_indexes().made == []  # the marks were later than the values
    EntityAttr.objects.update(is_indexed=True)
    assert len(make_indexes().made) == len(TYPES) // 2


def test_it_goes_with_the_mark_the_attribute_or_the_entity(things: Entity) -> None:
    make_indexes()
    text, number = (things.attrs.get(name=name) for name in ("text", "number"))
    things.update_attrs(None, [{"id": text.pk, "is_indexed": False}, {"id": number.pk, "is_deleted": True}])
    assert set(make_indexes().dropped) == {name_of(attr) for attr in (text, number)}
    rest = named(things, lambda attr: not attr.attr_type.is_array and attr.pk not in (text.pk, number.pk))
    things.delete()
    assert sorted(make_indexes().dropped) == sorted(rest)


@pytest.mark.parametrize(
    ("name", "value", "bound"),  # few are above the bound: others are read as they lie
    [("string", "n 7", "n 98"), ("number", 7, 490), ("date", "2026-01-07", "2026-01-27")],
)
def test_conditions_and_ordered_pages_use_it(things: Entity, name: str, value: object, bound: object) -> None:
    make_indexes()
    rows = [
        {"name": f"{n}", "attrs": {"string": f"n {n}", "number": n, "date": f"2026-01-{n % 28 + 1:02}"}}
        for n in range(500)
    ]
    services.create_entries(None, things, rows)
    attr = things.attrs.get(name=name)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        if connection.vendor == "postgresql":
            cursor.execute("SET enable_seqscan = off")  # a table as small as this
    found = things.entries.filter(compared(attr.pk, attr.attr_type, "exact", value))
    page = things.entries.alias(key=key_of(attr.pk, attr.attr_type)).order_by("key", "id")[:10]
    assert found.get() if name != "date" else found.exists()
    above = things.entries.filter(compared(attr.pk, attr.attr_type, "gt", bound))
    for query in (found.order_by(), above.order_by(), page):
        assert name_of(attr) in query.explain()


def test_one_that_fails_is_told_and_the_others_are_made(
    things: Entity, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = value_indexes._columns
    broken = things.attrs.get(name="number")
    name = name_of(broken)
    monkeypatch.setattr(
        value_indexes, "_columns", lambda attr: "(nothing)" if attr.pk == broken.pk else real(attr)
    )
    done = make_indexes()
    assert list(done.failed) == [name]
    assert "nothing" in done.failed[name]
    assert len(done.made) == len(TYPES) // 2 - 1
    with pytest.raises(RuntimeError, match=f"{name}: .*nothing.*pagoda entries index"):
        index_values(None)
    monkeypatch.undo()
    assert make_indexes().made == [name]
