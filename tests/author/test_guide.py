"""The guide works as pasted: its files are written and its commands run, in order, in an empty folder."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import click
import httpx
import pytest

from pagoda_plugin_sdk.cli import main
from pagoda_plugin_sdk.cli.app import PARTS
from tools.stack import free_port

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "sdk/README.md", "docs/plugins/from-nothing.md")
GUIDE = ROOT / PAGES[-1]
COOKBOOK = sorted((ROOT / "docs/plugins/cookbook").glob("*.md"))
STEP = re.compile(
    r"<!-- file: (?P<file>\S+) -->\n```\w+\n(?P<content>.*?)```|^    (?P<command>[a-z-]+(?: [^\n]*)?)$",
    re.DOTALL | re.MULTILINE,
)
TOOLS = {"pagoda-plugin": "pagoda_plugin_sdk.cli", "ruff": "ruff", "mypy": "mypy"}
PATIENCE_SECONDS = 120.0  # others may use the machine


def paste(page: Path, folder: Path) -> list[str]:
    """Do what the page says, and return its commands."""
    done = []
    for step in STEP.finditer(page.read_text(encoding="utf-8")):
        if step["file"]:
            path = folder / step["file"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(step["content"])
            continue
        program, *arguments = shlex.split(step["command"], comments=True)
        done.append(" ".join([program, *arguments]))
        if program == "cd":
            folder /= arguments[0]
        elif (program, *arguments) == ("pagoda-plugin", "dev"):
            is_served(folder)
        elif program != "pip":  # test_clean_machine.py installs
            command = (sys.executable, "-m", TOOLS[program], *arguments)
            ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            assert ended.returncode == 0, f"{done[-1]}\n{ended.stdout}{ended.stderr}"
    return done


def wheel_of(folder: Path) -> set[str]:
    """Build the wheel of a project and return the names of its files."""
    command = (sys.executable, "-m", "hatchling", "build", "--target", "wheel")
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    (wheel,) = (folder / "dist").iterdir()
    with zipfile.ZipFile(wheel) as archive:
        return {*archive.namelist()}


def answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.HTTPError:
        return False


def is_served(folder: Path) -> None:
    """Wait for the first answer of `pagoda-plugin dev`."""
    address = f"127.0.0.1:{free_port()}"
    command = (sys.executable, "-m", TOOLS["pagoda-plugin"], "dev")
    with subprocess.Popen(command, cwd=folder, env={**os.environ, "API_BIND": address}) as process:
        deadline = time.monotonic() + PATIENCE_SECONDS
        try:
            while not answers(f"http://{address}/healthz"):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.2)
        finally:
            process.terminate()


@pytest.mark.parametrize(
    "page", [page for page in COOKBOOK if page.stem != "index"], ids=lambda page: page.stem
)
def test_a_recipe_runs_as_pasted(page: Path, tmp_path: Path) -> None:
    (tmp_path / "pasted").mkdir()
    done = paste(page, tmp_path / "pasted")
    assert done[-2:] == ["pagoda-plugin check", "pagoda-plugin test"]
    named = {step["file"] for step in STEP.finditer(page.read_text(encoding="utf-8")) if step["file"]}
    code = {name for name in named if not name.startswith("test")}
    assert wheel_of(tmp_path / "pasted") >= code - {"pyproject.toml"}


def test_a_plugin_comes_from_nothing_as_pasted(tmp_path: Path) -> None:
    done = paste(GUIDE, tmp_path)
    assert "pagoda-plugin dev" in done
    assert len(list((tmp_path / "demo" / "dist").iterdir())) == 2


def test_a_plugin_is_published_as_pasted(tmp_path: Path) -> None:
    assert paste(ROOT / "docs/plugins/publishing.md", tmp_path)[-1].endswith("--dry-run")


def test_what_versions_tells_is_so(plugin_command: Any, tmp_path: Path) -> None:
    page = (ROOT / "docs/plugins/versions.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    django = "from django.conf import settings; settings.configure()\n"  # the API classes need it
    subprocess.run((sys.executable, "-c", django + code), check=True)
    (dependencies,) = re.findall(r"^    (dependencies = .*)$", page, re.MULTILINE)
    (told,) = re.findall(r"```text\n(.*?)\n```", page, re.DOTALL)
    (tmp_path / "racks.py").write_text(
        "from pagoda_plugin_sdk import Plugin\nclass P(Plugin):\n    id, name = 'racks', 'Racks'\n"
    )
    for wanted, said in ((dependencies, "racks: ok\n"), (dependencies.replace("1.0,<2", "2,<3"), told)):
        (tmp_path / "pyproject.toml").write_text(
            f'[project]\nname = "racks"\n{wanted}\n'
            '[project.entry-points."pagoda.plugins"]\nracks = "racks:P"\n'
        )
        assert said in plugin_command("check", cwd=tmp_path).stdout


def test_the_cookbook_lists_each_recipe() -> None:
    listed = re.findall(r"^\|.*\((\S+)\.md\) \|$", COOKBOOK[0].with_stem("index").read_text(), re.MULTILINE)
    assert sorted([*listed, "index"]) == sorted(page.stem for page in COOKBOOK)


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
