"""Read values.yaml: its comments describe the values, and say what a default can't about their types."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

HINT = re.compile(r"@schema (\{.*\})$")


class ValuesFault(Exception):
    """values.yaml can't be read as documentation; the message names the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartValue:
    """One key of values.yaml."""

    path: tuple[str, ...]
    default: Any  # any YAML value
    section: str  # the heading above it
    description: str = ""
    hints: dict[str, Any] = field(
        default_factory=dict
    )  # JSON schema, and inherits, without, each, from, any, keys
    children: dict[str, ChartValue] = field(default_factory=dict)  # of a map whose keys are described

    @property
    def name(self) -> str:
        """Return its path as people write it."""
        return ".".join(self.path)

    @property
    def is_map(self) -> bool:
        """Return whether its keys are values of their own."""
        return bool(self.children)

    def leaves(self) -> Iterator[ChartValue]:
        """Yield the values below it, or itself, in the file's order."""
        if not self.is_map:
            yield self
        for child in self.children.values():
            yield from child.leaves()


def read(path: Path) -> dict[str, ChartValue]:
    """Return the values at the top of the file.

    Raises:
        ValuesFault: a hint is no JSON.
    """
    text = path.read_text(encoding="utf-8")
    root = yaml.compose(text)
    assert isinstance(root, yaml.MappingNode)  # noqa: S101  # for mypy: a values file is a map
    return _children(root, (), text.splitlines())


def _children(node: yaml.MappingNode, path: tuple[str, ...], lines: list[str]) -> dict[str, ChartValue]:
    return {key.value: _value(key, node, (*path, key.value), lines) for key, node in node.value}


def _value(key: yaml.Node, node: yaml.Node, path: tuple[str, ...], lines: list[str]) -> ChartValue:
    description, hints = _comment(lines, key.start_mark.line, ".".join(path))
    children: dict[str, ChartValue] = {}
    if isinstance(node, yaml.MappingNode) and not node.flow_style and "each" not in hints:
        children = _children(node, path, lines)
        if not any(child.description or child.is_map for child in children.values()):
            children = {}
    return ChartValue(
        path=path,
        default=yaml.safe_load(yaml.serialize(node)),
        section=_section(lines, key.start_mark.line),
        description=description,
        hints=hints,
        children=children,
    )


def _comment(lines: list[str], line: int, name: str) -> tuple[str, dict[str, Any]]:
    """Return the description and the hints right above a line."""
    above: list[str] = []
    while line > 0 and lines[line - 1].lstrip().startswith("#"):
        line -= 1
        above.insert(0, lines[line].strip().removeprefix("#").strip())
    words = [text for text in above if not HINT.match(text)]
    hints: dict[str, Any] = {}
    for text in above:
        if found := HINT.match(text):
            try:
                hints |= json.loads(found.group(1))
            except ValueError as error:
                raise ValuesFault(f"{name}: its @schema is no JSON: {error}") from error
    return " ".join(words), hints


def _section(lines: list[str], line: int) -> str:
    """Return the nearest heading above: a comment of one line between empty ones."""
    for number in range(line - 1, 0, -1):
        before, text, after = lines[number - 1], lines[number], lines[number + 1]
        if text.startswith("# ") and not before and not after:
            return text.removeprefix("# ")
    return ""
