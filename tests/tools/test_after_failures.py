from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS = """
import sqlite3

here = sqlite3.connect(":memory:", isolation_level=None)
here.execute("CREATE TABLE made (id INTEGER PRIMARY KEY, name TEXT)")


def test_fails_with_a_cursor_in_the_middle_of_a_write():
    here.execute("BEGIN")
    cursor = here.execute("INSERT INTO made (name) VALUES ('a'), ('b') RETURNING id")
    assert not cursor.fetchone()


def test_next():
    here.execute("ROLLBACK")
    here.execute("BEGIN")
    here.execute("SAVEPOINT mine")
"""


def test_a_statement_that_a_failed_test_left_open_fails_no_other(tmp_path: Path) -> None:
    (tmp_path / "test_two.py").write_text(TESTS, encoding="utf-8")
    pytest = (sys.executable, "-m", "pytest", "-p", "tools.after_failures", "--rootdir", tmp_path, tmp_path)
    ran = subprocess.run(pytest, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "1 failed, 1 passed" in ran.stdout
