"""One word, one thing: who looks for a class finds one."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

SOURCES = ("sdk/src", "core/src", "services", "plugins", "tools", "benchmarks")
DJANGO_INNER = {"Meta", "Migration"}
"""Django asks for these by their names."""


def class_names(source: str) -> list[str]:
    return [node.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)]


def doubled(sources: dict[str, str]) -> dict[str, list[str]]:
    places: defaultdict[str, list[str]] = defaultdict(list)
    for name, source in sources.items():
        for each in class_names(source):
            places[each].append(name)
    return {each: of for each, of in places.items() if len(of) > 1 and each not in DJANGO_INNER}


def test_each_class_name_stands_for_one_class(files: list[Path], root: Path) -> None:
    named = {path.relative_to(root).as_posix(): path for path in files if path.suffix == ".py"}
    sources = {
        name: path.read_text(encoding="utf-8")
        for name, path in named.items()
        if name.startswith(SOURCES) and "tests" not in path.relative_to(root).parts
    }
    assert len(sources) > 300
    assert doubled(sources) == {}


def test_a_doubled_name_is_found() -> None:
    sources = {
        "a.py": "class A:\n    class Meta: ...\n",
        "b.py": "def f():\n    class A: ...\nclass Meta: ...\n",
    }
    assert doubled(sources) == {"A": ["a.py", "b.py"]}
