"""Warn of imports of the host: the SDK is the contract, what lies behind it changes with each release."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from pagoda_plugin_sdk.checking.findings import CheckFinding

HOST = frozenset({"pagoda", "pagoda_api", "pagoda_worker"})


def host_import_warnings(source: Path, package: str) -> Iterator[CheckFinding]:
    """Yield a warning for each import of the host in a package, or module, of the folder `source`."""
    single = source / f"{package}.py"
    for path in [single] if single.is_file() else sorted((source / package).rglob("*.py")):
        try:
            tree = ast.parse(path.read_bytes())
        except (OSError, SyntaxError, ValueError, RecursionError):  # it is reported when it is imported
            continue
        for line, module in _imports(tree):
            if module.partition(".")[0] in HOST:
                yield CheckFinding(
                    code="host_import",
                    text=f"{path.relative_to(source)}, line {line}, imports {module!r} of the host, which "
                    "may change with each release. Take what you need from pagoda_plugin_sdk.",
                    is_warning=True,
                )


def _imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield ``(line, module)`` of each import, by ``import_module("module")`` too."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, each.name) for each in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield node.lineno, module
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(module)), *_],
            ):
                yield node.lineno, module
