"""Every test asserts something that its reader sees, in the test itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

# Besides those named for it, `assert_recovered` or pytest-django's `django_assert_num_queries`.
ASSERTING = {"raises", "warns", "fail"}
PLAYWRIGHT = ("to_be_", "to_contain_", "to_have_")  # behind `expect(...)`, which alone asserts nothing


def asserts(node: ast.AST) -> bool:
    """Tell whether code asserts, by a statement or by a call whose name says that it does."""
    return any(
        isinstance(part, ast.Assert) or (isinstance(part, ast.Call) and is_asserting(called(part)))
        for part in ast.walk(node)
    )


def is_asserting(name: str) -> bool:
    return name in ASSERTING or "assert" in name or name.removeprefix("not_").startswith(PLAYWRIGHT)


def called(call: ast.Call) -> str:
    function = call.func
    return getattr(function, "attr", "") or getattr(function, "id", "")


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield those whose name promises that they assert: tests, and `assert_...` and the like."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                if name.startswith(("test_", "assert_")):
                    yield node


@pytest.mark.parametrize(
    ("source", "is_one"),
    [
        ("def test_a(): work()", False),
        ("def test_a(): check(1)", False),
        ("def assert_a(): work()", False),
        ("async def test_a(): work()", False),
        ("class TestA:\n def test_a(self): work()", False),
        ("def test_a(): expect(page)", False),
        ("def test_a(): expect(page).to_have_text('a')", True),
        ("def test_a(): assert work()", True),
        ("def test_a(): assert_fine(work())", True),
        ("def test_a():\n with pytest.raises(E): work()", True),
        ("def test_a(asserted):\n with django_assert_num_queries(1): work()", True),
    ],
)
def test_what_counts_as_an_assertion(source: str, is_one: bool) -> None:
    [function] = functions(ast.parse(source))
    assert asserts(function) is is_one


def test_every_test_asserts(files: list[Path], root: Path) -> None:
    tests = [path for path in files if path.suffix == ".py" and "tests" in path.relative_to(root).parts]
    assert len(tests) > 200
    silent = [
        f"{path.relative_to(root)}:{function.lineno} {function.name}"
        for path in tests
        for function in functions(ast.parse(path.read_text(encoding="utf-8")))
        if not asserts(function)
    ]
    assert silent == []
