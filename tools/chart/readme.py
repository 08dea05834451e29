"""Make the tables of the chart's README from values.yaml and the software's settings."""

from __future__ import annotations

import json
from collections.abc import Iterable

from tools.chart.settings_table import LEFT_OUT, MADE, MADE_FROM, UNUSED, Setting, settings
from tools.chart.values_file import ChartValue

Row = tuple[str, str, str]

LONGEST_DEFAULT = 60


def tables(values: dict[str, ChartValue]) -> dict[str, str]:
    """Return ``{name of the place in the README: text}``."""
    return {"values": _values(values), "settings": _settings(settings().values())}


def filled(text: str, parts: dict[str, str]) -> str:
    """Return `text` with each part between its ``<!-- begin NAME -->`` and ``<!-- end NAME -->``.

    Raises:
        ValueError: the text has no such place.
    """
    for name, part in parts.items():
        begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise ValueError(f"the README has no place for {name!r}: expected {begin} and {end}")
        text = f"{before}{begin}\n\n{part}\n{end}{after}"
    return text


def _values(values: dict[str, ChartValue]) -> str:
    parts = []
    for section in dict.fromkeys(value.section for value in values.values()):
        rows: list[Row] = []
        introductions = []
        for value in values.values():
            if value.section != section:
                continue
            if value.is_map and value.description:
                introductions.append(f"`{value.name}`: {value.description}")
            rows += [_row(leaf, values) for leaf in value.leaves()]
        introduction = "".join(f"{text}\n\n" for text in introductions)
        parts.append(f"### {section}\n\n{introduction}{_table(('Value', 'Default', 'What it is'), rows)}")
    return "\n".join(parts)


def _row(value: ChartValue, values: dict[str, ChartValue]) -> Row:
    return (f"`{value.name}`", _default(value.default), value.description or _inherited(value, values))


def _inherited(value: ChartValue, values: dict[str, ChartValue]) -> str:
    parent = values[value.path[0]].hints.get("inherits", "podDefaults")
    return f"As `{'.'.join((parent, *value.path[1:]))}`."


def _default(default: object) -> str:
    text = json.dumps(default)
    return f"`{text}`" if len(text) <= LONGEST_DEFAULT else "see values.yaml"


def _settings(found: Iterable[Setting]) -> str:
    rows = [(f"`{s.name}`", _place(s), s.description.replace("|", "\\|") or _as_named(s)) for s in found]
    return _table(("Setting", "Where", "What it is"), rows)


def _as_named(setting: Setting) -> str:
    """Return what is known of a setting whose name says it all."""
    return f"Default: `{setting.default}`." if setting.default else ""


def _place(setting: Setting) -> str:
    if setting.place == MADE:
        return MADE_FROM[setting.name]
    if setting.place == LEFT_OUT:
        return UNUSED[setting.name]
    return f"`{setting.place}`"


def _table(head: Row, rows: Iterable[Row]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
