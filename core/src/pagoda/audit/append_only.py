"""Triggers that refuse to change or remove what the audit log holds, and note which events want a seal.

One tells the former states of an event's subject who ended them: the event is the last that a change writes,
in its transaction and under the lock on the subject's row: young ones without a word are of this change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.db.backends.base.base import BaseDatabaseWrapper

TABLES = ("audit_auditevent", "audit_auditseal")
"""What is written once and never again."""

REFUSAL = "the audit log is append-only"

_REFUSE = f"""CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION '{REFUSAL}: % of % is refused', TG_OP, TG_TABLE_NAME; END $$"""
_NOTE = """CREATE OR REPLACE FUNCTION audit_note_pending() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
    BEGIN INSERT INTO audit_pendingevent (event_id) SELECT id FROM added; RETURN NULL; END $$"""
_NOTED_BY_ROW = "DROP TRIGGER IF EXISTS audit_pending ON audit_auditevent"  # as the former release does
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
        act = "REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION audit_note_pending()"
        _run(connection, [_NOTED_BY_ROW, _NOTE, f"{_NOTING} {act}"])
    else:
        _run(connection, [f"{_NOTING} BEGIN {_INSERT}; END"])


_TELL = """UPDATE entity_formerstate
    SET created_user_id = COALESCE(NEW.actor_id, NEW.on_behalf_of_id), plugin = NEW.plugin,
        job_id = NEW.job_id, is_told = TRUE
    WHERE NOT is_told AND until > {young} AND ({subject})"""
_YOUNG = {
    "postgresql": "transaction_timestamp() - interval '1 minute'",  # clocks of several machines
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f', 'now', '-1 hour')",  # it has no time of the transaction
}
_OF_ENTITY = """subject_type = 'attr' AND subject_id IN (
    SELECT id FROM entity_entityattr WHERE parent_entity_id = CAST(NEW.subject_id AS BIGINT))"""
_TELLING = {
    "entry": "subject_type = 'entry' AND subject_id = CAST(NEW.subject_id AS BIGINT)",
    "entity": f"subject_type = 'entity' AND subject_id = CAST(NEW.subject_id AS BIGINT) OR {_OF_ENTITY}",
}


def tell_former_states(connection: BaseDatabaseWrapper) -> None:
    """Have the database tell former states who ended them from each event of an entity or an entry."""
    for kind, subject in _TELLING.items():
        name = f"audit_told_{kind}"
        statement = _TELL.format(subject=subject, young=_YOUNG[connection.vendor])
        done = ("updated", "deleted", "restored") + (("created",) if kind == "entity" else ())
        actions = ", ".join(f"'{kind}.{each}'" for each in done)
        head = (
            f"CREATE TRIGGER {name} AFTER INSERT ON audit_auditevent FOR EACH ROW "
            f"WHEN (NEW.action IN ({actions}))"
        )
        if connection.vendor != "postgresql":
            _run(connection, [f"{head} BEGIN {statement}; END"])
            continue
        function = (
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER "
            f"SET search_path = public, pg_temp AS $$ BEGIN {statement}; RETURN NULL; END $$"
        )
        _run(connection, [function, f"{head} EXECUTE FUNCTION {name}()"])


def leave_former_states(connection: BaseDatabaseWrapper) -> None:
    """Undo `tell_former_states`."""
    for kind in _TELLING:
        drop = (
            "DROP FUNCTION IF EXISTS {} CASCADE"
            if connection.vendor == "postgresql"
            else "DROP TRIGGER IF EXISTS {}"
        )
        _run(connection, [drop.format(f"audit_told_{kind}")])


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
