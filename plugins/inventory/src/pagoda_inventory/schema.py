"""The entities that the inventory fills, made or completed before a scan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pagoda_plugin_sdk.models import Entity, EntityAttr
from pagoda_plugin_sdk.protocols import EntityProtocol, UserProtocol

HOST = "Host"
INTERFACE = "NetworkInterface"
FILESYSTEM = "Filesystem"
PACKAGE = "PythonPackage"

_HOST_REFERENCE = {"type": "object", "referral": [HOST], "is_summarized": True}
_PRESENT = {"type": "boolean", "note": "False: the last scan of the host did not find it"}

SCHEMA: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    HOST: {
        "hostname": {"type": "string", "is_summarized": True},
        "os": {"type": "string", "is_summarized": True},
        "kernel": {"type": "string"},
        "architecture": {"type": "string"},
        "cpu_count": {"type": "number"},
        "memory_bytes": {"type": "number"},
        "boot_time": {"type": "datetime"},
        "python_version": {"type": "string"},
        "present": _PRESENT,
    },
    INTERFACE: {
        "host": _HOST_REFERENCE,
        "interface": {"type": "string"},
        "addresses": {"type": "array_string", "is_summarized": True},
        "mac": {"type": "string"},
        "is_up": {"type": "boolean"},
        "mtu": {"type": "number"},
        "present": _PRESENT,
    },
    FILESYSTEM: {
        "host": _HOST_REFERENCE,
        "mount_point": {"type": "string", "is_summarized": True},
        "device": {"type": "string"},
        "type": {"type": "string"},
        "size_bytes": {"type": "number"},
        "is_read_only": {"type": "boolean"},
        "present": _PRESENT,
    },
    PACKAGE: {
        "host": _HOST_REFERENCE,
        "package": {"type": "string", "is_summarized": True},
        "version": {"type": "string", "is_summarized": True},
        "summary": {"type": "text"},
        "environment": {"type": "string"},
        "requires": {"type": "array_object", "referral": [PACKAGE]},
        "present": _PRESENT,
    },
}
"""``{entity: {attribute: what Entity.objects.create_entity takes for it}}``, referred entities first."""


def ensure_schema(user: UserProtocol | None) -> dict[str, EntityProtocol]:
    """Return the entities by name; those that are missing are made, missing attributes added, others kept."""
    stored = {entity.name: entity for entity in Entity.objects.filter(name__in=list(SCHEMA), is_active=True)}
    names = _attribute_names(list(stored.values()))
    for name, attributes in SCHEMA.items():
        specs = _specs(attributes)
        missing = [spec for spec in specs if spec["name"] not in names.get(name, ())]
        if name not in stored:
            stored[name] = Entity.objects.create_entity(user=user, name=name, attrs=specs)
        elif missing:
            stored[name].update_attrs(user, missing)
    return {name: stored[name] for name in SCHEMA}


def _attribute_names(entities: list[EntityProtocol]) -> dict[str, set[str]]:
    rows = EntityAttr.objects.filter(parent_entity__in=[entity.id for entity in entities], is_active=True)
    names: dict[str, set[str]] = {}
    for entity, attribute in rows.values_list("parent_entity__name", "name"):
        names.setdefault(entity, set()).add(attribute)
    return names


def _specs(attributes: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{"name": name, "index": index, **spec} for index, (name, spec) in enumerate(attributes.items())]
