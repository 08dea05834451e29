"""Entities: the schemas of entries, made of typed attributes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from django.db import models
from django.db.models import Q

from pagoda import running
from pagoda.domain.acting import acting_user
from pagoda.domain.changes import Subject
from pagoda.domain.stamped import NameField, StampedModel, StampedQuerySet, StoredJSONField, TrackedModel
from pagoda.domain.user.models import Level, User, default_level
from pagoda.domain.user.permissions import Guarded, Viewer, effective_level
from pagoda_plugin_sdk.rules.attr_types import AttrType
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.specs import ON_DELETE
from pagoda_plugin_sdk.rules.text import MAX_NAME_LENGTH


class EntityServices(Protocol):
    """What `pagoda.domain.entity.services` does; the models reach it through this port alone."""

    def create_entity(
        self,
        user: User | None,
        *,
        name: str,
        attrs: Sequence[Mapping[str, Any]],
        note: str,
        default_permission: int | None,
    ) -> Entity: ...
    def update_entity(
        self, entity: Entity, user: User | None, *, attrs: Sequence[Mapping[str, Any]]
    ) -> Entity: ...
    def delete_entity(self, entity: Entity, user: User | None) -> None: ...
    def restore_entity(self, entity: Entity, user: User | None) -> None: ...
    def remove_attribute(self, attr: EntityAttr, user: User | None) -> None: ...


class EntityQuerySet(StampedQuerySet["Entity"]):
    """Entities, deleted ones included; ``active()`` leaves those out."""

    def create_entity(
        self,
        *,
        user: User | None,
        name: str,
        attrs: Sequence[Mapping[str, Any]] = (),  # Any: values differ by key, see rules.specs
        note: str = "",
        default_permission: int | None = None,
    ) -> Entity:
        """Create an entity with its attributes, ``[{"name", "type", ...}]``, as one change of its owner."""
        return Entity.services.create_entity(
            user, name=name, attrs=attrs, note=note, default_permission=default_permission
        )


class Entity(TrackedModel):
    """A kind of thing: its entries share its attributes."""

    SUBJECT: ClassVar[Subject] = "entity"
    UNSAVED = "attrs_version"
    services: ClassVar[EntityServices]  # put here when the app is ready

    name = NameField()
    note = models.TextField(blank=True, default="")
    default_permission = models.PositiveSmallIntegerField(choices=Level.choices, default=default_level)
    # Who made it: has Full on it, its attributes and its entries.
    owner = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )

    # Another number with each change of its attributes, whoever makes it: see `pagoda.domain.triggers`.
    attrs_version = models.BigIntegerField(default=0, db_default=0, editable=False, serialize=False)

    objects = EntityQuerySet.as_manager()

    class Meta:
        ordering = ["name", "id"]
        verbose_name_plural = "entities"
        constraints = [
            models.UniqueConstraint(
                name="entity_unique_active_name",
                fields=["name"],
                condition=Q(is_active=True),
                violation_error_message="Another entity has this name; choose a different one.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def entity_name(self) -> str:
        """Its own name."""
        return self.name

    def made_by(self, user: User | None) -> None:
        """Note who makes it, and owns it."""
        self.created_user = self.owner = user

    def delete(self, *_args: Any, **_kwargs: Any) -> tuple[int, dict[str, int]]:  # Any: Django's arguments
        """Delete it softly, as the acting user.

        Raises:
            ValidationError: it still has active entries.
        """
        self.services.delete_entity(self, acting_user())
        return 1, {self._meta.label: 1}

    def restore(self) -> None:
        """Undo its deletion, as the acting user."""
        self.services.restore_entity(self, acting_user())

    def update_attrs(self, user: User | None, attrs: Sequence[Mapping[str, Any]]) -> None:
        """Add attributes, given as for `create_entity` (with an ``"id"``: change that one), as one change."""
        self.services.update_entity(self, user, attrs=attrs)

    def deletion_fault(self) -> str | None:
        """Return that it still has active entries, None when it has none; not everybody may know how many."""
        if not self.entries.filter(is_active=True).exists():
            return None
        return say("Entity {name!r} has active entries; delete them first.", name=self.name)

    def permission_chain(self) -> list[Guarded]:
        """Return what limits a user's level on it."""
        own = Guarded(
            kind="entity",
            id=self.pk,
            default=self.default_permission,
            owner_id=self.owner_id,
            entity_name=self.name,
        )
        return [own]

    def may_permitted(self, user: Viewer, permission: int) -> bool:
        """Return whether `user` has at least the level: 1 nothing, 2 readable, 4 writable, 8 full."""
        with running.as_host():
            return effective_level(user, self.permission_chain()) >= permission


