"""The values of attributes in SQL: compared and ordered by type, and nothing fails on one of another type."""

from __future__ import annotations

from typing import Any

import pytest

from pagoda.domain.entity.models import Entity
from pagoda.domain.entry import services
from pagoda.domain.entry.models import Entry
from pagoda.domain.value_expressions import compared, key_of, value_of
from pagoda_plugin_sdk.rules.attr_types import AttrType

pytestmark = pytest.mark.django_db

LONG = "x" * 300
VALUES: dict[str, list[Any]] = {  # in their order
    "text": ["", "A 'b' \"c\"", "a", "a b", LONG, LONG + "a", LONG + "b", "ä"],
    "number": [-(2**63) + 1, -1.5, 0, 9, 10, 1e300],
    "boolean": [False, True],
    "date": ["0999-12-31", "2026-01-31", "2026-02-01"],
    "datetime": ["2026-01-31T00:00:00Z", "2026-01-31T00:00:00.500000Z", "2026-01-31T00:00:01Z"],
}


@pytest.fixture
def things() -> Entity:
    attrs = [{"name": name, "type": name} for name in VALUES]
    things = Entity.objects.create_entity(user=None, name="Thing", attrs=attrs)
    rows = [
        {"name": f"{name} {position}", "attrs": {name: value}}
        for name, values in VALUES.items()
        for position, value in enumerate(values)
    ]
    services.create_entries(None, things, [*reversed(rows), {"name": "bare"}])
    return things


@pytest.mark.parametrize("name", VALUES)
def test_each_type_has_its_order(things: Entity, name: str) -> None:
    attr = things.attrs.get(name=name)
    expected = [f"{name} {position}" for position in range(len(VALUES[name]))]
    key, value = (of(attr.pk, attr.attr_type) for of in (key_of, value_of))
    rows = things.entries.alias(key=key, value=value).filter(value__isnull=False)
    assert [row.name for row in rows.order_by("key", "value")] == expected


@pytest.mark.parametrize("name", VALUES)
def test_each_type_is_compared(things: Entity, name: str) -> None:
    attr = things.attrs.get(name=name)
    for position, value in enumerate(VALUES[name]):
        others = range(len(VALUES[name]))
        expected = {
            "exact": [position],
            "gt": [each for each in others if each > position],
            "gte": [each for each in others if each >= position],
            "lt": [each for each in others if each < position],
            "lte": [each for each in others if each <= position],
        }
        for operator, positions in expected.items():
            found = things.entries.filter(compared(attr.pk, attr.attr_type, operator, value))  # type: ignore[arg-type]
            names = {f"{name} {each}" for each in positions}
            assert {entry.name for entry in found} == names, (operator, value)


def test_references_are_compared_by_id_from_either_end(network: Entity) -> None:
    attrs = [{"name": "net", "type": "object"}, {"name": "uplink", "type": "named_object"}]
    host = Entity.objects.create_entity(user=None, name="Host", attrs=attrs)
    nets = services.create_entries(None, network, [{"name": "a"}, {"name": "b"}])
    given = {"net": nets[0], "uplink": {"name": "e", "object": nets[1]}}
    entry = services.create_entry(None, host, name="web", attrs=given)
    for attr, net in zip(host.attrs.order_by("pk"), nets, strict=True):
        assert Entry.objects.get(compared(attr.pk, attr.attr_type, "exact", net.pk)) == entry
        assert not Entry.objects.filter(compared(attr.pk, attr.attr_type, "gt", net.pk)).exists()


def test_a_value_of_another_type_is_no_fault(things: Entity) -> None:
    attr = things.attrs.get(name="number")
    Entry.objects.filter(name="bare").update(current_values={str(attr.pk): "no number"})
    found = things.entries.filter(compared(attr.pk, AttrType.NUMBER, "gte", 10)).order_by("name")
    assert [entry.name for entry in found] == ["number 4", "number 5"]
