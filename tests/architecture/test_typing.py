"""Both type checkers find nothing wrong with a right plugin, and each fault of a wrong one."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from pagoda_plugin_sdk import hook_types
from pagoda_plugin_sdk.hooks import HOOK_ALIASES, HOOK_SPECS

MYPY = """
[mypy]
python_version = 3.12
strict = True
disallow_any_generics = False
ignore_missing_imports = True
"""
PYRIGHT = {"pythonVersion": "3.12", "typeCheckingMode": "standard", "reportMissingTypeStubs": False}


def lines_of_mypy(path: Path, folder: Path) -> set[int]:
    config = folder / "mypy.ini"
    config.write_text(MYPY)
    command = [sys.executable, "-m", "mypy", "--config-file", str(config), "--no-error-summary"]
    command += [f"--cache-dir={folder}", str(path)]
    told = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert told.returncode in (0, 1), told.stderr
    return {int(line) for line in re.findall(rf"{path.name}:(\d+): error", told.stdout)}


def lines_of_pyright(path: Path, folder: Path) -> set[int]:
    copy = folder / path.name
    copy.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "pyrightconfig.json").write_text(json.dumps(PYRIGHT))
    command = [
        str(Path(sys.executable).parent / "basedpyright"),
        "--outputjson",
        "--pythonpath",
        sys.executable,
    ]
    told = subprocess.run([*command, path.name], cwd=folder, capture_output=True, text=True, check=False)
    faults: list[Any] = json.loads(told.stdout)["generalDiagnostics"]
    return {fault["range"]["start"]["line"] + 1 for fault in faults if fault["severity"] == "error"}


@pytest.mark.parametrize("check", [lines_of_mypy, lines_of_pyright], ids=["mypy", "pyright"])
@pytest.mark.parametrize("name", ["right.py", "wrong.py"])
def test_checker_finds_what_is_marked(name: str, check: Any, root: Path, tmp_path: Path) -> None:
    path = root / "sdk" / "typing_tests" / name
    lines = path.read_text(encoding="utf-8").splitlines()
    marked = {number for number, line in enumerate(lines, start=1) if line.endswith("# wrong")}
    assert bool(marked) is (name == "wrong.py")

    assert check(path, tmp_path) == marked


WRITTEN = {
    **dict.fromkeys(("entity_name", "schema_name", "name"), "str"),
    **dict.fromkeys(("attrs", "attrinfo"), "list[dict[str, Any]]"),
    "entity": "Entity",
    "entry": "Entry",
    "instance": "Entry | None",
    "is_retrieve": "bool",
    "user": "User | None",
    "validated_data": "dict[str, Any]",
}
"""``{argument of a hook: its type in a handler}``"""


def handlers_of(name: str) -> Iterator[str]:
    """Yield two lines for each way to write a handler of a hook, the first way being the only right one."""
    what, _, event = name.partition(".")
    decorator = {
        "validate": "validation_hook()",
        "get_attrs": f'get_attrs_hook("{what}")',
    }.get(event, f'{what}_hook("{event}")')
    taken = {argument: WRITTEN[argument] for argument in HOOK_SPECS[name].arguments}
    few = {argument: taken[argument] for argument in list(taken)[:-1]}
    others = [{**taken, argument: "bytes"} for argument in taken]
    for number, arguments in enumerate((taken, few, {**taken, "more": "int"}, *others)):
        written = ", ".join(["self", *(f"{argument}: {kind}" for argument, kind in arguments.items())])
        yield f"    @{decorator}{'  # wrong' if number else ''}"
        yield f"    def {name.replace('.', '_')}_{number}({written}) -> None: ..."


@pytest.mark.parametrize("check", [lines_of_mypy, lines_of_pyright], ids=["mypy", "pyright"])
def test_checker_finds_each_wrong_handler_of_each_hook(check: Any, tmp_path: Path) -> None:
    lines = [
        "from typing import Any",
        "from pagoda_plugin_sdk import Plugin",
        "from pagoda_plugin_sdk.decorators import entity_hook, entry_hook, get_attrs_hook, validation_hook",
        "from pagoda_plugin_sdk.models import Entity, Entry, User",
        "class HandlingPlugin(Plugin):",
        *(line for name in HOOK_SPECS for line in handlers_of(name)),
    ]
    (tmp_path / "written").mkdir()
    path = tmp_path / "written" / "handlers.py"
    path.write_text("\n".join(lines), encoding="utf-8")
    marked = {number for number, line in enumerate(lines, start=1) if line.endswith("# wrong")}
    assert len(marked) == sum(2 + len(spec.arguments) for spec in HOOK_SPECS.values())

    assert check(path, tmp_path) == marked


def test_literals_are_the_names_of_the_lifecycle_hooks() -> None:
    literals = [
        value for name, value in vars(hook_types).items() if re.match(r"Ent\w+(Before|After)\w+$", name)
    ]
    named = [name for literal in literals for name in get_args(literal)]
    full = {name for name in HOOK_SPECS if HOOK_SPECS[name].is_before or HOOK_SPECS[name].is_after}
    aliases = {alias for alias, name in HOOK_ALIASES.items() if name in full}

    assert {name for name in named if "." in name} == full
    assert {name for name in named if name.endswith("_v2")} == aliases
    assert {name for name in named if "." not in name and "_v2" not in name} == {
        name.partition(".")[2] for name in full
    }
