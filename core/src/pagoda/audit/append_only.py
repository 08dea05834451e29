"""Triggers that refuse to change or remove what the audit log holds, and note which events want a seal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.db.backends.base.base import BaseDatabaseWrapper

TABLES = ("audit_auditevent", "audit_auditseal")
"""What is written once and never again."""

REFUSAL = "the audit log is append-only"

_REFUSE = f"""CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION '{REFUSAL}: % of % is refused', TG_OP, TG_TABLE_NAME; END $$"""
_NOTE = """CREATE OR REPLACE FUNCTION audit_note_pending() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO audit_pendingevent (event_id) VALUES (NEW.id); RETURN NULL; END $$"""
_NOTING = "CREATE TRIGGER audit_pending AFTER INSERT ON audit_auditevent"
_INSERT = "INSERT INTO audit_pendingevent (event_id) VALUES (NEW.id)"


def guard(connection: BaseDatabaseWrapper) -> None:
    """Refuse every UPDATE, DELETE and TRUNCATE of the tables from now on."""
    unguard(connection)
    is_postgresql = connection.vendor == "postgresql"
    _run(connection, [_REFUSE] if is_postgresql else [])
    for table, operation, name in _guards(connection):
        act = (
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()"
            if is_postgresql
            else f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
        )
        _run(connection, [f"CREATE TRIGGER {name} BEFORE {operation} ON {table} {act}"])


def unguard(connection: BaseDatabaseWrapper) -> None:
    """Allow it again, as migrating back, or emptying the database of a test, needs."""
    for table, _, name in _guards(connection):
        where = f" ON {table}" if connection.vendor == "postgresql" else ""
        _run(connection, [f"DROP TRIGGER IF EXISTS {name}{where}"])


def note_pending(connection: BaseDatabaseWrapper) -> None:
    """Have the database note each new event as one that wants a seal."""
    if connection.vendor == "postgresql":
        act = "FOR EACH ROW EXECUTE FUNCTION audit_note_pending()"
        _run(connection, [_NOTE, f"{_NOTING} {act}"])
    else:
        _run(connection, [f"{_NOTING} BEGIN {_INSERT}; END"])


def _guards(connection: BaseDatabaseWrapper) -> Iterator[tuple[str, str, str]]:
    """Yield table, refused operation and name of each trigger; SQLite has no TRUNCATE."""
    operations = (
        ("UPDATE", "DELETE", "TRUNCATE") if connection.vendor == "postgresql" else ("UPDATE", "DELETE")
    )
    for table in TABLES:
        for operation in operations:
            yield table, operation, f"{table}_no_{operation.lower()}"


def _run(connection: BaseDatabaseWrapper, statements: Iterable[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
