"""A dump of the release before current values is migrated while that release reads.

`UPGRADE_ENTRIES=100000` tries it with as many; unless given a few do, which needs seconds.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import psycopg
import pytest

from pagoda_plugin_sdk.rules.attr_types import TYPES
from tools.migrated_host import running_postgres
from tools.servers import PostgresServer, missing_programs, postgres_folder

pytestmark = pytest.mark.skipif("postgresql" in missing_programs(), reason="PostgreSQL is not installed")

ENTRIES = int(os.environ.get("UPGRADE_ENTRIES", "2500"))
BATCH = 1_000  # rows that one transaction of the conversion locks at most
BEFORE = (("entity", "0002"), ("entry", "0002"))
KINDS = ("string", "text", "number", "boolean", "object")
VERSIONS = 2

TYPE_NUMBERS = ",".join(str(int(TYPES[kind])) for kind in KINDS)

FILL = f"""
INSERT INTO entity_entity (id, is_active, created_time, updated_time, name, note, default_permission)
    VALUES (1, TRUE, now(), now(), 'Host', '', 8);
INSERT INTO entity_entityattr (id, is_active, created_time, name, type, is_mandatory, index, is_summarized,
    is_delete_in_chain, note, choices, default_permission, parent_entity_id)
    SELECT kind, TRUE, now(), 'attr ' || kind, ('{{{TYPE_NUMBERS}}}'::int[])[kind],
    FALSE, kind, FALSE, FALSE, '', '[]', 8, 1 FROM generate_series(1, {len(KINDS)}) kind;
INSERT INTO entry_entry (id, is_active, created_time, updated_time, name, note, default_permission, schema_id)
    SELECT n, TRUE, now(), now(), 'host ' || n, '', 8, 1 FROM generate_series(1, {ENTRIES}) n;
INSERT INTO entry_attribute (id, is_active, created_time, name, parent_entry_id, schema_id)
    SELECT (n - 1) * {len(KINDS)} + kind, TRUE, now(), 'attr ' || kind, n, kind
    FROM generate_series(1, {ENTRIES}) n, generate_series(1, {len(KINDS)}) kind;
INSERT INTO entry_attributevalue (id, is_active, created_time, value, is_latest, parent_attr_id,
    parent_entry_id)
    SELECT (a.id - 1) * {VERSIONS} + version, TRUE, now(), CASE a.schema_id
        WHEN 1 THEN to_jsonb('10.0.0.' || version) WHEN 2 THEN to_jsonb('text of ' || a.parent_entry_id)
        WHEN 3 THEN to_jsonb(a.parent_entry_id + version) WHEN 4 THEN to_jsonb(version = {VERSIONS}) END,
    version = {VERSIONS}, a.id, a.parent_entry_id
    FROM entry_attribute a, generate_series(1, {VERSIONS}) version;
INSERT INTO entry_attributereference (ordinal, name, value_id, entry_id)
    SELECT 0, '', v.id, 1 + v.parent_entry_id % {ENTRIES} FROM entry_attributevalue v
    JOIN entry_attribute a ON a.id = v.parent_attr_id WHERE a.schema_id = 5;
ANALYZE;
"""

READ = """
SELECT e.id, e.name, e.note, e.is_active, d.id, d.name, v.value, r.ordinal, t.id, t.name
FROM entry_entry e
JOIN entity_entityattr d ON d.parent_entity_id = e.schema_id AND d.is_active
LEFT JOIN entry_attribute a ON a.parent_entry_id = e.id AND a.schema_id = d.id AND a.is_active
LEFT JOIN entry_attributevalue v ON v.parent_attr_id = a.id AND v.is_latest AND v.is_active
LEFT JOIN entry_attributereference r ON r.value_id = v.id
LEFT JOIN entry_entry t ON t.id = r.entry_id
WHERE e.id = ANY(%s) ORDER BY e.id, d.index, r.ordinal
"""
"""How that release read values: out of their history."""

TABLES = ("entry_entry", "entry_attribute", "entry_attributevalue", "entry_attributereference")


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    with running_postgres(is_migrated=False) as running:
        yield running


def pagoda(database: str, folder: Path, *arguments: str) -> str:
    environ = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    environ |= {"DATABASE_URL": database, "PAGODA_DATA_DIR": str(folder), "PAGODA_ENV_FILE": ""}
    command = [sys.executable, "-m", "pagoda.cli", *arguments]
    ran = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=1800, check=False)
    assert ran.returncode == 0, (arguments, ran.stdout[-3000:], ran.stderr[-3000:])
    return ran.stdout


def dumped_and_restored(server: PostgresServer, folder: Path) -> str:
    """Return the address of a database that is made of the dump of the server's first one."""
    programs, dump = postgres_folder(), folder / "dump"
    assert programs is not None
    subprocess.run([programs / "pg_dump", "-Fc", "-f", dump, server.url], check=True)
    subprocess.run([programs / "psql", "-qc", "CREATE DATABASE restored", server.url], check=True)
    restored = server.url.replace("/postgres", "/restored")
    subprocess.run([programs / "pg_restore", "-d", restored, dump], check=True)
    return restored


def files_of(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """Return the file of each table: a statement that writes a table anew, locked, gives it another."""
    rows = connection.execute(
        "SELECT name, pg_relation_filenode(name::regclass) FROM unnest(%s::text[]) name", [[*TABLES]]
    )
    return dict(rows.fetchall())


def read_until(database: str, is_over: Event) -> list[list[tuple[Any, ...]]]:
    """Read as that release does until told to stop; no read may wait for a lock for more than seconds."""
    seen = []
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SET lock_timeout = '10s'")
        while not is_over.is_set():
            seen.append(connection.execute(READ, [[1, 2, ENTRIES]]).fetchall())
            is_over.wait(0.02)
    return seen


def test_that_release_reads_on_while_its_dump_is_migrated(server: PostgresServer, tmp_path: Path) -> None:
    for app, migration in BEFORE:
        pagoda(server.url, tmp_path, "manage", "migrate", app, migration)
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(FILL)
    database, is_over = dumped_and_restored(server, tmp_path), Event()
    with psycopg.connect(database, autocommit=True) as connection, ThreadPoolExecutor(1) as pool:
        files = files_of(connection)
        before = connection.execute(READ, [[1, 2, ENTRIES]]).fetchall()
        reads = pool.submit(read_until, database, is_over)
        try:
            pagoda(database, tmp_path, "migrate")
        finally:
            is_over.set()
        seen = reads.result()
        assert files_of(connection) == files
        converted = connection.execute("SELECT count(*) FROM entry_entry WHERE current_values IS NOT NULL")
        assert converted.fetchone() == (ENTRIES,)
        batches = connection.execute("SELECT count(*) FROM entry_entry GROUP BY xmin::text ORDER BY 1 DESC")
        sizes = [size for (size,) in batches.fetchall()]
        values = connection.execute("SELECT current_values FROM entry_entry WHERE id = 2").fetchone()

    assert len(before) == 3 * len(KINDS)
    assert len(seen) > 10
    assert all(rows == before for rows in seen)
    assert sizes[0] <= BATCH
    assert sum(sizes) == ENTRIES
    assert values is not None
    assert values[0]["2"] == "text of 2"
    assert values[0]["3"] == 2 + VERSIONS
    assert pagoda(database, tmp_path, "entries", "verify") == f"ok: {ENTRIES} entries\n"
