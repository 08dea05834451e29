"""What the host's models offer to plugins, as Protocols: types to check against, nothing to import.

Fields are read-only members here, so that both a model field and a property satisfy them; assigning to
a field of an instance and calling ``save()`` works as in Django. A host test holds each model to these.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Protocol, Self, overload, runtime_checkable

from pagoda_plugin_sdk.querysets import ManagerProtocol as ManagerProtocol  # noqa: PLC0414 - published here
from pagoda_plugin_sdk.querysets import QuerySetProtocol as QuerySetProtocol  # noqa: PLC0414
from pagoda_plugin_sdk.querysets import SomeUser

type Params = Mapping[str, Any] | str  # of a job: JSON values, or JSON


@runtime_checkable
class EntityManagerProtocol(ManagerProtocol["EntityProtocol"], Protocol):
    """Manager of entities. A write refuses with Django's ValidationError or a `PagodaError`."""

    def create_entity(
        self,
        *,
        user: UserProtocol | None,
        name: str,
        attrs: Sequence[Mapping[str, Any]] = (),
        note: str = "",
    ) -> EntityProtocol:
        """Create an entity with its attributes, ``[{"name", "type", ...}]``, as one change."""
        ...


@runtime_checkable
class EntryManagerProtocol(ManagerProtocol["EntryProtocol"], Protocol):
    """Manager of entries. A write refuses with Django's ValidationError or a `PagodaError`."""

    def create_entry(
        self,
        *,
        user: UserProtocol | None,
        schema: EntityProtocol,
        name: str,
        attrs: Mapping[str, Any] | None = None,
        note: str = "",
    ) -> EntryProtocol:
        """Create an entry with its values, ``{attribute name: value}``, as one change."""
        ...

    def read_attrs(self, entries: Sequence[Any]) -> dict[int, dict[str, Any]]:
        """Return ``{entry id: what its get_attrs() gives}`` of any number of entries, in one query."""
        ...


@runtime_checkable
class EntityAttrManagerProtocol(ManagerProtocol["EntityAttrProtocol"], Protocol):
    """Manager of the attributes of entities."""


@runtime_checkable
class AttributeManagerProtocol(ManagerProtocol["AttributeProtocol"], Protocol):
    """Manager of the attributes of entries."""


@runtime_checkable
class UserManagerProtocol(ManagerProtocol["UserProtocol"], Protocol):
    """Manager of users."""

    def get_by_natural_key(self, username: str | None) -> UserProtocol:
        """Return the user with this name."""
        ...


@runtime_checkable
class JobManagerProtocol(ManagerProtocol["JobProtocol"], Protocol):
    """Manager of jobs."""

    def submit(
        self,
        *,
        plugin: str,
        operation_name: str,
        user: SomeUser | None,
        params: Params = ...,
        target: EntryProtocol | EntityProtocol | None = None,
        text: str = "",
        depend_on: JobProtocol | None = None,
        run_at: datetime | None = None,
        idempotency_key: str = "",
        singleton_key: str = "",
    ) -> JobProtocol:
        """Make a job and have it run once the current transaction is committed.

        `params` are JSON values, `target` is an entry, an entity or None, `depend_on` a job that must finish
        first. The same `idempotency_key` gives the same job, and one unfinished job has a `singleton_key`.

        Raises:
            PagodaError: there is no such operation, or something can't be stored; the message says what.
        """
        ...

    def submit_many(
        self, *, plugin: str, operation_name: str, user: SomeUser | None, params: Iterable[Params]
    ) -> list[JobProtocol]:
        """Make and run one job per item of `params`, at about the price of their messages."""
        ...


class _ModelProtocol(Protocol):
    """What every model offers."""

    DoesNotExist: ClassVar[type[Exception]]
    MultipleObjectsReturned: ClassVar[type[Exception]]

    @property
    def id(self) -> int: ...
    @property
    def pk(self) -> Any: ...
    def save(self, **kwargs: Any) -> None: ...
    def delete(self) -> Any: ...
    def refresh_from_db(self, *args: Any, **kwargs: Any) -> None: ...
    def __str__(self) -> str: ...


