"""Entries, and the values of their attributes with full history."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Q

from pagoda import running
from pagoda.domain import changes
from pagoda.domain.acting import acting_user
from pagoda.domain.bound import BoundModel, BoundQuerySet
from pagoda.domain.changes import Subject
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.stamped import NameField, StampedModel, StampedQuerySet, TrackedModel
from pagoda.domain.user.models import Level, Role, User
from pagoda.domain.user.permissions import Guarded, Viewer, effective_level, reader
from pagoda_plugin_sdk.exceptions import near_misses
from pagoda_plugin_sdk.rules.attr_types import AttrType
from pagoda_plugin_sdk.rules.state import EntryState
from pagoda_plugin_sdk.rules.text import MAX_NAME_LENGTH


class EntryServices(Protocol):
    """What `pagoda.domain.entry.services` does; the models reach it through this port alone."""

    def create_entry(
        self, user: User | None, schema: Entity, *, name: str, attrs: Mapping[str, Any], note: str
    ) -> Entry: ...
    def update_entry(self, entry: Entry, user: User | None, *, attrs: Mapping[str, Any]) -> Entry: ...
    def delete_entries(self, entries: Sequence[Entry], user: User | None) -> list[Entry]: ...
    def restore_entry(self, entry: Entry, user: User | None) -> Entry: ...
    def validate_entry(self, entry: Entry, user: User | None) -> None: ...
    def read_attrs(self, entries: Sequence[Entry], viewer: Viewer | None) -> dict[int, dict[str, Any]]: ...
    def differs(self, entry: Entry, definition_id: int, raw: object) -> bool: ...
    def verify(self, *, repair: bool) -> Any: ...  # Any: what was found, of a module above


class EntryQuerySet(StampedQuerySet["Entry"]):
    """Entries, deleted ones included; ``active()`` leaves those out."""

    def create_entry(
        self,
        *,
        user: User | None,
        schema: Entity,
        name: str,
        attrs: Mapping[str, Any] | None = None,  # Any: a value of the attribute's type
        note: str = "",
    ) -> Entry:
        """Create an entry with its values, ``{attribute name: value}``, as one change."""
        return Entry.services.create_entry(user, schema, name=name, attrs=attrs or {}, note=note)

    def read_attrs(self, entries: Iterable[Entry]) -> dict[int, dict[str, Any]]:  # Any: values of every type
        """Return ``{entry id: what get_attrs() returns}`` for all of `entries`, in two queries."""
        return Entry.services.read_attrs(list(entries), reader())

    def delete(self) -> tuple[int, dict[str, int]]:
        """Delete each that is active softly with its chain, all or none; return how many, as Django does."""
        deleted = Entry.services.delete_entries(list(self.active().select_related("schema")), acting_user())
        return len(deleted), {self.model._meta.label: len(deleted)} if deleted else {}

    delete.queryset_only = True  # type: ignore[attr-defined]  # as Django's own: no Manager.delete()


class Entry(TrackedModel):
    """One thing, described by the attributes of its entity."""

    SUBJECT: ClassVar[Subject] = "entry"
    UNSAVED = "current_values"
    UNLOADED = (UNSAVED,)  # reading asks for it by name
    services: ClassVar[EntryServices]  # put here when the app is ready

    # An index that orders its entries by their id, too, is among those below.
    schema = models.ForeignKey(Entity, on_delete=models.CASCADE, related_name="entries", db_index=False)
    name = NameField()
    note = models.TextField(blank=True, default="")
    default_permission = models.PositiveSmallIntegerField(choices=Level.choices, default=Level.FULL)

    # {attribute's id: value} as `entry.storing` keeps it; None: read them from the history.
    current_values = models.JSONField(null=True, editable=False, serialize=False)

    objects = EntryQuerySet.as_manager()

    # What the service that returned this object knows of its attributes, so that an answer needs no query.
    known_state: EntryState | None = None

    class Meta:
        ordering = ["name", "id"]
        verbose_name_plural = "entries"
        base_manager_name = "objects"  # so that a reference to it is bound as well
        constraints = [
            models.UniqueConstraint(
                name="entry_unique_active_name",
                fields=["schema", "name"],
                condition=Q(is_active=True),
                violation_error_message="Another entry of the entity has this name; choose a different one.",
            ),
        ]
        indexes = [models.Index(name="entry_entry_of_entity", fields=["schema", "id"])]

    def __str__(self) -> str:
        return self.name

    @property
    def entity_name(self) -> str:
        """The name of its entity."""
        return self.schema.name

    def full_clean(self, *args: Any, **kwargs: Any) -> None:  # Any: Django's arguments
        """Check the fields, then ask the validators of the complete entry unless a service does."""
        super().full_clean(*args, **kwargs)
        if not changes.in_scope():
            self.services.validate_entry(self, acting_user())

    def delete(self, *_args: Any, **_kwargs: Any) -> tuple[int, dict[str, int]]:  # Any: Django's arguments
        """Delete it softly as the acting user, with what its attributes say is deleted in a chain."""
        deleted = self.services.delete_entries([self], acting_user())
        return len(deleted), {self._meta.label: len(deleted)}

    def restore(self) -> None:
        """Undo its deletion, as the acting user.

        Raises:
            ValidationError: its name was taken meanwhile, or its entity is deleted.
        """
        self.services.restore_entry(self, acting_user())

    def get_attrs(self, *, names: Collection[str] | None = None, **_context: object) -> dict[str, Any]:
        """Return ``{attribute name: current value}``, of all attributes or of `names`.

        Dates and instants are Python objects, references ``{"id", "name"}`` (of an entry also ``"schema"``),
        a named one ``{"name", "object"}``; what is not set is None or ``[]``. One query, two with
        references. The host gets all, plugin code what the acting user may see.

        Raises:
            KeyError: one of `names` is no attribute of the entity.
        """
        attrs = self.services.read_attrs([self], reader())[self.pk]
        for name in names or ():
            if name not in attrs:
                misses = near_misses(name, attrs)
                raise KeyError(f"Entity {self.entity_name!r} has no attribute {name!r}.{misses}")
        return attrs if names is None else {name: attrs[name] for name in names}

    def set_attrs(self, user: User | None, **values: Any) -> None:  # Any: a value of the attribute's type
        """Store the values by attribute name as one change of `user`; equal values store nothing.

        An attribute that is called ``user`` itself is set through ``services.update_entry(attrs=...)``.

        Raises:
            ValidationError: an attribute is unknown, or a value is not of its type; nothing is stored.
        """
        self.services.update_entry(self, user, attrs=values)

    def permission_chain(self) -> list[Guarded]:
        """Return what limits a user's level on it: itself and its entity."""
        own = Guarded(
            kind="entry",
            id=self.pk,
            default=self.default_permission,
            owner_id=self.schema.owner_id,
            entity_name=self.schema.name,
        )
        return [own, *self.schema.permission_chain()]

    def may_permitted(self, user: Viewer, permission: int) -> bool:
        """Return whether `user` has at least the level: 1 nothing, 2 readable, 4 writable, 8 full."""
        with running.as_host():
            return effective_level(user, self.permission_chain()) >= permission


