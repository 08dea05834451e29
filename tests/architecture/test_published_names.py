"""The table of public names in docs/plugins/names.md is whole, and each name has the test that it says."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest
from django.conf import settings

import pagoda_plugin_sdk

if not settings.configured:
    settings.configure()  # the API classes need it

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (?:`(\w+)`)? ?\| `(\w+)` \| .+ \| `([\w/.]+)::(\w+)` \|$", re.MULTILINE)
TEXT = (ROOT / "docs/plugins/names.md").read_text(encoding="utf-8")
TABLE = ROW.findall(TEXT)


@pytest.mark.parametrize(
    ("where", "name"), [(row[0], row[1]) for row in TABLE], ids=[f"{row[0]}.{row[1]}" for row in TABLE]
)
def test_name_is_there(where: str, name: str) -> None:
    if where == "Plugin":
        assert hasattr(pagoda_plugin_sdk.Plugin, name)
        return
    assert hasattr(import_module(f"pagoda_plugin_sdk.{where}".rstrip(".")), name)


@pytest.mark.parametrize(("path", "test"), sorted(set(re.findall(r"`([\w/.]+\.py)::(\w+)`", TEXT))))
def test_its_test_exists(path: str, test: str) -> None:
    assert f"def {test}(" in (ROOT / path).read_text(encoding="utf-8")


def test_table_has_each_row_and_each_name_of_the_root() -> None:
    lines = TEXT.partition("\n## ")[0].splitlines()

    assert len(TABLE) == sum(line.startswith("| ") for line in lines) - 1  # the head
    assert {name for where, name, *_ in TABLE if not where} == set(pagoda_plugin_sdk.__all__)
