from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pagoda_plugin_sdk.checking.source import ClassFacts, mentions_dependencies, read_class

EXPLODES = "raise SystemExit('plugin code has run')\n"


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


CASES = {
    "literals": (
        {"pkg/plugin.py": "class P:\n    id = 'x'\n    dependencies = ['a', 'b']\n"},
        ("x", ("a", "b")),
    ),
    "annotated": ({"pkg/plugin.py": "class P:\n    id: str = 'x'\n"}, ("x", ())),
    "tuple": ({"pkg/plugin.py": "class P:\n    dependencies = ('a',)\n"}, (None, ("a",))),
    "constant of the module": ({"pkg/plugin.py": "ID = 'x'\nclass P:\n    id = ID\n"}, ("x", ())),
    "base in the file": (
        {"pkg/plugin.py": "class B:\n    id = 'b'\n    dependencies = ['a']\nclass P(B):\n    id = 'x'\n"},
        ("x", ("a",)),
    ),
    "computed": (
        {"pkg/plugin.py": "class P:\n    id = 'x'.upper()\n    dependencies = list('ab')\n"},
        (None, ()),
    ),
    "re-exported": (
        {
            "pkg/plugin/__init__.py": "from .impl import Q as P\n",
            "pkg/plugin/impl.py": "class Q:\n    id = 'x'\n",
        },
        ("x", ()),
    ),
    "re-exported absolutely": (
        {"pkg/plugin.py": "from pkg.impl import P\n", "pkg/impl.py": "class P:\n    id = 'x'\n"},
        ("x", ()),
    ),
    "re-exported in a circle": ({"pkg/plugin.py": "from pkg.plugin import P\n"}, (None, ())),
    "syntax error": ({"pkg/plugin.py": "class P(:\n"}, (None, ())),
    "no such class": ({"pkg/plugin.py": "x = 1\n"}, (None, ())),
    "no such module": ({"pkg/other.py": ""}, (None, ())),
    "code that must not run": (
        {"pkg/__init__.py": EXPLODES, "pkg/plugin.py": EXPLODES + "class P:\n    id = 'x'\n"},
        ("x", ()),
    ),
}


@pytest.mark.parametrize(("files", "expected"), CASES.values(), ids=CASES)
def test_the_class_is_read_without_running_it(
    files: dict[str, str], expected: tuple[str | None, tuple[str, ...]], tmp_path: Path
) -> None:
    write(tmp_path, files)

    facts = read_class("pkg.plugin", "P", str(tmp_path))

    assert (facts.id, facts.dependencies) == expected
    assert "pkg" not in sys.modules


def test_a_package_elsewhere_on_the_import_path_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        tmp_path / "src",
        {"editable_pkg/__init__.py": EXPLODES, "editable_pkg/plugin.py": "class P:\n    id = 'x'\n"},
    )
    monkeypatch.syspath_prepend(str(tmp_path / "src"))

    assert read_class("editable_pkg.plugin", "P", str(tmp_path)) == ClassFacts(id="x")
    assert "editable_pkg" not in sys.modules


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("class P:\n    id = 'x'\n", False),
        ("class P:\n    dependencies = []\n", True),
        ("from .impl import P\n", True),
    ],
    ids=["plain class", "declared", "re-exported"],
)
def test_a_look_at_the_text_says_whether_parsing_pays(text: str, expected: bool, tmp_path: Path) -> None:
    write(tmp_path, {"pkg/plugin.py": text})

    assert mentions_dependencies("pkg.plugin", "P", str(tmp_path)) is expected
