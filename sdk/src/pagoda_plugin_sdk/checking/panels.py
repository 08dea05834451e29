"""Look for the templates that a plugin's panels name as they are written."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

from pagoda_plugin_sdk.checking.findings import CheckFinding
from pagoda_plugin_sdk.plugin import Plugin


def template_warnings(plugin: Plugin) -> Iterator[CheckFinding]:
    """Yield a warning for each template, written as a text, that is not where the host looks for it."""
    package = sys.modules[type(plugin).__module__].__package__ or ""
    folders = [Path(each) / "templates" for each in getattr(sys.modules.get(package), "__path__", ())]
    for mark, name in plugin._entry_parts:
        for template in _templates(getattr(type(plugin), name)) if mark.kind == "panel" else ():
            if not any((folder / template).is_file() for folder in folders):
                where = f"package {package!r}" if package else "package: it is a single module, and has none"
                text = (
                    f"{name}: the panel {mark.title!r} names the template {template!r}, which is not below "
                )
                text += f"templates/ of its {where}."
                yield CheckFinding(code="bad_metadata", text=text, is_warning=True)


def _templates(panel: Callable[..., Any]) -> Iterator[str]:
    """Yield what stands first in the pairs that a panel returns, where it is a text."""
    try:
        tree = ast.parse(dedent(inspect.getsource(panel)))
    except (OSError, TypeError, SyntaxError, ValueError):  # no source, or none that can be read alone
        return
    for node in ast.walk(tree):
        match node:
            case ast.Return(value=ast.Tuple(elts=[ast.Constant(value=str(template)), _])):
                yield template
