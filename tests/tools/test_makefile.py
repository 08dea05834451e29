from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
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
        "bounds",
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
        "docs",
        "docs-serve",
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
    called = re.findall(r"\bmake ([a-z-]+)", script)
    assert set(called) >= {
        "lint",
        "test",
        "bounds",
        "docs",
        "demo",
        "test-chart",
        "images",
        "test-browser",
        "test-schema",
        "test-integration",
    }
    assert set(called) <= set(targets)
    assert '"make test THOROUGH=1" ' in script, "all examples are made nowhere else"
    assert '"make test SLOW=1 THOROUGH=1" ' in script, "what `make test` leaves out runs nowhere else"


@pytest.fixture
def ci(tmp_path: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Run a copy of `.ci/run` with a `make` that prints its target, waits and fails as it is told."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci")
    for script in ("chromium", "docker"):
        (tmp_path / ".ci" / script).touch()
    fake = tmp_path / "bin" / "make"
    fake.parent.mkdir()
    fake.write_text(
        '#!/bin/sh\necho "output of $1"\necho "$1" >> made\n[ "$1" != "$FAILING" ] || exit 3\n',
        encoding="utf-8",
    )
    fake.chmod(0o755)

    def run(failing: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": f"{fake.parent}:{os.environ['PATH']}", "FAILING": failing}
        command = ("bash", ".ci/run")
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    return run


def test_ci_passes_when_every_step_does(ci: Callable[[str], subprocess.CompletedProcess[str]]) -> None:
    assert ci("").returncode == 0


@pytest.mark.parametrize(
    "step", ["lint", "test", "bounds", "docs", "demo", "test-chart", "images", "test-browser", "test-schema"]
)
def test_ci_fails_with_a_step_and_shows_its_output(
    ci: Callable[[str], subprocess.CompletedProcess[str]], step: str
) -> None:
    ended = ci(step)
    assert ended.returncode != 0
    assert f"output of {step}\n" in ended.stdout
    assert f"FAILED: make {step}" in ended.stdout
