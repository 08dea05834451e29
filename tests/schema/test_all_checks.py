"""The API asked from outside, out of its schema, by schemathesis with all of its checks: nothing fails.

Who may everything and who may little each ask a host of their own, plugins' endpoints included: each value of
each field at its bounds (coverage), drawn requests (fuzzing), and what follows from answers (stateful).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.schema.asking import asker, filled_host, run_all_checks, statuses_in

EXAMPLES = 4  # drawn for each operation
LEAST_REQUESTS = 5_000
NOBODY = 401


@pytest.mark.parametrize(
    ("name", "fields"), [("root", {"is_superuser": True, "is_staff": True}), ("ann", {})], ids=["all", "few"]
)
def test_nothing_fails(name: str, fields: dict[str, Any], tmp_path: Path) -> None:
    report = tmp_path / "report.ndjson"

    with filled_host(tmp_path / "host") as running:
        paths = running.checked("GET", "/api/v2/schema/?format=json", 200)["paths"]
        ended = run_all_checks(running, asker(running, name, **fields), report, examples=EXAMPLES)

    assert ended.returncode == 0, ended.stdout
    asked = statuses_in(report)
    operations = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert {*asked} >= operations
    total = sum(each.total() for each in asked.values())
    assert total > LEAST_REQUESTS
    assert sum(each[NOBODY] for each in asked.values()) < total / 5, "whoever asks was logged out"
