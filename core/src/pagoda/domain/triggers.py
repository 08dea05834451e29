"""Triggers that keep what is derived of other rows from being wrong, whoever writes those.

An entry's current values are dropped where its history is written by anything else than the services: the
former release during an upgrade, SQL, a hard delete of what a reference points to. They are read from the
history then. An entity's attributes get another version with each write of one.

A migration makes them. On SQLite one that alters their tables drops them first and makes them again, as such
a table is made anew there; a test holds that they are there in the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_FORGET: Final = (
    "UPDATE entry_entry SET current_values = NULL WHERE current_values IS NOT NULL AND id {entries}"
)
_OF_LINK: Final = "IN (SELECT v.parent_entry_id FROM entry_attributevalue v WHERE v.id = OLD.value_id)"
_VERSION: Final = "UPDATE entity_entity SET attrs_version = {random} WHERE id = {row}.parent_entity_id"
_RANDOM: Final = {"postgresql": "floor(random() * 9007199254740992)::bigint", "sqlite": "random() >> 10"}


@dataclass(frozen=True, slots=True)
class _Trigger:
    label: str
    event: str
    table: str
    statement: str
    condition: str = "TRUE"

    @property
    def name(self) -> str:
        return f"pagoda_derived_{self.label}"


def _triggers(vendor: str) -> Iterator[_Trigger]:
    changed = "OLD.{0} IS DISTINCT FROM NEW.{0}" if vendor == "postgresql" else "OLD.{0} IS NOT NEW.{0}"
    value, attribute, link = "entry_attributevalue", "entry_attribute", "entry_attributereference"
    of_new, of_old = "= NEW.parent_entry_id", "= OLD.parent_entry_id"
    yield _Trigger("added", "INSERT", value, _FORGET.format(entries=of_new), "NOT NEW.is_in_entry")
    yield _Trigger("set", "UPDATE OF value, is_active", value, _FORGET.format(entries=of_new))
    yield _Trigger("removed", "DELETE", value, _FORGET.format(entries=of_old), "OLD.is_latest")
    switched = changed.format("is_active")
    yield _Trigger("switched", "UPDATE OF is_active", attribute, _FORGET.format(entries=of_new), switched)
    yield _Trigger("relinked", "UPDATE", link, _FORGET.format(entries=_OF_LINK))
    yield _Trigger("unlinked", "DELETE", link, _FORGET.format(entries=_OF_LINK))
    for event, row in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")):
        version = _VERSION.format(random=_RANDOM[vendor], row=row)
        yield _Trigger(f"attribute_{event.lower()}", event, "entity_entityattr", version)


def make(_apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Make them, as an operation of a migration."""
    vendor = schema_editor.connection.vendor
    for trigger in _triggers(vendor):
        for sql in _sql(trigger, vendor):
            schema_editor.execute(sql, None)


def drop(_apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Drop them, as an operation of a migration."""
    vendor = schema_editor.connection.vendor
    for trigger in _triggers(vendor):
        if vendor == "postgresql":
            schema_editor.execute(f"DROP FUNCTION IF EXISTS {trigger.name} CASCADE", None)
        else:
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {trigger.name}", None)


def names() -> list[str]:
    """Return what they are called."""
    return [trigger.name for trigger in _triggers("postgresql")]


def _sql(trigger: _Trigger, vendor: str) -> Iterator[str]:
    name = trigger.name
    event = f"CREATE TRIGGER {name} AFTER {trigger.event} ON {trigger.table}"
    head = f"{event} FOR EACH ROW WHEN ({trigger.condition})"
    if vendor == "sqlite":
        yield f"{head} BEGIN {trigger.statement}; END"
        return
    # With its owner's rights, as plugins' accounts see some rows only; nothing temporary goes before a table.
    yield (
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER "
        f"SET search_path = public, pg_temp AS $$ BEGIN {trigger.statement}; RETURN NULL; END $$"
    )
    yield f"{head} EXECUTE FUNCTION {name}()"
