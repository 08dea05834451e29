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

LAST_SEEN = "last_seen"
"""The attribute of a host that each scan of it renews."""

_GOES_WITH_ITS_HOST = {"on_delete": "chain"}
_HOST_REFERENCE = {"type": "object", "referral": [HOST], "is_summarized": True, **_GOES_WITH_ITS_HOST}
_PRESENT = {"type": "boolean", "note": "False: gone; the last scan did not find it"}

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
        LAST_SEEN: {"type": "datetime", "is_summarized": True, "note": "When the host was last scanned"},
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
    attributes_of = _attributes(stored)
    is_older = LAST_SEEN not in attributes_of.get(HOST, {})  # than the reference that takes things along
    for name, attributes in SCHEMA.items():
        if name not in stored:
            stored[name] = Entity.objects.create_entity(user=user, name=name, attrs=_specs(attributes))
    for name in reversed(attributes_of):  # the host's at last: until then the next scan begins anew
        known = attributes_of[name]
        missing = [spec for spec in _specs(SCHEMA[name]) if spec["name"] not in known]
        if is_older and "host" in known and "host" in SCHEMA[name]:
            missing.append({"id": known["host"], **_GOES_WITH_ITS_HOST})
        if missing:
            stored[name].update_attrs(user, missing)
    return {name: stored[name] for name in SCHEMA}


def _attributes(stored: Mapping[str, EntityProtocol]) -> dict[str, dict[str, int]]:
    """Return ``{entity: {attribute: id}}`` in the order of `SCHEMA`."""
    found: dict[str, dict[str, int]] = {name: {} for name in SCHEMA if name in stored}
    rows = EntityAttr.objects.filter(parent_entity__in=[e.id for e in stored.values()], is_active=True)
    for entity, attribute, pk in rows.values_list("parent_entity__name", "name", "id"):
        found[entity][attribute] = pk
    return found


def _specs(attributes: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{"name": name, "index": index, **spec} for index, (name, spec) in enumerate(attributes.items())]
