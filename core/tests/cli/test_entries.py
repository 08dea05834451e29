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


def test_names_of_earlier_releases_are_told_with_the_way_to_mend_them(filled: Any) -> None:
    execute(filled, "UPDATE entry_entry SET name = ' padded ' WHERE id = 2")
    execute(filled, "UPDATE entry_entry SET name = 'cafe\u0301' WHERE id = 3")
    execute(filled, "UPDATE entity_entityattr SET name = 'ra\u200bm'")
    execute(filled, "INSERT INTO auth_group (name) VALUES (' people')")

    told = filled("entries", "verify")

    assert told.startswith("ok: 12 entries\nNames of an earlier release, found by their id or ")
    for found in (
        "entry 2 ' padded ' (rename it to 'padded')",
        "entry 3 'cafe\u0301' (rename it to 'caf\u00e9')",
        "(rename it to a name that is allowed)",
        "group 1 ' people' (rename it to 'people')",
    ):
        assert found in told, told


def test_of_many_such_names_the_first_are_told(filled: Any) -> None:
    execute(filled, "UPDATE entry_entry SET name = name || ' '")

    told = filled("entries", "verify")

    assert told.count("rename it to") == 10
    assert "; and 2 more" in told
