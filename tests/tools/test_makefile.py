from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def make(*arguments: str) -> str:
    """Run make with a clean slate and return what it prints."""
    environment = {"PATH": os.environ["PATH"]}  # no MAKEFLAGS of a make above
    command = ["make", "--no-print-directory", *arguments]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def targets() -> list[str]:
    declared = re.search(
        r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    assert declared
    return declared.group(1).split()


@pytest.mark.parametrize("arguments", [(), ("help",)], ids=["bare", "help"])
def test_make_lists_every_target_with_a_line(targets: list[str], arguments: tuple[str, ...]) -> None:
    listed = dict(re.findall(r"^  make (\S+) +(\S.*)$", make(*arguments), flags=re.MULTILINE))
    assert list(listed) == targets


@pytest.mark.parametrize(
    "target",
    [
        "lint",
        "test",
        "demo",
        "up",
        "images",
        "test-integration",
        "test-chart",
        "cluster-test",
        "chart-docs",
        "bench-hooks",
        "bench-jobs",
        "bench-startup",
        "bench-sizes",
        "chaos",
        "format",
        "hooks",
    ],
)
def test_target_makes_its_environment_first(target: str) -> None:
    plan = make("--dry-run", "--what-if=requirements/dev.txt", target)
    assert plan.splitlines()[0] == "python3 tools/bootstrap.py"
    assert len(plan.splitlines()) > 1


def test_ci_runs_targets_of_the_makefile(targets: list[str]) -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    called = re.findall(r"^make (\S+)", script, flags=re.MULTILINE)
    assert called == ["lint", "test", "demo", "test-chart", "images", "test-integration"]
    assert set(called) <= set(targets)
