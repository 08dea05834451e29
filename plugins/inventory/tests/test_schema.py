from __future__ import annotations

from typing import Any

from pagoda_inventory.schema import FILESYSTEM, HOST, INTERFACE, PACKAGE, SCHEMA, ensure_schema
from pagoda_plugin_sdk.models import Entity
from pagoda_plugin_sdk.testing import MemoryHost


def test_entities_are_made_with_their_attributes(host: MemoryHost) -> None:
    entities = ensure_schema(None)

    assert list(entities) == [HOST, INTERFACE, FILESYSTEM, PACKAGE]
    assert host.changes == [("create", "", name) for name in SCHEMA]
    for name, attributes in SCHEMA.items():
        assert host.entity(name).attrs() == {attr: spec["type"] for attr, spec in attributes.items()}


def test_references_point_to_entities_of_the_inventory(host: MemoryHost) -> None:
    ensure_schema(None)

    referrals = {
        (attr.parent_entity.name, attr.name): [target.name for target in attr.targets]
        for attr in host.entity_attrs
        if attr.targets
    }
    assert referrals == {
        (INTERFACE, "host"): [HOST],
        (FILESYSTEM, "host"): [HOST],
        (PACKAGE, "host"): [HOST],
        (PACKAGE, "requires"): [PACKAGE],
    }


def test_second_time_changes_nothing_and_reads_twice(host: MemoryHost) -> None:
    ensure_schema(None)
    changes, reads = list(host.changes), host.reads

    ensure_schema(None)

    assert host.changes == changes
    assert host.reads == reads + 2


def test_missing_attributes_are_added_and_others_kept(host: MemoryHost) -> None:
    Entity.objects.create_entity(
        user=None, name=HOST, attrs=[{"name": "os", "type": "text"}, {"name": "rack", "type": "string"}]
    )

    ensure_schema(None)

    attrs = host.entity(HOST).attrs()
    assert attrs == {"os": "text", "rack": "string"} | {
        name: spec["type"] for name, spec in SCHEMA[HOST].items() if name != "os"
    }
    assert [host.changes[0], host.changes[-1]] == [("create", "", HOST), ("update", "", HOST)]


def test_deleted_entity_is_made_anew(host: MemoryHost) -> None:
    old: Any = ensure_schema(None)[HOST]
    old.is_active = False

    new: Any = ensure_schema(None)[HOST]

    assert new is not old
    assert new.is_active
