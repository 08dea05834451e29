"""What the database decides, once more on a real PostgreSQL: the stories of values, and what they cost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.migrated_host import python_on, running_postgres
from tools.servers import missing_programs

STORIES = (
    *("current_values", "query_budget", "value_expressions", "value_indexes", "bulk", "value_machine"),
    "converting",
)
FILES = ("importing", "round_trip", "cancelling", "skipping", "waiting")


def test_the_stories_of_values_hold_there_too(tmp_path: Path) -> None:
    if "postgresql" in missing_programs():
        pytest.skip("PostgreSQL is not installed")
    here = Path(__file__).parent
    stories = [str(here / f"test_{name}.py") for name in STORIES]
    stories += [str(here.parent / "transfer" / f"test_{name}.py") for name in FILES]
    with running_postgres() as server:
        ended = python_on(server, tmp_path, "-m", "pytest", "-q", "-p", "no:xdist", *stories)
    assert ended.returncode == 0, ended.stdout[-3000:]
