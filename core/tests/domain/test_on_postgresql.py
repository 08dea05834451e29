"""What the database decides, once more on a real PostgreSQL: the stories of values, and what they cost."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tools.servers import PostgresServer, missing_programs

STORIES = (
    *("current_values", "query_budget", "value_expressions", "value_indexes", "bulk", "value_machine"),
    "converting",
)
FILES = ("importing", "round_trip", "cancelling")


def test_the_stories_of_values_hold_there_too(tmp_path: Path) -> None:
    if "postgresql" in missing_programs():
        pytest.skip("PostgreSQL is not installed")
    here = Path(__file__).parent
    with tempfile.TemporaryDirectory(prefix="pagoda-test-") as folder:
        Path(folder).chmod(0o755)  # it runs as a user of its own
        server = PostgresServer(Path(folder) / "data")
        try:
            server.start()
            environ = os.environ | {"DATABASE_URL": server.url, "PAGODA_DATA_DIR": str(tmp_path)}
            environ |= {"PAGODA_ENV_FILE": "", "PYTEST_ADDOPTS": ""}
            stories = [str(here / f"test_{name}.py") for name in STORIES]
            stories += [str(here.parent / "transfer" / f"test_{name}.py") for name in FILES]
            command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", *stories]
            ended = subprocess.run(
                command, env=environ, capture_output=True, text=True, timeout=600, check=False
            )
        finally:
            server.stop()
    assert ended.returncode == 0, ended.stdout[-3000:]
