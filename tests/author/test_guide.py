"""What the pages say of `pagoda-plugin` is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import pytest

from pagoda_plugin_sdk.cli import main
from pagoda_plugin_sdk.cli.app import PARTS

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "sdk/README.md", "docs/plugins/from-nothing.md")
GUIDE = ROOT / PAGES[-1]


@pytest.mark.parametrize("page", PAGES)
def test_commands_and_options_of_a_page_exist(page: str) -> None:
    found = re.findall(r"pagoda-plugin ([a-z]+)((?: --[a-z-]+)*)", (ROOT / page).read_text())
    assert found
    for name, options in found:
        command = main.get_command(click.Context(main), name)
        assert command is not None, name
        assert set(options.split()) <= {option for each in command.params for option in each.opts}


def test_the_guide_tells_of_each_command() -> None:
    rows = re.findall(r"^\| `pagoda-plugin ([a-z]+)", GUIDE.read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(PARTS)


def test_the_readme_s_plugin_passes_the_check(plugin_command: Any, tmp_path: Path) -> None:
    for name, content in re.findall(
        r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    checked = plugin_command("check", "my-plugins/greeter", cwd=tmp_path)
    assert (checked.returncode, checked.stdout) == (0, "greeter: ok\n")
