"""Triggers that keep what is derived of other rows from being wrong, whoever writes those.

What an entity, an attribute or an entry was before a change of its own fields is kept in `FormerState`. An
entry's current values are dropped where its history is written by anything else than the services: the
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


_FORMER: Final = "entity_formerstate"
_GONE: Final = "DELETE FROM entity_formerstate WHERE subject_type = '{subject}' AND subject_id = OLD.id"
_KEEP: Final = (
    "INSERT INTO entity_formerstate (subject_type, subject_id, name, note, is_active, more, until, plugin, "
    "is_told) VALUES ('{subject}', {row}.id, {row}.name, {row}.note, {is_active}, {more}, {until}, '', FALSE)"
)
_OWN: Final = ("name", "note", "is_active")
_SUBJECTS: Final[dict[str, tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...]]]] = {
    # its table; other columns that are kept: plain ones, true or false, JSON
    "entry": ("entry_entry", (), (), ()),
    "entity": ("entity_entity", ("default_permission",), (), ()),
    "attr": (
        "entity_entityattr",
        ("type", "index", "on_delete", "default_permission"),
        ("is_mandatory", "is_summarized", "is_indexed", "is_delete_in_chain"),
        ("default_value", "choices"),
    ),
}
"""Of what there are former states, by the word for it."""


def _of_former_states(vendor: str) -> Iterator[_Trigger]:
    is_postgresql = vendor == "postgresql"
    differs = "IS DISTINCT FROM" if is_postgresql else "IS NOT"
    clock = "clock_timestamp()" if is_postgresql else "strftime('%Y-%m-%d %H:%M:%f', 'now')"
    # By the clock of whoever stores the values of the same change, where it says the time
    stamp = f"CASE WHEN NEW.updated_time {differs} OLD.updated_time THEN NEW.updated_time ELSE {clock} END"
    for subject, (table, plain, flags, documents) in _SUBJECTS.items():
        columns = (*_OWN, *plain, *flags, *documents)
        changed = " OR ".join(f'OLD."{each}" {differs} NEW."{each}"' for each in columns)
        listed = ", ".join(f'"{each}"' for each in columns)
        keep = _kept(vendor, subject, "OLD", "OLD.is_active", clock if subject == "attr" else stamp)
        yield _Trigger(f"{subject}_former", f"UPDATE OF {listed}", table, keep, changed)
        gone = _GONE.format(subject=subject)
        yield _Trigger(f"{subject}_gone", "DELETE", table, gone)
    added = _kept(vendor, "attr", "NEW", "FALSE", "NEW.created_time", "'added', 1")
    yield _Trigger("attr_added", "INSERT", "entity_entityattr", added)


def _kept(vendor: str, subject: str, row: str, is_active: str, until: str, also: str = "") -> str:
    """Return the statement that keeps a row as the state of its subject until a time."""
    is_postgresql = vendor == "postgresql"
    flag = "{}" if is_postgresql else "json(CASE WHEN {} THEN 'true' ELSE 'false' END)"
    document = "{}" if is_postgresql else "json({})"
    _, plain, flags, documents = _SUBJECTS[subject]
    shapes = [("{}", plain), (flag, flags), (document, documents)]
    pairs = [f"'{name}', " + shape.format(f'{row}."{name}"') for shape, names in shapes for name in names] + (
        [also] if also else []
    )
    build = "jsonb_build_object" if is_postgresql else "json_object"
    more = f"{build}({', '.join(pairs)})"
    return _KEEP.format(subject=subject, row=row, is_active=is_active, more=more, until=until)


def make(_apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Make them, as an operation of a migration."""
    vendor = schema_editor.connection.vendor
    triggers = [*_triggers(vendor)]
    if _FORMER in schema_editor.connection.introspection.table_names():  # which a later migration makes
        triggers += _of_former_states(vendor)
    for trigger in triggers:
        for sql in _sql(trigger, vendor):
            schema_editor.execute(sql, None)


def drop(_apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Drop them, as an operation of a migration."""
    vendor = schema_editor.connection.vendor
    for trigger in (*_triggers(vendor), *_of_former_states(vendor)):
        if vendor == "postgresql":
            schema_editor.execute(f"DROP FUNCTION IF EXISTS {trigger.name} CASCADE", None)
        else:
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {trigger.name}", None)


def names() -> list[str]:
    """Return what they are called."""
    return [trigger.name for make_of in (_triggers, _of_former_states) for trigger in make_of("postgresql")]


def _sql(trigger: _Trigger, vendor: str) -> Iterator[str]:
    name = trigger.name
    event = f"TRIGGER {name} AFTER {trigger.event} ON {trigger.table}"
    head = f"{event} FOR EACH ROW WHEN ({trigger.condition})"
    if vendor == "sqlite":
        yield f"CREATE {head} BEGIN {trigger.statement}; END"
        return
    # With its owner's rights, as plugins' accounts see some rows only; nothing temporary goes before a table.
    yield (
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER "
        f"SET search_path = public, pg_temp AS $$ BEGIN {trigger.statement}; RETURN NULL; END $$"
    )
    yield f"CREATE OR REPLACE {head} EXECUTE FUNCTION {name}()"
