"""`pagoda-plugin update` brings what a later template changed, and leaves what the author wrote."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import copier
import pytest

ROOT = Path(__file__).parents[2]
OLD = "0.9.0"

pytestmark = pytest.mark.isolated


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def old_sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel of an SDK whose template had another task and no demo data."""
    folder = tmp_path_factory.mktemp("old")
    shutil.copytree(ROOT / "sdk", folder / "sdk", ignore=shutil.ignore_patterns("tests", "__pycache__"))
    package = folder / "sdk" / "src" / "pagoda_plugin_sdk"
    for file in (package / "__init__.py", folder / "sdk" / "pyproject.toml"):
        text = re.sub(r'(version(?:__)? = )"[\d.]+"', rf'\g<1>"{OLD}"', file.read_text(), count=1)
        file.write_text(text)
    source = package / "template" / "project" / "src" / "{{package}}"
    (source / "demo.py.jinja").unlink()
    tasks = source / "tasks.py.jinja"
    tasks.write_text(tasks.read_text().replace("soft_time_limit_seconds=300", "soft_time_limit_seconds=30"))
    command = [
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "--target",
        "wheel",
        "--directory",
        str(folder / "index"),
    ]
    subprocess.run(command, cwd=folder / "sdk", check=True, capture_output=True)
    return folder


@pytest.fixture
def project(old_sdk: Path, demo: Path, tmp_path: Path) -> Path:
    """A project of the old template, in git, with edits of its author."""
    answers = {
        name: value
        for name, value in re.findall(
            r'^(\w+): "?(.*?)"?$', (demo / ".copier-answers.yml").read_text(), re.MULTILINE
        )
        if not name.startswith("_")
    }
    folder = tmp_path / "demo"
    template = old_sdk / "sdk" / "src" / "pagoda_plugin_sdk" / "template"
    copier.run_copy(str(template), folder, data={**answers, "sdk": OLD}, defaults=True, quiet=True)
    models = folder / "src" / "pagoda_demo_plugin" / "models.py"
    models.write_text(models.read_text() + "\n\n# of the author\n")
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "mine")
    return folder


def index(folder: Path) -> dict[str, str]:
    """Have uv and pip know this index alone: which of the two installs is the environment's matter."""
    path = f"{ROOT / '.uv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    alone = {"FIND_LINKS": str(folder), "NO_INDEX": "1"}
    return {f"{tool}_{name}": value for tool in ("UV", "PIP") for name, value in alone.items()} | {
        "PATH": path
    }


def test_update_brings_changes_and_keeps_edits(plugin_command: Any, project: Path, old_sdk: Path) -> None:
    ended = plugin_command("update", cwd=project, **index(old_sdk / "index"))
    assert ended.returncode == 0, ended.stdout
    source = project / "src" / "pagoda_demo_plugin"
    assert (source / "demo.py").is_file()
    assert "soft_time_limit_seconds=300" in (source / "tasks.py").read_text()
    assert (source / "models.py").read_text().endswith("# of the author\n")
    again = plugin_command("update", cwd=project, **index(old_sdk / "index"))
    assert "nothing to do" in again.stdout
    assert "<<<<<<<" not in git(project, "diff")


def test_update_names_files_that_both_changed(plugin_command: Any, project: Path, old_sdk: Path) -> None:
    tasks = project / "src" / "pagoda_demo_plugin" / "tasks.py"
    tasks.write_text(tasks.read_text().replace("soft_time_limit_seconds=30", "soft_time_limit_seconds=45"))
    git(project, "commit", "--quiet", "--all", "--message", "mine, too")
    ended = plugin_command("update", cwd=project, **index(old_sdk / "index"))
    assert ended.returncode == 1
    assert "changed the same lines of src/pagoda_demo_plugin/tasks.py:" in ended.stdout
    text = tasks.read_text()
    mine, theirs = text.partition("<<<<<<< ")[2].partition("\n=======\n")[::2]
    assert "soft_time_limit_seconds=45" in mine
    assert "soft_time_limit_seconds=300" in theirs.partition("\n>>>>>>> ")[0]
    assert tasks.with_name("models.py").read_text().endswith("# of the author\n")
    assert tasks.with_name("demo.py").is_file()
    assert not list(project.rglob("*.rej"))


def test_update_wants_a_clean_tree(plugin_command: Any, project: Path, old_sdk: Path) -> None:
    (project / "README.md").write_text("mine")
    ended = plugin_command("update", cwd=project, **index(old_sdk / "index"))
    assert ended.returncode == 1
    assert "Commit your changes to git first" in ended.stdout
    assert (project / "README.md").read_text() == "mine"


def test_update_tells_when_the_old_template_is_gone(
    plugin_command: Any, project: Path, tmp_path: Path
) -> None:
    ended = plugin_command("update", cwd=project, **index(tmp_path))
    assert ended.returncode == 1
    assert f"The template of pagoda-plugin-sdk {OLD}" in ended.stdout
    assert git(project, "status", "--porcelain") == ""


def test_update_needs_a_project(plugin_command: Any, tmp_path: Path) -> None:
    ended = plugin_command("update", cwd=tmp_path)
    assert ended.returncode == 1
    assert "nothing to update" in ended.stdout
