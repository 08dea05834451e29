"""A host's models in memory: what plugins read and write through the SDK, without a database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from django.core.exceptions import ValidationError

from pagoda_plugin_sdk.plugin import Plugin
from pagoda_plugin_sdk.testing.hooks import run_hook
from pagoda_plugin_sdk.testing.memory_jobs import MemoryJob, MemoryJobs
from pagoda_plugin_sdk.testing.queries import MemoryQuerySet


class MemoryHost:
    """Entities, entries and jobs of one test; pass `models` to `injected`.

    The validation hooks of `plugins` run for each write of an entry. `reads` counts evaluated queries,
    `changes` lists the writes, ``("create", "Host", "web-1")``, `versions` counts stored attribute values.
    """

    def __init__(self, *plugins: Plugin) -> None:
        self.plugins = plugins
        self.reads = 0
        self.versions = 0
        self.changes: list[tuple[str, str, str]] = []
        self.entities: list[MemoryEntity] = []
        self.entity_attrs: list[MemoryEntityAttr] = []
        self.entries: list[MemoryEntry] = []
        self.jobs: list[MemoryJob] = []
        self.models: dict[str, type[Any]] = {
            "Entity": self._model(MemoryEntity, MemoryEntities(self)),
            "EntityAttr": self._model(
                MemoryEntityAttr, MemoryQuerySet(lambda: self.entity_attrs, self.count_read)
            ),
            "Entry": self._model(MemoryEntry, MemoryEntries(self)),
            "Job": self._model(MemoryJob, MemoryJobs(self.jobs, self.count_read)),
        }

    def count_read(self) -> None:
        """Note that a query was evaluated."""
        self.reads += 1

    def entity(self, name: str) -> MemoryEntity:
        """Return the entity with this name."""
        return next(entity for entity in self.entities if entity.name == name)

    def entry(self, entity_name: str, name: str) -> MemoryEntry:
        """Return the active entry with this name."""
        found = (entry for entry in self.entries if entry.is_active and entry.name == name)
        return next(entry for entry in found if entry.schema.name == entity_name)

    def _model(self, base: type[Any], objects: MemoryQuerySet) -> type[Any]:
        name = base.__name__.removeprefix("Memory")
        missing = type("DoesNotExist", (LookupError,), {})
        objects.model = type(name, (base,), {"host": self, "objects": objects, "DoesNotExist": missing})
        return objects.model


class MemoryEntity:
    """An entity. Everybody may do everything on it, up to `level`."""

    host: ClassVar[MemoryHost]

    def __init__(self, name: str, note: str = "") -> None:
        self.id = len(self.host.entities) + 1
        self.name = name
        self.note = note
        self.is_active = True
        self.level = 8  # full
        self.host.entities.append(self)

    def update_attrs(self, user: Any, attrs: Sequence[Mapping[str, Any]]) -> None:
        """Add attributes as one change."""
        self.add_attrs(attrs)
        self.host.changes.append(("update", "", self.name))

    def add_attrs(self, attrs: Iterable[Mapping[str, Any]]) -> None:
        """Add attributes as part of another change.

        Raises:
            ValidationError: an attribute points to an entity that does not exist.
        """
        known = {entity.name for entity in self.host.entities}
        for spec in attrs:
            missing = [name for name in spec.get("referral", ()) if name not in known]
            if missing:
                raise ValidationError({spec["name"]: [f"There are no entities {missing!r}."]})
            attr: Any = self.host.models["EntityAttr"]
            attr(self, **spec)

    def attrs(self) -> dict[str, str]:
        """Return ``{attribute name: type name}``."""
        return {attr.name: attr.type for attr in self.host.entity_attrs if attr.parent_entity is self}

    def may_permitted(self, user: Any, permission: int) -> bool:
        return permission <= self.level


class MemoryEntityAttr:
    """An attribute of an entity; `type` is the type's name."""

    host: ClassVar[MemoryHost]

    def __init__(self, parent_entity: MemoryEntity, name: str, type: str, **options: Any) -> None:  # noqa: A002
        self.id = len(self.host.entity_attrs) + 1
        self.parent_entity = parent_entity
        self.name = name
        self.type = type
        self.options = options
        self.is_active = True
        self.host.entity_attrs.append(self)


