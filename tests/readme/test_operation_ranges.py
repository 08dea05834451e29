"""A plugin of this repository has one range of operation ids, wherever it is named."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tools.stack import DEMO_PLUGINS

ROOT = Path(__file__).parents[2]
PLACES = (
    "*.md",
    "docs/**/*.md",
    "plugins/*/README.md",
    "*/README.md",
    "deploy/**/*.md",
    "docker/*",
    "tools/*.py",
)
RANGE = re.compile(r'\\?"(hello-world|inventory)\\?": ?\[(\d+), ?(\d+)\]')


def test_every_place_names_the_same_range() -> None:
    files = {path for place in PLACES for path in ROOT.glob(place) if path.is_file()}
    named = {
        (path.relative_to(ROOT).as_posix(), name, int(first), int(last))
        for path in (*files, ROOT / ".env.example")
        for name, first, last in RANGE.findall(path.read_text(encoding="utf-8"))
    }
    ranges = json.loads(DEMO_PLUGINS["PLUGIN_OPERATION_ID_CONFIG"])

    assert {one for one in named if [*one[2:]] != ranges[one[1]]} == set()
    places = {place for place, *_ in named}
    assert {"plugins/hello-world/README.md", "plugins/inventory/README.md", "docker/Dockerfile"} <= places
