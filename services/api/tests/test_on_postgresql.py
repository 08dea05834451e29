"""What triggers keep of the past, once more on a real PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tools.servers import PostgresServer, missing_programs

STORIES = ("history", "past", "revert")


@pytest.mark.skipif("postgresql" in missing_programs(), reason="PostgreSQL is not installed")
def test_the_stories_of_the_past_hold_there_too(tmp_path: Path) -> None:
    stories = [str(Path(__file__).with_name(f"test_{name}.py")) for name in STORIES]
    with tempfile.TemporaryDirectory(prefix="pagoda-test-") as folder:
        Path(folder).chmod(0o755)  # it runs as a user of its own
        server = PostgresServer(Path(folder) / "data")
        try:
            server.start()
            environ = os.environ | {"DATABASE_URL": server.url, "PAGODA_DATA_DIR": str(tmp_path)}
            environ |= {"PAGODA_ENV_FILE": "", "PYTEST_ADDOPTS": ""}
            command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", *stories]
            ended = subprocess.run(
                command, env=environ, capture_output=True, text=True, timeout=600, check=False
            )
        finally:
            server.stop()
    assert ended.returncode == 0, ended.stdout[-3000:]
