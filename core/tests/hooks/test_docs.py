"""docs/hooks.md names every hook with its arguments, kind and legacy name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pagoda_plugin_sdk.hooks import HOOK_ALIASES, HOOK_SPECS

DOCS = Path(__file__).parents[3] / "docs" / "hooks.md"


@pytest.mark.parametrize("hook", HOOK_SPECS)
def test_every_hook_is_documented(hook: str) -> None:
    spec = HOOK_SPECS[hook]
    alias = next(alias for alias, name in HOOK_ALIASES.items() if name == hook)
    rows = [line for line in DOCS.read_text().splitlines() if line.startswith(f"| `{hook}` |")]
    assert len(rows) == 1
    _, _, legacy, kind, arguments, *_ = (cell.strip() for cell in rows[0].split("|"))
    assert legacy == f"`{alias}`"
    assert kind == spec.kind.value
    assert tuple(re.findall(r"`(\w+)`", arguments)) == spec.arguments


def test_no_other_hook_is_documented() -> None:
    documented = re.findall(r"^\| `(\w+\.\w+)` \|", DOCS.read_text(), flags=re.MULTILINE)
    assert documented == list(HOOK_SPECS)
