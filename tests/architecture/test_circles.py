"""No package holds a circle of imports, and few imports hide inside functions."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp

PACKAGES = (
    "pagoda_plugin_sdk",
    "pagoda",
    "pagoda_api",
    "pagoda_worker",
    "pagoda_hello_world",
    "pagoda_inventory",
)
MOST_LATE_IMPORTS = 30
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Return the modules of one circle, in order; none when there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def test_no_package_holds_a_circle() -> None:
    # Also for typing alone, and inside functions: both are dependencies. Its cache goes by seconds.
    imports = grimp.build_graph(*PACKAGES, exclude_type_checking_imports=False, cache_dir=None)
    graph = {module: imports.find_modules_directly_imported_by(module) for module in imports.modules}
    assert len(graph) > 200
    assert circle(graph) == []


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) != []
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def late_imports(source: str) -> list[ast.Import | ast.ImportFrom]:
    """Return the imports inside functions."""
    functions = (node for node in ast.walk(ast.parse(source)) if isinstance(node, FUNCTION))
    inside = (node for function in functions for node in ast.walk(function))
    found = {node.lineno: node for node in inside if isinstance(node, ast.Import | ast.ImportFrom)}
    return list(found.values())


def without_reason(source: str) -> list[int]:
    """Return the lines of late imports with no comment beside them, or above them and those they follow."""
    lines, late = source.splitlines(), late_imports(source)
    spans = {line for each in late for line in range(each.lineno, (each.end_lineno or 0) + 1)}
    silent = []
    for each in late:
        above = each.lineno - 1
        while above in spans or not lines[above - 1].strip():
            above -= 1
        if "#" not in lines[each.lineno - 1] and not lines[above - 1].lstrip().startswith("#"):
            silent.append(each.lineno)
    return silent


def test_imports_inside_functions_are_few_and_say_why(modules: list[Path], root: Path) -> None:
    sources = {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in modules}
    assert sum(len(late_imports(source)) for source in sources.values()) <= MOST_LATE_IMPORTS
    silent = {name: found for name, source in sources.items() if (found := without_reason(source))}
    assert silent == {}


def test_a_late_import_without_a_reason_is_found() -> None:
    late = "def f():\n    # why\n    import a\n\n    import b\n    x = 1\n    import c\n    import d  # why\n"
    assert [each.lineno for each in late_imports(late)] == [3, 5, 7, 8]
    assert without_reason(late) == [7]
