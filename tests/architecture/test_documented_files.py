"""The files that the pages of docs/ name are there, and define what the architecture's walks begin at."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
FILE = re.compile(r"`((?:core|sdk|services|plugins|tools|tests|docker|deploy|benchmarks)/[\w./-]+\.\w+)`")


STEP = re.compile(r"^\| `([\w./]+\.py)` \| `([\w.]+)` \| .+ \|$", re.MULTILINE)
DEFINITION = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_files_that_a_page_names_exist(page: Path) -> None:
    named = FILE.findall(page.read_text(encoding="utf-8"))
    assert [name for name in named if not (ROOT / name).is_file()] == []


def definitions(tree: ast.Module) -> set[str]:
    """Return the names of a module's functions, classes and, as ``Class.name``, their methods."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, DEFINITION):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{each.name}" for each in node.body if isinstance(each, DEFINITION)}
    return found


def missing(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the steps, ``(file, name)``, whose file does not define the name."""
    modules = {path: ast.parse((ROOT / path).read_text(encoding="utf-8")) for path, _ in rows}
    return [(path, name) for path, name in rows if name not in definitions(modules[path])]


def test_each_step_of_the_four_walks_begins_at_what_its_file_defines() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    walks = [STEP.findall(part) for part in text.split("file by file:\n")[1:]]
    assert len(walks) == 4
    assert all(len(walk) > 8 for walk in walks)
    steps = [step for walk in walks for step in walk]
    assert len(steps) == len(re.findall(r"^\| `\w+/[\w./]+\.py` \|", text, flags=re.MULTILINE))
    assert missing(steps) == []


def test_a_step_that_its_file_does_not_define_is_found() -> None:
    path = "tests/architecture/test_documented_files.py"
    steps = [(path, name) for name in ("missing", "ROOT", "Gone.method")]
    assert missing(steps) == steps[1:]
