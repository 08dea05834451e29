from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest

MAKE = """
from pagoda.domain.entity.models import Entity
from pagoda.domain.entry.services import create_entries
host = Entity.objects.create_entity(user=None, name="Host", attrs=[{"name": "ram", "type": "number"}])
create_entries(None, host, [{"name": f"host {n}", "attrs": {"ram": n}} for n in range(12)])
"""


@pytest.fixture
def filled(pagoda: Any) -> Any:
    """A migrated host with twelve entries."""
    pagoda.copy_tables()
    pagoda("manage", "shell", "--verbosity", "0", "-c", MAKE)
    return pagoda


def execute(pagoda: Any, sql: str) -> None:
    with closing(sqlite3.connect(pagoda.folder / "data" / "pagoda.sqlite3")) as database, database:
        database.execute(sql)


def test_what_the_rows_say_is_held_against_the_history(filled: Any) -> None:
    assert filled("entries", "verify") == "ok: 12 entries\n"
    execute(filled, "UPDATE entry_entry SET current_values = '{}' WHERE id > 1")
    told = filled("entries", "verify", status=1)
    assert (
        "11 of 12 entries had other current values than their history: 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, ...."
        in told
    )
    assert "`pagoda entries verify --repair` mends them" in told
    assert "were mended" in filled("entries", "verify", "--repair")
    assert filled("entries", "verify") == "ok: 12 entries\n"


def test_rows_without_values_are_no_fault_and_migrating_fills_them(filled: Any) -> None:
    execute(filled, "UPDATE entry_entry SET current_values = NULL WHERE id < 6")
    assert "5 of them are read from the history" in filled("entries", "verify")
    assert "5 entries of an earlier release got their current values" in filled("migrate")
    assert filled("entries", "verify") == "ok: 12 entries\n"
