"""The settings that `pagoda-plugin dev` chooses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest

from pagoda_plugin_sdk.cli.development import development_environment, with_own_ranges
from pagoda_plugin_sdk.project import read_project


@pytest.mark.parametrize(
    ("ranges", "first"),
    [
        ({}, 200),
        ({"other": [200, 299]}, 300),
        ({"other": [250, 450]}, 551),
        ({"demo": [7000, 7001]}, 7000),
        ({"one": [300, 399], "two": [200, 299]}, 400),
    ],
)
def test_a_free_range_is_taken(ranges: dict[str, Any], first: int) -> None:
    found = with_own_ranges(ranges, ["demo"])
    low, high = found["demo"]
    others = [each for name, each in found.items() if name != "demo"]
    assert low >= first - 99
    assert not [each for each in others if each[0] <= high and low <= each[1]]
    assert {name: each for name, each in found.items() if name in ranges} == ranges


def test_a_plugin_without_tasks_is_given_no_range(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "pair"\n'
        '[project.entry-points."pagoda.plugins"]\none = "one:P"\ntwo = "two.plugin:P"\n'
    )
    (tmp_path / "one.py").write_text("class P: ...\n\nPluginTaskRegistry.get_operation_id('two', 'scan')\n")
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "__init__.py").touch()
    (tmp_path / "two" / "apps.py").write_text("PluginTaskRegistry.register(CONFIG)\n")
    environ = development_environment(read_project(tmp_path))
    assert list(json.loads(environ["PLUGIN_OPERATION_ID_CONFIG"])) == ["two"]


def test_no_free_range_is_told() -> None:
    with pytest.raises(click.ClickException, match="leaves no 100 ids for 'demo'"):
        with_own_ranges({"greedy": [200, 9999]}, ["demo"])


def test_the_env_file_wins_over_defaults_and_the_environment_over_it(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text(
        (demo / "pyproject.toml").read_text() + "\n[tool.pagoda.settings]\nmax_name_length = 9\n"
    )
    (tmp_path / ".env").write_text("API_WORKERS=3\nPAGODA_LOG_FORMAT=json\n")
    monkeypatch.setenv("PAGODA_LOG_FORMAT", "console")
    environ = development_environment(read_project(tmp_path))
    assert (environ["API_WORKERS"], environ["PAGODA_LOG_FORMAT"]) == ("3", "console")
    assert json.loads(environ["PLUGIN_SETTINGS"]) == {"demo": {"max_name_length": 9}}
    assert environ["PLUGIN_EXAMPLES_DIR"] == str(tmp_path)


def test_a_setting_that_is_no_json_is_named(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUGIN_OPERATION_ID_CONFIG", "demo=400")
    with pytest.raises(click.ClickException, match="PLUGIN_OPERATION_ID_CONFIG is 'demo=400'"):
        development_environment(read_project(demo))
