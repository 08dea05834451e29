"""Find marked methods that are never called, as what their name is in the end does not have the mark."""

from __future__ import annotations

import ast
import inspect
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from types import FunctionType
from typing import Any

from pagoda_plugin_sdk.checking.findings import CheckFinding
from pagoda_plugin_sdk.decorators import hook_marks, part_marks
from pagoda_plugin_sdk.override import override_meta
from pagoda_plugin_sdk.plugin import Plugin

MARKING = frozenset(
    {
        *("entry_hook", "entity_hook", "validation_hook", "get_attrs_hook"),
        *("entry_panel", "entry_action", "override_operation"),
    }
)
"""Names of the decorators that mark methods of a plugin class."""


def lost_marks(plugin: Plugin) -> Iterator[CheckFinding]:
    """Yield each method that is marked where it is written, and that the host does not see as marked."""
    cls = type(plugin)
    for base in own_classes(cls):
        for name, lines in _written(base).items():
            if _count(getattr(base, name, None)) < len(lines):
                text = f"{base.__qualname__}.{name}, marked at line {' and '.join(map(str, lines))} of "
                text += f"{_file(base)}, loses a mark and is not called for it: what `{name}` is in the end "
                text += "does not have it. Give each method a name of its own, keep to plain methods, and "
                text += "write the marks above other decorators."
                yield CheckFinding(code="bad_signature", text=text)
        for name, value in vars(base).items():
            is_replaced = next(each for each in cls.__mro__ if name in vars(each)) is not base
            if is_replaced and _count(value) and not _count(getattr(cls, name)):
                text = f"{cls.__qualname__}.{name} takes the place of a handler of {base.__qualname__} and "
                text += "has no mark, so it is never called. Mark it, too, or give it another name."
                yield CheckFinding(code="bad_signature", text=text, is_warning=True)


def stray_marks(plugin: Plugin) -> Iterator[CheckFinding]:
    """Yield each function of the plugin's modules that is marked, and that no plugin class has."""
    package = type(plugin).__module__.partition(".")[0]
    used = {value for cls in subclasses(Plugin) for value in _functions(cls)}
    for module_name, module in list(sys.modules.items()):
        if module_name.partition(".")[0] != package:
            continue
        for name, value in list(vars(module).items()):
            if getattr(value, "__module__", None) != module_name:
                continue
            for method in _unused(value, used):
                text = f"{module_name}.{name}{method} is marked, and is no method of a plugin class: nobody "
                text += "calls it. Move it into the class."
                yield CheckFinding(code="bad_signature", text=text, is_warning=True)


def _unused(value: Any, used: set[Callable[..., Any]]) -> Iterator[str]:
    """Yield "" for a marked function, ".method" for each of a class that no plugin class is made of."""
    if isinstance(value, FunctionType) and _count(value) and value not in used:
        yield ""
    plugins: list[type[Plugin]] = [Plugin, *subclasses(Plugin)]
    if isinstance(value, type) and not any(value in cls.__mro__ for cls in plugins):
        yield from (f".{name}" for name in vars(value) if _count(getattr(value, name)))


def own_classes(cls: type[Plugin]) -> Iterator[type]:
    """Yield the classes that a plugin is made of, without those that every plugin has."""
    return (base for base in cls.__mro__ if base not in Plugin.__mro__)


def subclasses(cls: type[Plugin]) -> Iterator[type[Plugin]]:
    """Yield all classes below one."""
    for each in cls.__subclasses__():
        yield each
        yield from subclasses(each)


def _functions(cls: type[Plugin]) -> Iterator[Callable[..., Any]]:
    yield from (handler["handler"] for handler in (*cls._hook_handlers, *cls._override_handlers))
    yield from (getattr(cls, name) for _, name in cls._entry_parts)


def _count(value: Any) -> int:
    """Return how many marks a method carries; Any: whatever stands in a class."""
    return len(hook_marks(value)) + len(part_marks(value)) + (override_meta(value) is not None)


def _written(cls: type) -> dict[str, list[int]]:
    """Return ``{name of a method: the lines where a mark of it is written}`` in the class's source."""
    try:
        lines, start = inspect.getsourcelines(cls)
        (node,) = ast.parse(dedent("".join(lines))).body
    except (OSError, TypeError, SyntaxError, ValueError):  # no source, or none that can be read alone
        return {}
    found: defaultdict[str, list[int]] = defaultdict(list)
    for part in node.body if isinstance(node, ast.ClassDef) else ():
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in filter(is_marking, part.decorator_list):
                found[_mangled(cls, part.name)].append(start + decorator.lineno - 1)
    return found


def is_marking(decorator: ast.expr) -> bool:
    """Return whether a decorator is one of those that mark methods of a plugin class."""
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    return name in MARKING


def _mangled(cls: type, name: str) -> str:
    is_private = name.startswith("__") and not name.endswith("__")
    return f"_{cls.__name__.lstrip('_')}{name}" if is_private else name


def _file(cls: type) -> str:
    return Path(inspect.getsourcefile(cls) or "its module").name