@runtime_checkable
class UserProtocol(_ModelProtocol, Protocol):
    """A user of the host."""

    objects: ClassVar[UserManagerProtocol]

    @property
    def username(self) -> str: ...
    @property
    def email(self) -> str: ...
    @property
    def first_name(self) -> str: ...
    @property
    def last_name(self) -> str: ...
    @property
    def is_active(self) -> bool: ...
    @property
    def is_superuser(self) -> bool: ...  # may do everything
    @property
    def is_authenticated(self) -> bool: ...  # True of every user; False of who is not logged in
    @property
    def date_joined(self) -> datetime | None: ...


class _StampedProtocol(_ModelProtocol, Protocol):
    """A model that knows who made it and when, and that is deleted softly."""

    @property
    def is_active(self) -> bool: ...
    @property
    def created_time(self) -> datetime | None: ...  # in UTC
    @property
    def created_user(self) -> UserProtocol | None: ...  # None: nobody acted, or the user is gone


@runtime_checkable
class EntityProtocol(_StampedProtocol, Protocol):
    """An entity: the schema of its entries."""

    objects: ClassVar[EntityManagerProtocol]

    @property
    def name(self) -> str: ...
    @property
    def note(self) -> str: ...
    def may_permitted(self, user: Any, permission: int) -> bool:
        """Return whether `user` has at least this level, a `PermissionLevel`."""
        ...

    def update_attrs(self, user: Any, attrs: Sequence[Mapping[str, Any]]) -> None:
        """Add attributes, given as for `create_entity` (with an ``"id"``: change that one), as one change."""
        ...


@runtime_checkable
class EntityAttrProtocol(_StampedProtocol, Protocol):
    """An attribute of an entity: its name, type and rules."""

    objects: ClassVar[EntityAttrManagerProtocol]

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> int: ...  # the stored number of the attribute type
    @property
    def is_mandatory(self) -> bool: ...  # an entry without a value for it is refused
    @property
    def referral(self) -> Any: ...  # related manager of entities that an object attribute may point to
    @property
    def index(self) -> int: ...  # its place among the others, ascending
    @property
    def is_summarized(self) -> bool: ...  # meant for lists of entries
    @property
    def is_delete_in_chain(self) -> bool: ...  # with the entry what it refers to is deleted
    @property
    def on_delete(self) -> str: ...  # null, protect or chain
    @property
    def note(self) -> str: ...
    @property
    def default_value(self) -> Any: ...  # as JSON, None for none
    @property
    def parent_entity(self) -> EntityProtocol: ...
    def is_updated(
        self, name: str, is_mandatory: bool, is_delete_in_chain: bool, index: int, default_value: Any
    ) -> bool:
        """Return whether any of these differs from what is stored."""
        ...

    def is_referral_updated(self, refs: Iterable[Any]) -> bool:
        """Return whether the entities (or their ids) `refs` differ from the stored targets."""
        ...

    def referral_clear(self) -> None:
        """Remove every target."""
        ...

    def add_referral(self, referral: Any) -> None:
        """Add a target: an entity, its id or its name."""
        ...

    def get_default_value(self) -> Any:
        """Return the value that an entry has when none is given."""
        ...


@runtime_checkable
class EntryProtocol(_StampedProtocol, Protocol):
    """An entry: one object described by an entity."""

    objects: ClassVar[EntryManagerProtocol]

    @property
    def name(self) -> str: ...
    @property
    def note(self) -> str: ...
    @property
    def schema(self) -> EntityProtocol: ...
    @property
    def updated_time(self) -> datetime | None: ...  # of the last change, in UTC
    def get_attrs(self, **kwargs: Any) -> dict[str, Any]:
        """Return ``{attribute name: current value}`` as docs/plugins/values.md has it; None: not set."""
        ...

    def set_attrs(self, user: Any, **values: Any) -> None:
        """Store the values by attribute name as one change; equal values store nothing."""
        ...

    def may_permitted(self, user: Any, permission: int) -> bool:
        """Return whether `user` has at least this level, a `PermissionLevel`."""
        ...

    def restore(self) -> None:
        """Undo a deletion."""
        ...


