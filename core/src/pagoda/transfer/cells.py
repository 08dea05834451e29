"""Values as cells of a table, and back.

Text is written as it is, but as a JSON string where a cell would say something else: an empty text, what
spreadsheets take for a formula, what begins with a quotation mark, control characters. A cell that is a whole
JSON string is read as one. Lists and references are JSON; a reference may also be a name alone.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from pagoda_plugin_sdk.rules.attr_types import AttrType
from pagoda_plugin_sdk.washing import without_doubles

type Cell = Any  # Any: a text; in spreadsheets also a number, a boolean or a datetime

_TEXTS: Final = (AttrType.STRING, AttrType.TEXT, AttrType.SELECT)
# `json.loads` would make one for each cell.
_JSON: Final = json.JSONDecoder(object_pairs_hook=without_doubles)
_MISREAD: Final = re.compile(
    r"""\A(?:[=+\-@\t\r"]|\Z)|[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]|_x[0-9A-Fa-f]{4}_"""
)


def text_cell(text: str) -> str:
    """Return the cell of a text."""
    return json.dumps(text) if _MISREAD.search(text) else text


def to_cell(value: Any) -> Cell:  # Any: JSON
    """Return the cell of a value as it is exported; numbers and booleans stay what they are."""
    if isinstance(value, str):
        return text_cell(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


def text_of(cell: Cell) -> Cell:
    """Return the text of a cell."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int | float):
        return repr(cell)
    if isinstance(cell, datetime):
        return cell.isoformat()
    if isinstance(cell, str) and cell.startswith('"'):
        with suppress(ValueError):
            loaded = json.loads(cell)
            return loaded if isinstance(loaded, str) else cell
    return cell


def from_cell(attr_type: AttrType, cell: Cell) -> Any:  # Any: unchecked
    """Return the value in a cell that is not empty."""
    if attr_type in _TEXTS:
        return text_of(cell)
    if isinstance(cell, datetime):
        return cell.date().isoformat() if attr_type == AttrType.DATE else cell.isoformat()
    if not isinstance(cell, str):
        return cell
    if attr_type == AttrType.BOOLEAN:
        return {"true": True, "false": False, "null": None}.get(cell.strip().lower(), cell)
    if attr_type == AttrType.NUMBER or cell[0] in '[{"' or cell == "null":
        with suppress(ValueError, RecursionError):
            return _JSON.decode(cell)
    return cell
