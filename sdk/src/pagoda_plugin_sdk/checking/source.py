"""Read a plugin class from its source text, without importing it: its id and its dependencies."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path

_MAX_HOPS = 5
"""How many re-exports are followed from the entry point to the class."""

_TASKS = re.compile(rb"task_config\s*[:=]|PluginTaskConfig|PluginTaskRegistry\.register")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFacts:
    """What could be read; a value that is computed, not written down, is not."""

    id: str | None = None
    dependencies: tuple[str, ...] = ()


def read_class(module: str, class_name: str, folder: str) -> ClassFacts:
    """Return what the source of `class_name` in `module` says; nothing when there is no readable source.

    `folder` is looked at first, then the import system is asked about the top-level package alone.
    """
    try:
        return _read_class(module, class_name, folder)
    except Exception:  # noqa: BLE001 - the fence: a source that can't be parsed, or too deep, is told when it is imported
        return ClassFacts()


def _read_class(module: str, class_name: str, folder: str) -> ClassFacts:
    for _ in range(_MAX_HOPS):
        path = _locate(module, folder)
        source = _source(path)
        if path is None or source is None:
            return ClassFacts()
        tree = _parse(source)
        if (found := _class_node(tree, class_name)) is not None:
            return _facts(found, tree)
        hop = _reexport(tree, class_name, module, is_package=path.name == "__init__.py")
        if hop is None:
            return ClassFacts()
        module, class_name = hop
    return ClassFacts()


def mentions_dependencies(module: str, class_name: str, folder: str) -> bool:
    """Return whether parsing could tell of dependencies: a look at the text, much cheaper."""
    source = _source(_locate(module, folder))
    if source is None:
        return False
    return b"dependencies" in source or f"class {class_name}".encode() not in source


def may_have_tasks(module: str, folder: str) -> bool:
    """Return whether the text of the plugin's package, or of its one module, speaks of tasks."""
    path = _locate(module.partition(".")[0], folder)
    if path is None:
        return True
    files = path.parent.rglob("*.py") if path.name == "__init__.py" else [path]
    return any(_TASKS.search(_source(file) or b"") for file in files)


def _locate(module: str, folder: str) -> Path | None:
    stem = os.path.join(folder, *module.split("."))  # noqa: PTH118  # at start-up, once per plugin: Path costs 5x
    for path in (f"{stem}.py", f"{stem}/__init__.py"):
        if os.path.isfile(path):  # noqa: PTH113
            return Path(path)
    return _locate_by_import_system(module)


def _locate_by_import_system(module: str) -> Path | None:
    """Ask where the top-level package is (editable installs) and go down from there by file names."""
    top, *rest = module.split(".")
    try:
        spec = sys.modules[top].__spec__ if top in sys.modules else importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    locations = list(spec.submodule_search_locations or ()) if spec is not None else []
    for name in rest[:-1]:
        locations = [str(Path(location) / name) for location in locations]
    if rest:
        spec = PathFinder.find_spec(rest[-1], locations)
    return Path(spec.origin) if spec is not None and spec.origin and spec.has_location else None


def _source(path: Path | None) -> bytes | None:
    try:
        return path.read_bytes() if path is not None and path.suffix == ".py" else None
    except OSError:
        return None


def _parse(source: bytes) -> ast.Module:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError):  # it is reported when the module is imported
        return ast.Module(body=[], type_ignores=[])


def _class_node(tree: ast.Module, name: str) -> ast.ClassDef | None:
    return next((node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name), None)


def _reexport(tree: ast.Module, name: str, module: str, *, is_package: bool) -> tuple[str, str] | None:
    """Return ``(module, class)`` of the ``from module import class as name`` that provides `name`."""
    for node in tree.body:
        if not isinstance(node, ast.ImportFrom):
            continue
        for imported in node.names:
            if (imported.asname or imported.name) == name:
                return _absolute(node, module, is_package=is_package), imported.name
    return None


def _absolute(node: ast.ImportFrom, module: str, *, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    base = parts[: len(parts) - node.level + is_package]
    return ".".join([*base, *([node.module] if node.module else [])])


def _facts(node: ast.ClassDef, tree: ast.Module) -> ClassFacts:
    """Read the attributes of the class, and of its bases that stand in the same file."""
    constants = dict(_literals(tree.body, {}))
    values: dict[str, object] = {}
    for base in [b.id for b in node.bases if isinstance(b, ast.Name)]:
        if (parent := _class_node(tree, base)) is not None and parent is not node:
            values |= dict(_literals(parent.body, constants))
    values |= dict(_literals(node.body, constants))
    plugin_id, dependencies = values.get("id"), values.get("dependencies")
    return ClassFacts(
        id=plugin_id if isinstance(plugin_id, str) else None,
        dependencies=_strings(dependencies),
    )


def _literals(body: list[ast.stmt], constants: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Yield ``(name, value)`` for each assignment of a literal, or of a constant known by name."""
    for statement in body:
        if isinstance(statement, ast.Assign):
            names = [target.id for target in statement.targets if isinstance(target, ast.Name)]
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            names = [statement.target.id]
        else:
            continue
        for name in names:
            yield name, _value(statement.value, constants)


def _value(node: ast.expr | None, constants: Mapping[str, object]) -> object:
    if isinstance(node, ast.Name):
        return constants.get(node.id)
    try:
        return ast.literal_eval(node) if node is not None else None
    except (ValueError, TypeError):  # computed, or no value at all, such as {[]: 1}
        return None


def _strings(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        return ()
    return tuple(item for item in value if isinstance(item, str))
