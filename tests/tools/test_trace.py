"""What a request goes through does not grow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_request_goes_through_no_more_files_than_before() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tools.trace"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout[-500:] + ended.stderr[-2000:]
    entered = [line.split()[-1] for line in ended.stdout.splitlines() if " calls  " in line]
    for part in ("pagoda_api/resources/entries.py", "pagoda/hooks/dispatch.py", "pagoda/audit/recording.py"):
        assert part in entered
