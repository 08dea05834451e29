"""The project that `pagoda-plugin new` makes, and what the command makes of it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

NAMES = ["2fast", "class", "entry"]


def tool(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", NAMES)
def test_names_that_mean_something_elsewhere_do_no_harm(
    plugin_command: Any, tmp_path: Path, name: str
) -> None:
    assert plugin_command("new", name, cwd=tmp_path).returncode == 0
    checked = plugin_command("check", cwd=tmp_path / name)
    assert (checked.returncode, checked.stdout) == (0, f"pagoda-{name}-plugin: ok\n")


@pytest.mark.parametrize("name", ["My-Plugin_2", "a" * 40])
def test_a_new_project_is_green_at_once(plugin_command: Any, tmp_path: Path, name: str) -> None:
    made = plugin_command("new", name, cwd=tmp_path)
    assert made.returncode == 0, made.stdout
    folder = tmp_path / name
    for arguments in (("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",)):
        ended = tool(folder, *arguments)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    checked = plugin_command("check", cwd=folder)
    assert checked.returncode == 0, checked.stdout
    assert checked.stdout.endswith(": ok\n")


def test_its_own_tests_pass(plugin_command: Any, demo: Path) -> None:
    ended = plugin_command("test", "-q", "-p", "no:cacheprovider", cwd=demo)
    assert ended.returncode == 0, ended.stdout
    assert "failed" not in ended.stdout


@pytest.mark.parametrize("name", ["naïve", "core"])
def test_a_bad_name_makes_nothing(plugin_command: Any, tmp_path: Path, name: str) -> None:
    ended = plugin_command("new", "--", name, cwd=tmp_path)
    assert ended.returncode == 1
    assert ended.stdout.startswith("Error: ")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_files_is_left_alone(plugin_command: Any, tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "mine.txt").write_text("mine")
    ended = plugin_command("new", "demo", cwd=tmp_path)
    assert ended.returncode == 1
    assert "is there already and not empty: nothing was changed" in ended.stdout
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("title", ['He said "hi"', "{{ evil }}", "two\nlines"])
def test_texts_that_would_break_the_project_are_refused(
    plugin_command: Any, tmp_path: Path, title: str
) -> None:
    ended = plugin_command("new", "demo", "--description", title, "--title", title, cwd=tmp_path)
    assert ended.returncode == 1, ended.stdout
    assert not (tmp_path / "demo").exists()


def test_docs_writes_a_page_on_what_the_plugin_has(plugin_command: Any, demo: Path, tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    ended = plugin_command("docs", "--output", str(tmp_path / "pages"), cwd=demo, PAGODA_DATA_DIR=data)
    assert ended.returncode == 0, ended.stdout
    page = (tmp_path / "pages" / "demo.md").read_text()
    for row in (
        "| `entry.validate` | all | 100 | Refuse an entry whose name",
        "| `POST /api/v2/plugins/demo/counts/` | Queue a count",
        "| `count` | 0 | soft_time_limit_seconds 300, hard_time_limit_seconds 360, params_model DemoCount",
        "| `max_name_length` | integer | `64` | Of an entry, in characters |",
        "## Permissions\n\nNone.",
    ):
        assert row in page


def test_docs_reads_tasks_that_the_plugin_registers_itself(plugin_command: Any, tmp_path: Path) -> None:
    folder = Path(__file__).parents[2] / "plugins" / "hello-world"
    data = str(tmp_path / "data")
    ended = plugin_command("docs", "--output", str(tmp_path), cwd=folder, PAGODA_DATA_DIR=data)
    assert ended.returncode == 0, ended.stdout
    page = (tmp_path / "hello-world-plugin.md").read_text()
    assert "| `greet` | 1 | params_model GreetParams, cancelable, parallelizable | Greet the name" in page
    assert "| `entry.after_delete`, after commit, in the worker | all |" in page


def test_manage_writes_the_migration_that_check_misses(
    plugin_command: Any, demo: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "demo"
    shutil.copytree(demo, folder)
    shutil.rmtree(folder / "src" / "pagoda_demo_plugin" / "migrations")
    missing = plugin_command("check", cwd=folder)
    assert (missing.returncode, "no migrations" in missing.stdout) == (1, True)
    made = plugin_command("manage", "makemigrations", "pagoda_demo_plugin", cwd=folder)
    assert made.returncode == 0, made.stdout
    checked = plugin_command("check", cwd=folder)
    assert (checked.returncode, checked.stdout) == (0, "pagoda-demo-plugin: ok\n")


def built(plugin_command: Any, demo: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "demo"
    shutil.copytree(demo, folder)
    ended = plugin_command("build", cwd=folder)
    assert ended.returncode == 0, ended.stdout
    return folder


def test_build_makes_a_whole_wheel_and_sdist(plugin_command: Any, demo: Path, tmp_path: Path) -> None:
    folder = built(plugin_command, demo, tmp_path)
    assert sorted(path.name for path in (folder / "dist").iterdir()) == [
        "pagoda_demo_plugin-0.1.0-py3-none-any.whl",
        "pagoda_demo_plugin-0.1.0.tar.gz",
    ]
    with zipfile.ZipFile(next((folder / "dist").glob("*.whl"))) as wheel:
        names = set(wheel.namelist())
    assert {"pagoda_demo_plugin/migrations/0001_initial.py", "pagoda_demo_plugin/py.typed"} <= names
    assert not [name for name in names if name.startswith("tests")]


LACKING = {
    "a migration that is ignored": (
        (".gitignore", "dist/", "dist/\nmigrations/"),
        "migrations/0001_initial.py",
    ),
    "no requirement on the SDK": (
        ("pyproject.toml", '"pagoda-plugin-sdk>=1.0,<2",', '"pagoda-plugin-sdkk>=1.0,<2",'),
        "does not require pagoda-plugin-sdk",
    ),
    "an entry point without its module": (
        ("pyproject.toml", "pagoda_demo_plugin.plugin:", "pagoda_demo_plugin.plugni:"),
        "lacks the module of entry point demo",
    ),
    "no readme": (("pyproject.toml", 'readme = "README.md"', ""), "has no readme"),
    "no licence": (
        ("pyproject.toml", 'license-files = ["LICENSE"]', "license-files = []"),
        "holds no licence",
    ),
    "an address that is none": (
        (
            "pyproject.toml",
            "[project.optional-dependencies]",
            '[project.urls]\nA = "https://demo.invalid"\nHomepage = "demo"\n[project.optional-dependencies]',
        ),
        "has the URL 'Homepage' = 'demo'. Correct [project.urls]",
    ),
    "tests in the wheel": (
        (
            "pyproject.toml",
            'packages = ["src/pagoda_demo_plugin"]',
            'packages = ["src/pagoda_demo_plugin", "tests"]',
        ),
        "holds tests/",
    ),
    "a backend that is not there": (
        ("pyproject.toml", "hatchling.build", "no_such.build"),
        "The build failed",
    ),
}


@pytest.mark.parametrize(("edit", "text"), LACKING.values(), ids=LACKING)
def test_build_refuses_what_lacks_something(
    plugin_command: Any, demo: Path, tmp_path: Path, edit: tuple[str, str, str], text: str
) -> None:
    folder = tmp_path / "demo"
    shutil.copytree(demo, folder)
    name, before, after = edit
    content = (folder / name).read_text()
    assert before in content
    (folder / name).write_text(content.replace(before, after))
    ended = plugin_command("build", cwd=folder)
    assert ended.returncode == 1
    assert text in ended.stdout
    assert not (folder / "dist").exists()


def test_publish_asks_for_a_build_of_this_version(plugin_command: Any, demo: Path) -> None:
    ended = plugin_command("publish", "--index", "http://127.0.0.1:9/", "--dry-run", cwd=demo)
    assert ended.returncode == 1
    assert "Run `pagoda-plugin build` first" in ended.stdout