class MemoryEntry:
    """An entry with the current values of its attributes."""

    host: ClassVar[MemoryHost]

    def __init__(self, schema: MemoryEntity, name: str, note: str = "") -> None:
        self.id = len(self.host.entries) + 1
        self.schema = schema
        self.name = name
        self.note = note
        self.is_active = True
        self.values: dict[str, Any] = {}
        self.level = 8  # full

    def get_attrs(self, **_context: Any) -> dict[str, Any]:
        self.host.count_read()
        return self.shown()

    def shown(self) -> dict[str, Any]:
        """Return the values as the host gives them, without counting a query."""
        types = self.schema.attrs()
        return {name: _shown(self.values.get(name), types[name].startswith("array_")) for name in types}

    def set_attrs(self, user: Any, **values: Any) -> None:
        """Store what differs as one change; nothing differs: no change.

        Raises:
            ValidationError: the entity has no such attribute, or a plugin refuses.
        """
        if self.store(user, values, instance=self):
            self.host.changes.append(("update", self.schema.name, self.name))

    def store(self, user: Any, values: Mapping[str, Any], instance: MemoryEntry | None) -> int:
        """Check and keep the values; return how many differ."""
        unknown = sorted(set(values) - set(self.schema.attrs()))
        if unknown:
            raise ValidationError({unknown[0]: [f"Entity {self.schema.name!r} has no such attribute."]})
        differing = {
            name: value for name, value in values.items() if _plain(value) != _plain(self.values.get(name))
        }
        complete = {**self.values, **differing}
        attrs = [{"id": None, "name": name, "value": _plain(value)} for name, value in complete.items()]
        for plugin in self.host.plugins:
            asked = (user, self.schema.name, self.name, attrs, instance)
            run_hook(plugin, "entry.validate", *asked, entity_name=self.schema.name)
        self.values = complete
        self.host.versions += len(differing)
        return len(differing)

    def delete(self) -> None:
        """Delete it softly."""
        self.is_active = False
        self.host.changes.append(("delete", self.schema.name, self.name))

    def may_permitted(self, user: Any, permission: int) -> bool:
        return permission <= self.level


class MemoryEntities(MemoryQuerySet):
    """``Entity.objects``."""

    def __init__(self, host: MemoryHost) -> None:
        super().__init__(lambda: host.entities, host.count_read)
        self._host = host

    def create_entity(
        self, *, user: Any, name: str, attrs: Sequence[Mapping[str, Any]] = (), note: str = ""
    ) -> MemoryEntity:
        entity: MemoryEntity = self._host.models["Entity"](name, note)
        entity.add_attrs(attrs)
        self._host.changes.append(("create", "", name))
        return entity


class MemoryEntries(MemoryQuerySet):
    """``Entry.objects``."""

    def __init__(self, host: MemoryHost) -> None:
        super().__init__(lambda: host.entries, host.count_read)
        self._host = host

    def create_entry(
        self,
        *,
        user: Any,
        schema: MemoryEntity,
        name: str,
        attrs: Mapping[str, Any] | None = None,
        note: str = "",
    ) -> MemoryEntry:
        taken = any(
            entry.schema is schema and entry.name == name for entry in self._host.entries if entry.is_active
        )
        if taken:
            raise ValidationError({"name": [f"Another entry of the entity has the name {name!r}."]})
        entry: MemoryEntry = self._host.models["Entry"](schema, name, note)
        entry.store(user, attrs or {}, instance=None)
        self._host.entries.append(entry)
        self._host.changes.append(("create", schema.name, name))
        return entry

    def read_attrs(self, entries: Sequence[MemoryEntry]) -> dict[int, dict[str, Any]]:
        self._host.count_read()
        return {entry.id: entry.shown() for entry in entries}


def _plain(value: Any) -> Any:
    if isinstance(value, MemoryEntry):
        return {
            "id": value.id,
            "name": value.name,
            "schema": {"id": value.schema.id, "name": value.schema.name},
        }
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _shown(value: Any, is_array: bool) -> Any:
    plain = _plain(value)
    return [] if plain is None and is_array else plain
