from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tools.restore_drill import ENTRIES, JOBS, DrillFault, _compare, drill
from tools.servers import missing_programs


@pytest.mark.skipif(bool(missing_programs()), reason="PostgreSQL is not installed")
def test_a_backup_comes_back_in_a_new_release() -> None:
    with tempfile.TemporaryDirectory(prefix="pagoda-restore-") as name:
        Path(name).chmod(0o755)
        assert f"{JOBS} waiting jobs came back" in drill(Path(name))


def test_what_did_not_come_back_is_named() -> None:
    before = {"entry_entry": ENTRIES, "job_job": JOBS, "user_user": 2}

    _compare(before, before)
    with pytest.raises(DrillFault, match="user_user"):
        _compare(before, before | {"user_user": 1})
    with pytest.raises(DrillFault, match="differ"):
        _compare(before | {"job_job": 0}, before | {"job_job": 0})
