"""Foreign keys that PostgreSQL checks once a statement, not once a row.

Its own check is a query for each row and key: a new entry of five values has 27 keys, nearly all of which
point to what the same statement made, and they took half of what an import costs the database. A trigger
looks for all that the rows of a statement point to at once, and locks it as PostgreSQL's own does: what is
being deleted is waited for, and what is pointed to stays until the transaction ends. What goes although a
row points to it is refused at the end of the transaction, as PostgreSQL's own does.

A migration makes the triggers in the place of the keys. SQLite checks a key without a query, and keeps its
own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from django.db.backends.base.schema import BaseDatabaseSchemaEditor

KEYS: Final = {
    "entry_entry": {"schema_id": "entity_entity", "created_user_id": "user_user"},
    "entry_attribute": {
        "parent_entry_id": "entry_entry",
        "schema_id": "entity_entityattr",
        "created_user_id": "user_user",
    },
    "entry_attributevalue": {"parent_attr_id": "entry_attribute", "created_user_id": "user_user"},
    "entry_attributereference": {
        "value_id": "entry_attributevalue",
        "entry_id": "entry_entry",
        "group_id": "auth_group",
        "role_id": "user_role",
    },
}
"""``{table: {column: table that it points to}}``"""

# The plan is kept for statements of one row and of thousands: it goes to each row by its id, whatever the
# tables had when it was made.
_BY_ID: Final = "SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off"
_FUNCTION: Final = (
    "CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER "
    "{options} SET search_path = public, pg_temp AS $$ BEGIN IF {fault} THEN RAISE foreign_key_violation "
    "USING MESSAGE = '{message}', CONSTRAINT = '{name}', TABLE = '{table}'; END IF; RETURN NULL; END $$"
)
_MISSING: Final = (
    "(SELECT count(*) FROM (SELECT FROM {to} WHERE id IN (SELECT {column} FROM added) FOR KEY SHARE) held) "
    "< (SELECT count(DISTINCT {column}) FROM added)"
)
_NOT_THERE: Final = "(SELECT count(*) FROM (SELECT FROM {to} WHERE id = NEW.{column} FOR KEY SHARE) held) = 0"
_LEFT: Final = (
    "EXISTS (SELECT FROM {table} WHERE {column} = OLD.id) AND NOT EXISTS (SELECT FROM {to} WHERE id = OLD.id)"
)


@dataclass(frozen=True, slots=True)
class _Check:
    """A trigger, and the function that it calls."""

    name: str
    event: str  # with what goes before the function
    table: str  # whose rows point to others
    fault: str  # whether to refuse
    message: str
    options: str = ""

    def sql(self) -> Iterator[str]:
        yield _FUNCTION.format(
            name=self.name,
            options=self.options,
            fault=self.fault,
            message=self.message,
            table=self.table,
        )
        yield f"{self.event} EXECUTE FUNCTION {self.name}()"


def _checks() -> Iterator[_Check]:
    for table, keys in KEYS.items():
        name = f"pagoda_keys_of_{table.removeprefix('entry_')}"
        all_rows = "REFERENCING NEW TABLE AS added FOR EACH STATEMENT"
        yield _Check(
            name,
            f"CREATE TRIGGER {name} AFTER INSERT ON {table} {all_rows}",
            table,
            " OR ".join(_MISSING.format(to=to, column=column) for column, to in keys.items()),
            f"a row of {table} points to what is not there ({', '.join(keys)})",
            _BY_ID,
        )
        for column, to in keys.items():
            yield _changed(f"{name}_{column}_set", table, column, to)
            yield _left(f"{name}_{column}_left", table, column, to)


def _changed(name: str, table: str, column: str, to: str) -> _Check:
    when = f"NEW.{column} IS NOT NULL AND NEW.{column} IS DISTINCT FROM OLD.{column}"
    return _Check(
        name,
        f"CREATE TRIGGER {name} AFTER UPDATE OF {column} ON {table} FOR EACH ROW WHEN ({when})",
        table,
        _NOT_THERE.format(to=to, column=column),
        f"a row of {table} points to what is not there ({column})",
    )


def _left(name: str, table: str, column: str, to: str) -> _Check:
    return _Check(
        name,
        f"CREATE CONSTRAINT TRIGGER {name} AFTER DELETE ON {to} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW",
        table,
        _LEFT.format(table=table, to=to, column=column),
        f"a row of {table} points to what was deleted ({column})",
    )


def names() -> list[str]:
    """Return what the triggers are called."""
    return [check.name for check in _checks()]


def make(_apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Make them in the place of the database's own keys, as an operation of a migration."""
    if schema_editor.connection.vendor != "postgresql":
        return
    _drop(schema_editor)  # what an attempt left that broke off
    for check in _checks():
        for sql in check.sql():
            schema_editor.execute(sql, None)
    for table, keys in KEYS.items():
        for column in keys:
            for key in _own(schema_editor, table, column):
                schema_editor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {key}", None)


def unmake(_apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Have the database check its own keys again."""
    if schema_editor.connection.vendor != "postgresql":
        return
    for table, keys in KEYS.items():
        for column, to in keys.items():
            if not _own(schema_editor, table, column):
                key = f"{table}_{column}_fk"
                schema_editor.execute(
                    f"ALTER TABLE {table} ADD CONSTRAINT {key} FOREIGN KEY ({column}) REFERENCES {to} (id) "
                    "DEFERRABLE INITIALLY DEFERRED NOT VALID",
                    None,
                )
                schema_editor.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {key}", None)
    _drop(schema_editor)


def _drop(schema_editor: BaseDatabaseSchemaEditor) -> None:
    for name in names():
        schema_editor.execute(f"DROP FUNCTION IF EXISTS {name} CASCADE", None)


def _own(schema_editor: BaseDatabaseSchemaEditor, table: str, column: str) -> list[str]:
    """Return the database's own foreign keys of a column."""
    with schema_editor.connection.cursor() as cursor:
        found = schema_editor.connection.introspection.get_constraints(cursor, table)
    return [name for name, each in found.items() if each["foreign_key"] and each["columns"] == [column]]
