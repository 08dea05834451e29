from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

LONGEST_MODULE_LINES = 400
LONGEST_FUNCTION_LINES = 60
# The SDK's root promises names whose modules need configured settings, and itself must import without them.
LATE_NAMES = {"sdk/src/pagoda_plugin_sdk/__init__.py": {"__version__", "__getattr__", "_LATE"}}
ONCE = ("errors", "exceptions", "runtime", "context", "reports")
"""Names that tell a package's story once; several of them tell none."""

VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "lib", "misc"}
PUBLISHED = {Path("sdk/src/pagoda_plugin_sdk/utils.py")}  # plugins import it by this name


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def belongs_in_init(statement: ast.stmt, names: set[str]) -> bool:
    """Tell whether a statement is a docstring, an import or the definition of one of the names."""
    match statement:
        case ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant(value=str())):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING"), body=body, orelse=[]):
            return all(isinstance(line, ast.Import | ast.ImportFrom) for line in body)
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name in names
        case ast.FunctionDef(name=name):
            return name in names
    return False


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_init_modules_hold_docstring_imports_and_all_alone(modules: list[Path], root: Path) -> None:
    inits = {path.relative_to(root).as_posix(): path for path in modules if path.name == "__init__.py"}
    assert len(inits) >= 6
    faults = [
        f"{name}:{statement.lineno}"
        for name, path in inits.items()
        for statement in parse(path).body
        if not belongs_in_init(statement, {"__all__"} | LATE_NAMES.get(name, set()))
    ]
    assert faults == []


def test_modules_are_short_enough_to_read(modules: list[Path], root: Path) -> None:
    lengths = {path.relative_to(root): len(path.read_text(encoding="utf-8").splitlines()) for path in modules}
    assert lengths
    assert {str(path): lines for path, lines in lengths.items() if lines > LONGEST_MODULE_LINES} == {}


def test_functions_are_short_enough_to_read(modules: list[Path], root: Path) -> None:
    lengths = {
        f"{path.relative_to(root)}:{function.lineno} {function.name}": (function.end_lineno or 0)
        - function.lineno
        + 1
        for path in modules
        for function in functions(parse(path))
    }
    assert lengths
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION_LINES} == {}


def test_modules_are_named_for_what_they_hold(modules: list[Path], root: Path) -> None:
    vague = {path.relative_to(root) for path in modules if {path.stem, *path.parent.parts} & VAGUE_NAMES}
    assert vague == PUBLISHED


def test_a_name_that_tells_little_is_given_once(modules: list[Path]) -> None:
    stems = Counter(path.stem for path in modules)
    assert {stem: stems[stem] for stem in ONCE} == dict.fromkeys(ONCE, 1)


def test_every_distribution_is_typed(root: Path) -> None:
    packages = [path.parent for path in root.glob("*/src/*/__init__.py")]
    packages += [path.parent for path in root.glob("*/*/src/*/__init__.py")]
    assert len(packages) == 6
    assert [package for package in packages if not (package / "py.typed").is_file()] == []
