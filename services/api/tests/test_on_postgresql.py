"""What triggers keep of the past, and what JSON keeps of names, once more on a real PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.migrated_host import python_on, running_postgres
from tools.servers import missing_programs

STORIES = ("history", "past", "past_entities", "revert", "saved_search_names")


@pytest.mark.skipif("postgresql" in missing_programs(), reason="PostgreSQL is not installed")
def test_the_stories_hold_there_too(tmp_path: Path) -> None:
    stories = [str(Path(__file__).with_name(f"test_{name}.py")) for name in STORIES]
    with running_postgres() as server:
        command = ("-m", "pytest", "-q", "-p", "no:xdist", *stories)
        ended = python_on(server, tmp_path, *command, DJANGO_SETTINGS_MODULE="pagoda_api.settings")
    assert ended.returncode == 0, ended.stdout[-3000:]
