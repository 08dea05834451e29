"""`pagoda-plugin check` finds what is wrong with the zoo's plugins, as far as nothing needs to run."""

from __future__ import annotations

import json
import re
import tomllib
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pagoda_plugin_sdk.cli import main
from pagoda_plugin_sdk.project import tool_faults
from tools.checking_in_forks import checking_in_forks
from tools.zoo_expectations import FOLDER, ZOO

RUNNING = {"hook", "endpoint", "task"}
"""Surfaces on which the other plugins of the zoo go wrong, once they are called."""

KNOWABLE = {
    expected.plugin: expected.skipped or expected.at_fault
    for expected in ZOO
    if expected.skipped or expected.at_fault
}


@pytest.fixture(scope="module")
def found() -> dict[str, list[dict[str, Any]]]:
    folders = sorted(str(path.parent) for path in FOLDER.glob("*/pyproject.toml"))
    with checking_in_forks():
        told = CliRunner().invoke(main, ["check", "--json", *folders])
    assert told.exit_code == 1
    text, _, error = told.output.rpartition("Error: ")
    assert "fault(s) found" in error
    return {each["label"]: each["findings"] for each in json.loads(text)}


@pytest.mark.parametrize(("plugin", "code"), KNOWABLE.items(), ids=KNOWABLE)
def test_fault_is_found(found: dict[str, list[dict[str, Any]]], plugin: str, code: str) -> None:
    same = {"invalid_plugin", "bad_signature"} if code == "bad_signature" else {code}
    assert same & {finding["code"] for finding in found[plugin] if not finding["is_warning"]}


def test_plugins_that_fail_when_they_run_have_none(found: dict[str, list[dict[str, Any]]]) -> None:
    faulty = {name for name, findings in found.items() if any(not each["is_warning"] for each in findings)}
    assert faulty - set(KNOWABLE) == {"zoo-good"}  # whose id another one of them claims
    assert {expected.surface for expected in ZOO if expected.plugin not in KNOWABLE} <= {*RUNNING, None}


def test_the_plugins_of_this_repository_pass(plugin_command: Any) -> None:
    root = Path(__file__).parents[2] / "plugins"
    told = plugin_command("check", "hello-world", "inventory", cwd=root)
    assert told.returncode == 0, told.stdout


def test_a_folder_without_a_plugin_is_told(plugin_command: Any, tmp_path: Path) -> None:
    told = plugin_command("check", cwd=tmp_path)
    assert told.returncode == 1
    assert "There is no pyproject.toml" in told.stdout


def test_what_the_pages_show_of_the_project_s_own_table_is_right() -> None:
    pages = (Path(__file__).parents[2] / "docs" / "plugins").glob("*.md")
    blocks = [
        text for page in pages for text in re.findall(r"```toml\n(.*?)```", page.read_text(), re.DOTALL)
    ]
    tables = [tomllib.loads(text)["tool"]["pagoda"] for text in blocks if text.startswith("[tool.pagoda")]

    assert {*chain(*tables)} == {"seed", "entities", "settings", "chaos"}
    assert [fault for table in tables for fault in tool_faults(table)] == []
