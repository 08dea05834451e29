from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tools import run_tests, suite_settings
from tools.run_tests import ALL, FAST, NOT_FAST, ROOT, SLOW, SUITES, SuiteRun, counts_of, main, summary

# Tests that need more than Python have targets of their own; .venv holds tests of others.
ELSEWHERE = {".venv", "integration"}
REPORT = '<testsuites><testsuite errors="1" failures="2" skipped="3" tests="10"></testsuite></testsuites>'


def outcome(name: str, **counts: int) -> SuiteRun:
    return SuiteRun(name=name, exit_code=0, counts=Counter(counts))


def test_report_is_counted_in_the_words_of_pytest(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT, encoding="utf-8")
    assert counts_of(report, 1) == {"failed": 2, "passed": 4, "skipped": 3, "errors": 1}


def test_suite_that_wrote_no_report_counts_as_an_error(tmp_path: Path) -> None:
    assert counts_of(tmp_path / "absent.xml", 4)["errors"] == 1


def test_suite_without_tests_counts_as_an_error(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(
        '<testsuites><testsuite errors="0" tests="0"></testsuite></testsuites>', encoding="utf-8"
    )
    assert counts_of(report, 5)["errors"] == 1


def test_summary_ends_with_the_sum_of_all_suites() -> None:
    text = summary([outcome("sdk", passed=5, skipped=1), outcome("core", failed=1, passed=7)], 61.234)
    assert text.splitlines()[-1].strip("= ") == "1 failed, 12 passed, 1 skipped in 61.23s"
    assert [line.split()[0] for line in text.splitlines()[:-1]] == ["sdk", "core"]


def test_unknown_suite_is_named_with_the_known_ones() -> None:
    with pytest.raises(SystemExit, match=r"unknown suites \['cor'\]: expected some of core, .*sdk"):
        main(["cor"])


def test_every_folder_of_tests_is_in_one_suite() -> None:
    patterns = ("*/tests/**/test_*.py", "*/*/tests/**/test_*.py", "tests/**/test_*.py")
    folders = {path.parent for pattern in patterns for path in ROOT.glob(pattern)}
    folders = {folder for folder in folders if not set(folder.relative_to(ROOT).parts) & ELSEWHERE}
    suites = [ROOT / folder for suite in SUITES.values() for folder in suite.folders]
    assert folders
    assert [folder for folder in folders if not any(folder.is_relative_to(suite) for suite in suites)] == []


def test_chart_browser_and_schema_are_tested_when_they_are_asked_for() -> None:
    assert set(SUITES) - set(ALL) == {"browser", "chart", "schema"}


type Runs = dict[str, tuple[str, ...]]


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    """``{suite: pytest's arguments}`` of what would run; every suite but core finds no test."""
    found: Runs = {}

    def run(
        name: str, reports: Path, what: Sequence[str], options: Sequence[str], *, is_beside: bool
    ) -> SuiteRun:
        found[name] = (*what, *options)
        return SuiteRun(name=name, exit_code=0 if name == "core" else 5, counts=Counter())

    monkeypatch.setattr(run_tests, "run", run)
    return found


def test_a_named_suite_runs_whole_with_what_stands_behind_it(runs: Runs) -> None:
    assert main(["core", "worker", "-k", "name or other"]) == 0
    assert runs == {
        "core": ("core/tests", "-k", "name or other"),
        "worker": ("services/worker/tests", "-k", "name or other"),
    }


def test_options_alone_are_for_all_suites(runs: Runs) -> None:
    assert main(["-k", "name"]) == 0
    assert sorted(runs) == sorted(ALL)


def test_a_choice_that_finds_no_test_anywhere_fails(runs: Runs) -> None:
    assert main(["api", "worker", "-k", "nothing"]) == 1


def paths_that_are_slow() -> list[str]:
    return [path for suite in SUITES.values() for path in suite.slow]


def told(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return what the last line names as left out."""
    return capsys.readouterr().out.splitlines()[-1].partition("left out: ")[2].split(", ")


def test_a_run_of_all_leaves_out_what_is_slow_and_says_so(
    runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([]) == 0
    assert sorted(runs) == sorted(ALL)
    without = [word.partition("=") for each in runs.values() for word in each if word[0] == "-"]
    assert {option for option, _, path in without if "::" in path} == {"--deselect"}
    assert {option for option, _, path in without if "::" not in path} == {"--ignore"}
    assert sorted(path for _, _, path in without) == sorted(paths_that_are_slow())
    assert told(capsys) == paths_that_are_slow()


def test_what_was_left_out_is_run_with_slow(runs: Runs) -> None:
    assert main(["--slow"]) == 0
    assert sorted(path for each in runs.values() for path in each) == sorted(paths_that_are_slow())
    assert sorted(runs) == sorted(SLOW)


def test_every_path_that_is_left_out_is_there_and_in_its_suite() -> None:
    for suite in SUITES.values():
        assert [path for path in suite.slow if not path.startswith(suite.folders)] == []
    for path in (*paths_that_are_slow(), *NOT_FAST):
        file, _, test = path.partition("::")
        assert (ROOT / file).exists(), path
        assert not test or f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), path


def test_a_suite_without_slow_tests_is_named_with_those_that_have_some(runs: Runs) -> None:
    with pytest.raises(SystemExit, match=r"nothing of sdk is slow: expected some of .*core"):
        main(["--slow", "sdk"])
    assert runs == {}


def test_fast_names_what_it_leaves_out(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--fast"]) == 0
    assert sorted(runs) == sorted(FAST)
    slow = [path for name in FAST for path in SUITES[name].slow]
    suites = [name for name in ALL if name not in FAST]
    assert sorted(told(capsys)) == sorted([*suites, *slow, *NOT_FAST])
    assert "--ignore=core/tests/cli" in runs["core"]
    assert "--deselect=core/tests/search/test_finding.py::test_all_this_on_postgresql" in runs["core"]
    assert "--ignore=sdk/tests/test_public_names.py" in runs["sdk"]


@pytest.mark.parametrize(
    "target",
    [
        "core/tests/domain/test_users.py",
        "core/tests/access",
        "core",
        "services/worker/tests/test_targets.py::test_core_is_sized_by_its_name",
        "plugins/hello-world",
    ],
)
def test_a_folder_a_file_and_one_test_are_found_alone(target: str) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    command = (sys.executable, "-m", "pytest", "--quiet", "--collect-only", target)
    found = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


def test_two_settings_in_one_process_are_told_with_the_remedy() -> None:
    command = (sys.executable, "-m", "pytest", "--collect-only", "core/tests/access", "services/api/tests")
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.returncode == pytest.ExitCode.USAGE_ERROR
    assert "several suites with `make test`" in told.stdout + told.stderr


def test_a_process_that_spreads_tests_does_without_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(suite_settings.SPREAD, "1")
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "some.other")
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    suite_settings.use("pagoda.settings")
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    with pytest.raises(pytest.UsageError, match=r"some\.other"):
        suite_settings.use("pagoda.settings")


@pytest.mark.parametrize(
    ("what", "options", "is_spared"),
    [
        (("core/tests", "--ignore=core/tests/cli"), (), True),
        (("core/tests/cli", "core/tests/access/test_groups_on_postgresql.py"), (), False),
        (("core/tests",), ("-n", "0"), False),
    ],
)
def test_settings_are_spared_where_a_whole_suite_is_spread(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    what: tuple[str, ...],
    options: tuple[str, ...],
    is_spared: bool,
) -> None:
    environs: list[dict[str, str]] = []

    def started(command: Sequence[str], *, env: dict[str, str], **_how: object) -> object:
        environs.append(env)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(run_tests, "ENVIRONMENT", {})
    monkeypatch.setattr(subprocess, "run", started)
    run_tests.run("core", tmp_path, what, options)
    assert [suite_settings.SPREAD in environ for environ in environs] == [is_spared]