class Attribute(StampedModel):
    """An attribute of one entry; it exists once the attribute was ever set, or the entry was made with it."""

    parent_entry = models.ForeignKey(
        Entry, on_delete=models.CASCADE, related_name="attrs", db_index=False
    )  # found by the constraint's index
    schema = models.ForeignKey(EntityAttr, on_delete=models.CASCADE, related_name="attributes")
    name = models.CharField(max_length=MAX_NAME_LENGTH)  # its schema's, kept equal to it

    objects = StampedQuerySet["Attribute"].as_manager()

    class Meta:
        ordering = ["schema__index", "id"]
        constraints = [models.UniqueConstraint(name="attribute_unique", fields=["parent_entry", "schema"])]

    def __str__(self) -> str:
        return f"{self.parent_entry}.{self.name}"

    def is_array(self) -> bool:
        """Return whether its values are lists."""
        return self.schema.attr_type.is_array

    def is_updated(self, recv_value: Any) -> bool:  # Any: a value of the attribute's type
        """Return whether `recv_value` differs from the current value.

        Raises:
            AttributeTypeError: it is no value of the attribute's type.
        """
        return Entry.services.differs(self.parent_entry, self.schema_id, recv_value)


class AttributeValue(StampedModel):
    """One version of an attribute's value; versions are added and never changed."""

    parent_attr = models.ForeignKey(Attribute, on_delete=models.CASCADE, related_name="values")
    # That of its attribute, whose key the database checks: once for each value is enough.
    parent_entry = models.ForeignKey(
        Entry, on_delete=models.CASCADE, related_name="attribute_values", db_constraint=False
    )
    value = models.JSONField(null=True)  # None for references, which are rows of AttributeReference
    is_latest = models.BooleanField(default=True)
    # Whether who wrote it wrote the entry's current values, too; a trigger drops those otherwise.
    is_in_entry = models.BooleanField(default=False, db_default=False, editable=False)
    plugin = models.CharField(
        max_length=100, default="", db_default="", editable=False
    )  # whose code wrote it
    job_id = models.BigIntegerField(null=True, editable=False)  # in which job
    # The type that the attribute had until it got another one; None: it has this one still.
    former_type = models.PositiveIntegerField(null=True, editable=False)

    objects = StampedQuerySet["AttributeValue"].as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                name="attribute_value_one_latest", fields=["parent_attr"], condition=Q(is_latest=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.parent_attr}: {self.value!r}"

    @property
    def attr_type(self) -> AttrType:
        """The type of the value, which the attribute has or had."""
        return AttrType(self.former_type or self.parent_attr.schema.type)


class AttributeReference(BoundModel):
    """One entry, group or role that a value points to; none of them: a name alone, or one removed since."""

    value = models.ForeignKey(AttributeValue, on_delete=models.CASCADE, related_name="references")
    ordinal = models.PositiveIntegerField(default=0)  # position in an array
    name = models.CharField(max_length=MAX_NAME_LENGTH, blank=True, default="")  # of a named_object
    entry = models.ForeignKey(
        Entry, on_delete=models.SET_NULL, null=True, blank=True, related_name="referring"
    )
    group = models.ForeignKey(Group, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    role = models.ForeignKey(Role, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    objects = BoundQuerySet["AttributeReference"].as_manager()

    class Meta:
        ordering = ["ordinal"]
        constraints = [
            models.UniqueConstraint(name="attribute_reference_ordinal", fields=["value", "ordinal"])
        ]

    def __str__(self) -> str:
        return f"{self.name} -> {self.entry or self.group or self.role}"
