from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from conftest import SETTINGS_MODULES
from tools.run_tests import ALL, ROOT, SUITES, Outcome, counts_of, main, summary

# Tests that need more than Python have targets of their own; .venv holds tests of others.
ELSEWHERE = {".venv", "integration", "browser"}
REPORT = '<testsuites><testsuite errors="1" failures="2" skipped="3" tests="10"></testsuite></testsuites>'


def outcome(name: str, **counts: int) -> Outcome:
    return Outcome(name=name, exit_code=0, counts=Counter(counts))


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
    with pytest.raises(SystemExit, match=r"unknown suites \['cor'\]: expected some of sdk, .*core"):
        main(["cor"])


def test_every_folder_of_tests_is_in_one_suite() -> None:
    patterns = ("*/tests/**/test_*.py", "*/*/tests/**/test_*.py", "tests/**/test_*.py")
    folders = {path.parent for pattern in patterns for path in ROOT.glob(pattern)}
    folders = {folder for folder in folders if not set(folder.relative_to(ROOT).parts) & ELSEWHERE}
    suites = [ROOT / folder for suite in SUITES.values() for folder in suite.folders]
    assert folders
    assert [folder for folder in folders if not any(folder.is_relative_to(suite) for suite in suites)] == []


def test_chart_is_tested_when_it_is_asked_for() -> None:
    assert set(SUITES) - set(ALL) == {"chart"}


def test_every_suite_has_its_settings() -> None:
    folders = [Path(folder) for suite in SUITES.values() for folder in suite.folders]
    assert [
        folder for folder in folders if not any(folder.is_relative_to(row) for row in SETTINGS_MODULES)
    ] == []
