"""Warn of hooks and permissions for entities that nobody has: they do nothing, and nothing tells."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from pathlib import Path

from pagoda_plugin_sdk.checking.findings import CheckFinding
from pagoda_plugin_sdk.checking.marks import is_marking
from pagoda_plugin_sdk.permissions import LIMITED_TO_ENTITIES, Permission
from pagoda_plugin_sdk.plugin import Plugin


def entity_warnings(plugin: Plugin, known: Collection[str], where: str) -> Iterator[CheckFinding]:
    """Yield a warning for each handler, and each permission, of an entity that is not among the `known`.

    `where` says which those are: "which ..., so that it counts only where somebody makes it".
    """
    for name, what, entity in _marked(plugin):
        if entity is not None and entity not in known:
            yield CheckFinding(
                code="unknown_entity",
                text=f"{name} {what} of entity {entity!r}, which {where}. Correct the name, or make the "
                "entity.",
                is_warning=True,
            )
    for asked in map(Permission.parse, plugin.permissions):
        if asked.kind in LIMITED_TO_ENTITIES and asked.name and asked.name not in known:
            yield CheckFinding(
                code="unknown_entity",
                text=f"`permissions` has {str(asked)!r}, for entity {asked.name!r}, which {where}. Correct "
                "the name, or make the entity.",
                is_warning=True,
            )


def _marked(plugin: Plugin) -> Iterator[tuple[str, str, str | None]]:
    """Yield ``(method, what it does, entity)`` for each mark of a method."""
    for declared in plugin._hook_handlers:
        yield declared["method_name"], f"handles {declared['hook_name']!r}", declared["entity"]
    for mark, name in plugin._entry_parts:
        yield name, f"is the {mark.kind} {mark.title!r} of entries", mark.entity


def mentioned_names(folder: Path) -> set[str]:
    """Return the texts that Python files below `folder` hold, but for what only hook decorators use.

    A constant counts when it is used elsewhere, too.
    """
    texts: set[str] = set()
    constants: dict[str, str] = {}
    used: set[str] = set()
    for path in folder.rglob("*.py"):
        try:
            _read(ast.parse(path.read_bytes()), texts, constants, used)
        except (OSError, SyntaxError, ValueError, RecursionError):  # it is reported when it is imported
            continue
    return texts | {text for name, text in constants.items() if name in used}


def _read(tree: ast.AST, texts: set[str], constants: dict[str, str], used: set[str]) -> None:
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.FunctionDef(decorator_list=decorators) if any(map(is_marking, decorators)):
                for part in [node.args, *node.body]:
                    _read(part, texts, constants, used)
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))):
                constants[name] = text
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str(text))):
                constants[name] = text
            case ast.Constant(value=str(text)):
                texts.add(text)
            case ast.Name(id=name) | ast.Attribute(attr=name):
                used.add(name)
                _read(node, texts, constants, used)
            case _:
                _read(node, texts, constants, used)