class EntityAttr(StampedModel):
    """An attribute of an entity: its name, type and rules."""

    parent_entity = models.ForeignKey(Entity, on_delete=models.CASCADE, related_name="attrs")
    name = NameField()
    type = models.PositiveIntegerField()  # an AttrType
    is_mandatory = models.BooleanField(default=False)
    referral = models.ManyToManyField(Entity, blank=True, related_name="referred_attrs")  # none: any entity
    index = models.IntegerField(default=0)  # position among the entity's attributes
    is_summarized = models.BooleanField(default=False)  # shown where entries are listed
    is_indexed = models.BooleanField(default=False, db_default=False)  # see `pagoda.domain.value_indexes`
    is_delete_in_chain = models.BooleanField(default=False)  # deleting an entry deletes what this points to
    # What becomes of an entry when what it points to is deleted.
    on_delete = models.CharField(
        max_length=10, choices=[(each, each) for each in ON_DELETE], default="null", db_default="null"
    )
    note = models.TextField(blank=True, default="")
    default_value = StoredJSONField(null=True, blank=True)  # stored for a new entry that gives none
    choices = models.JSONField(default=list, blank=True)  # what a select may hold
    default_permission = models.PositiveSmallIntegerField(choices=Level.choices, default=Level.FULL)

    objects = StampedQuerySet["EntityAttr"].as_manager()

    class Meta:
        ordering = ["index", "id"]
        constraints = [
            models.UniqueConstraint(
                name="entity_attr_unique_active_name",
                fields=["parent_entity", "name"],
                condition=Q(is_active=True),
                violation_error_message="Another attribute of it has this name; choose a different one.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.parent_entity}.{self.name}"

    def delete(self, *_args: Any, **_kwargs: Any) -> tuple[int, dict[str, int]]:  # Any: Django's arguments
        """Remove it from its entity softly, as the acting user and as a change of the entity."""
        Entity.services.remove_attribute(self, acting_user())
        return 1, {self._meta.label: 1}

    @property
    def attr_type(self) -> AttrType:
        """Its type as an enum member."""
        return AttrType(self.type)

    def is_updated(
        self,
        name: str,
        is_mandatory: bool,
        is_delete_in_chain: bool,
        index: int,
        default_value: Any,  # Any: a value of the attribute's type
    ) -> bool:
        """Return whether any of these differs from what is stored."""
        stored = (self.name, self.is_mandatory, self.is_delete_in_chain, self.index, self.default_value)
        return stored != (name, is_mandatory, is_delete_in_chain, index, default_value)

    def is_referral_updated(self, refs: Iterable[Entity | int]) -> bool:
        """Return whether the entities (or their ids) `refs` differ from the stored targets."""
        wanted = {ref.pk if isinstance(ref, Entity) else int(ref) for ref in refs}
        return wanted != set(self.referral.values_list("pk", flat=True))

    def referral_clear(self) -> None:
        """Remove every target, so that the attribute may point to entries of any entity."""
        self.referral.clear()

    def add_referral(self, referral: Entity | int | str) -> None:
        """Add a target: an entity, its id or its name.

        Raises:
            Entity.DoesNotExist: no active entity has the id or name.
        """
        if not isinstance(referral, Entity):
            condition = Q(name=referral) if isinstance(referral, str) else Q(pk=referral)
            referral = Entity.objects.active().get(condition)
        self.referral.add(referral)

    def get_default_value(self) -> Any:  # Any: a value of the attribute's type
        """Return the value that an entry has when none is given: ``[]`` or None when none is set."""
        if self.default_value is None and self.attr_type.is_array:
            return []
        return self.default_value

    def permission_chain(self) -> list[Guarded]:
        """Return what limits a user's level on it: itself and its entity."""
        entity = self.parent_entity
        own = Guarded(
            kind="attr",
            id=self.pk,
            default=self.default_permission,
            owner_id=entity.owner_id,
            entity_name=entity.name,
        )
        return [own, *entity.permission_chain()]

    def may_permitted(self, user: Viewer, permission: int) -> bool:
        """Return whether `user` has at least the level on the attribute."""
        with running.as_host():
            return effective_level(user, self.permission_chain()) >= permission


class FormerState(models.Model):
    """What the own fields of an entity, an attribute or an entry were until somebody changed them.

    Triggers write it, whoever changes the row, and who did it once that is told (`pagoda.domain.triggers`,
    `pagoda.audit.append_only`). No foreign keys to its subject, which may be of three tables.
    """

    subject_type = models.CharField(max_length=10)  # entity, attr, entry
    subject_id = models.BigIntegerField()
    name = models.CharField(max_length=MAX_NAME_LENGTH)
    note = models.TextField()
    is_active = models.BooleanField()
    more = StoredJSONField(default=dict)  # other fields of an entity or an attribute, by column

    until = models.DateTimeField()
    created_user = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, related_name="+", db_constraint=False
    )  # who ended it, or on whose behalf a job did
    plugin = models.CharField(
        max_length=100, default="", db_default=""
    )  # whose code did it, "" for the host's
    job_id = models.BigIntegerField(null=True)
    is_told = models.BooleanField(default=False, db_default=False)  # whether the three are known

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(name="former_state_subject", fields=["subject_type", "subject_id", "id"]),
            models.Index(
                name="former_state_untold", fields=["subject_type", "subject_id"], condition=Q(is_told=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject_type} {self.subject_id} until {self.until}: {self.name}"