@runtime_checkable
class AttributeProtocol(_StampedProtocol, Protocol):
    """An attribute of one entry, with the history of its values."""

    objects: ClassVar[AttributeManagerProtocol]

    @property
    def name(self) -> str: ...
    @property
    def values(self) -> Any: ...  # related manager of AttributeValue, every version
    @property
    def schema(self) -> EntityAttrProtocol: ...
    @property
    def parent_entry(self) -> EntryProtocol: ...
    def is_array(self) -> bool:
        """Return whether its values are lists."""
        ...

    def is_updated(self, recv_value: Any) -> bool:
        """Return whether `recv_value` differs from the current value."""
        ...


@runtime_checkable
class AttributeValueProtocol(_StampedProtocol, Protocol):
    """One version of an attribute's value."""

    objects: ClassVar[ManagerProtocol[AttributeValueProtocol]]

    @property
    def value(self) -> Any: ...  # as `EntryProtocol.get_attrs` gives it
    @property
    def is_latest(self) -> bool: ...  # whether it is the current one
    @property
    def parent_attr(self) -> AttributeProtocol: ...
    @property
    def parent_entry(self) -> EntryProtocol: ...


@runtime_checkable
class JobProtocol(_ModelProtocol, Protocol):
    """One request to run a task."""

    objects: ClassVar[JobManagerProtocol]

    @property
    def user(self) -> UserProtocol | None: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def updated_at(self) -> datetime: ...
    @property
    def target(self) -> Any: ...  # an entry, an entity or None
    @property
    def target_type(self) -> int: ...  # a `JobTarget`
    @property
    def status(self) -> int: ...  # a `JobStatus`
    @property
    def operation(self) -> int: ...  # the stored number of its task
    @property
    def text(self) -> str: ...  # what it does now, or how it ended, for people
    @property
    def params(self) -> str: ...  # JSON text
    @property
    def plugin(self) -> str: ...  # id of the plugin whose task it runs, "" for the host's
    @property
    def operation_name(self) -> str: ...  # as PluginTaskConfig has it
    @property
    def result(self) -> Any: ...  # the JSON value that the task returned
    @property
    def dependent_job(self) -> Any: ...  # JobProtocol | None: the job that must finish first
    def may_schedule(self) -> bool:
        """Return whether it still waits for the job it depends on."""
        ...

    def is_timeout(self) -> bool:
        """Return whether it ended, or should have ended, by its time limit."""
        ...

    def is_finished(self, with_refresh: bool = True) -> bool:
        """Return whether no more work will be done for it."""
        ...

    def is_canceled(self) -> bool:
        """Return whether it was cancelled, or somebody asked for that."""
        ...

    def proceed_if_ready(self) -> bool:
        """Return whether the calling task may do the work now."""
        ...

    def update(
        self,
        status: int | None = None,
        text: str | None = None,
        target: Any = None,
        operation: int | None = None,
    ) -> None:
        """Store what is given; a task that lost its claim changes nothing."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Return what people see of it as JSON values."""
        ...

    def run(self, will_delay: bool = True) -> Any:
        """Queue it (or run it here and now with ``will_delay=False``)."""
        ...

    @classmethod
    def method_table(cls) -> Mapping[int, Any]:
        """Return ``{operation id: task}`` of core, custom and plugin tasks."""
        return {}  # pyright wants a body in what is called on the class

    @classmethod
    def register_method_table(cls, operation: int, method: Any) -> None:
        """Add a core task."""
        ...

    @classmethod
    @overload
    def _create_new_job(
        cls, user: SomeUser | None, operation: int, params: Params | None = None, **more: Any
    ) -> Self: ...
    @classmethod
    @overload
    def _create_new_job(
        cls,
        user: SomeUser | None,
        target: EntryProtocol | EntityProtocol | None,
        operation: int,
        text: str | None = "",
        params: Params | None = None,
        **more: Any,
    ) -> Self: ...
    @classmethod
    def _create_new_job(cls, *_args: Any, **_more: Any) -> Any:
        return None
