"""An entry's attributes as plain values: the rules of each attribute, and what is stored for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pagoda_plugin_sdk.rules.attr_types import AttrType
from pagoda_plugin_sdk.rules.scalar_types import Scalar

type Element = Scalar | Link


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One attribute of an entity, as reading and writing its values need it."""

    id: int
    entity_id: int
    name: str
    type: AttrType
    is_mandatory: bool
    index: int  # position among the entity's attributes
    default_value: Any  # Any: raw JSON of the type; None for none
    choices: tuple[str, ...]  # of a select
    level: int  # what the viewer may do with the attribute on any entry of the entity
    is_open: bool  # whether everybody may read it who may read the entity


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """An entity as writing an entry of it needs it."""

    is_active: bool  # False: deleted, or not stored at all
    level: int  # what the viewer may do with the entity
    definitions: tuple[Definition, ...]  # in the entity's order


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkTarget:
    """What a reference points to: an entry, a group or a role."""

    id: int
    name: str
    schema_id: int | None = None  # of an entry
    schema_name: str | None = None
    is_active: bool = True  # False: deleted since
    is_visible: bool = True  # whether the viewer may read it


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One reference; equal to another when name and target's id are."""

    name: str = ""  # of a named_object
    target_id: int | None = None  # None: a name alone, or the target was removed for good
    target: LinkTarget | None = field(default=None, compare=False)  # once looked up


@dataclass(frozen=True, slots=True)
class Value:
    """The elements of a value; at most one unless the attribute is an array, none when it is not set."""

    elements: tuple[Element, ...] = ()

    @property
    def links(self) -> tuple[Link, ...]:
        """The elements that are references."""
        return tuple(element for element in self.elements if isinstance(element, Link))

    @property
    def is_blank(self) -> bool:
        """Whether nothing in it says anything: what a mandatory attribute must not be."""
        return all(element == "" or element == Link() for element in self.elements)


NOTHING: Final = Value()
"""The value that is not set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFields:
    """The entry's own fields as they are in the database now."""

    name: str
    note: str
    is_active: bool
    level: int  # what the viewer may do with the entry


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryState:
    """The attributes of one entry, in the entity's order."""

    definitions: tuple[Definition, ...]
    values: Mapping[int, Value]  # by definition id; what was never set is missing
    viewer: Any = None  # for whom levels and visibility hold; None: for the host itself, which sees all
    entry: OwnFields | None = None  # only when it was read for an update

    def value(self, definition: Definition) -> Value:
        """Return what is stored for an attribute."""
        return self.values.get(definition.id, NOTHING)

    def definition(self, definition_id: int) -> Definition:
        """Return the attribute with this id.

        Raises:
            KeyError: the entity has none.
        """
        return {definition.id: definition for definition in self.definitions}[definition_id]

    def with_values(self, values: Mapping[int, Value]) -> EntryState:
        """Return the state after `values` were stored."""
        return replace(self, values={**self.values, **values})
