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


type Lines = dict[str, set[int]]
"""``{file: the lines in which something is wrong}``"""


def lines_of_mypy(folder: Path, names: list[str]) -> Lines:
    (folder / "mypy.ini").write_text(MYPY)
    command = [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "--no-error-summary"]
    command += [f"--cache-dir={folder / 'cache'}", *names]
    told = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert told.returncode in (0, 1), told.stderr
    found = re.findall(r"^(\w+\.py):(\d+): error", told.stdout, re.MULTILINE)
    return {name: {int(line) for file, line in found if file == name} for name in names}


def lines_of_pyright(folder: Path, names: list[str]) -> Lines:
    (folder / "pyrightconfig.json").write_text(json.dumps(PYRIGHT))
    command = [
        str(Path(sys.executable).parent / "basedpyright"),
        "--outputjson",
        "--pythonpath",
        sys.executable,
    ]
    told = subprocess.run([*command, *names], cwd=folder, capture_output=True, text=True, check=False)
    faults: list[Any] = json.loads(told.stdout)["generalDiagnostics"]
    errors = [fault for fault in faults if fault["severity"] == "error"]
    return {
        name: {fault["range"]["start"]["line"] + 1 for fault in errors if Path(fault["file"]).name == name}
        for name in names
    }


@pytest.fixture(scope="module")
def sources(root: Path) -> dict[str, list[str]]:
    """``{file: its lines}``"""
    texts = {
        name: (root / "sdk" / "typing_tests" / name).read_text(encoding="utf-8")
        for name in ("right.py", "wrong.py")
    }
    return {name: text.splitlines() for name, text in texts.items()} | {"handlers.py": handlers()}


@pytest.fixture(scope="module", params=[lines_of_mypy, lines_of_pyright], ids=["mypy", "pyright"])
def found(
    request: pytest.FixtureRequest, sources: dict[str, list[str]], tmp_path_factory: pytest.TempPathFactory
) -> Lines:
    """What a checker tells of all files at once: it reads what they import for seconds."""
    folder = tmp_path_factory.mktemp("checked")
    for name, lines in sources.items():
        (folder / name).write_text("\n".join(lines), encoding="utf-8")
    lines_of: Lines = request.param(folder, list(sources))
    return lines_of


def marked(lines: list[str]) -> set[int]:
    return {number for number, line in enumerate(lines, start=1) if line.endswith("# wrong")}


@pytest.mark.parametrize("name", ["right.py", "wrong.py", "handlers.py"])
def test_checker_finds_what_is_marked(name: str, found: Lines, sources: dict[str, list[str]]) -> None:
    wrong = marked(sources[name])
    assert bool(wrong) is (name != "right.py")

    assert found[name] == wrong


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


def handlers() -> list[str]:
    """Return a plugin with a right handler and each wrong one of each hook, line by line."""
    return [
        "from typing import Any",
        "from pagoda_plugin_sdk import Plugin",
        "from pagoda_plugin_sdk.decorators import entity_hook, entry_hook, get_attrs_hook, validation_hook",
        "from pagoda_plugin_sdk.models import Entity, Entry, User",
        "class HandlingPlugin(Plugin):",
        *(line for name in HOOK_SPECS for line in handlers_of(name)),
    ]


def test_each_hook_has_its_wrong_handlers() -> None:
    assert len(marked(handlers())) == sum(2 + len(spec.arguments) for spec in HOOK_SPECS.values())


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
