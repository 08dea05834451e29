"""Entries as rows of a table: a column for each of their own fields and for each attribute."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from pagoda.transfer.cells import text_cell, text_of, to_cell
from pagoda.transfer.document import FileRow, TransferFault
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.text import clean_name
from pagoda_plugin_sdk.washing import shown

type Schema = Sequence[Mapping[str, Any]]  # Any: what `create_entity` takes
type Rows = Iterable[Mapping[str, Any]]  # Any: as `FileRow.values`

OWN_COLUMNS: Final = ("entity", "name", "note")
_ATTR: Final = "attr."


def table_of(schema: Schema, rows: Rows) -> Iterator[list[Any]]:
    """Yield the names of the columns, and the cells of each row."""
    names = list(dict.fromkeys(attr["name"] for entity in schema for attr in entity["attrs"]))
    is_own = [name in OWN_COLUMNS or name.startswith(_ATTR) for name in names]
    columns = [_ATTR + name if own else name for name, own in zip(names, is_own, strict=True)]
    yield [*OWN_COLUMNS, *map(text_cell, columns)]
    for row in rows:
        attrs = row["attrs"]
        own = [text_cell(row[name]) if row.get(name) else "" for name in OWN_COLUMNS]
        yield own + [to_cell(attrs[name]) if name in attrs else None for name in names]


def rows_in(table: Iterator[Sequence[Any]], before: int) -> Iterator[FileRow]:
    """Yield the rows of a table; `before` is how many come before the first, the columns' names included."""
    header = [text_of(cell) for cell in next(table, ())]
    if not header:
        return
    names = [str(column or "").strip() for column in header]
    if "name" not in names:
        raise TransferFault(say("The table has no column 'name'; it has {header}.", header=shown(header)))
    if _ATTR in names:
        raise TransferFault(
            say("The column {column} of the table names no attribute; name it.", column=shown(_ATTR))
        )
    _refuse_twice(list(filter(None, names)))
    for number, cells in enumerate(table, before + 1):
        found = {
            name: cell for name, cell in zip(names, cells, strict=False) if name and cell not in (None, "")
        }
        if not found:
            continue
        own: dict[str, Any] = {name: text_of(found.pop(name)) for name in OWN_COLUMNS if name in found}
        nameless = [cell for name, cell in zip(names, cells, strict=False) if not name]
        if any(cell not in (None, "") for cell in nameless):
            own["attrs"] = say("{cell} in a column without a name", cell=shown(nameless))
        elif len(cells) > len(names):
            own["attrs"] = say("{count} cells for {columns} columns", count=len(cells), columns=len(names))
        else:
            own["attrs"] = {name.removeprefix(_ATTR): cell for name, cell in found.items()}
        yield FileRow(number, own, is_cells=True)


def _refuse_twice(columns: Sequence[str]) -> None:
    if twice := [name for name, times in Counter(columns).items() if times > 1]:
        raise TransferFault(say("The table has two columns {name}; keep one.", name=shown(twice[0])))
    attrs: dict[str, str] = {}
    for column in columns:
        if column in OWN_COLUMNS:
            continue
        other = attrs.setdefault(clean_name(column.removeprefix(_ATTR)), column)
        if other != column:
            raise TransferFault(
                say(
                    "The columns {other} and {column} of the table are of one attribute; keep one.",
                    other=shown(other),
                    column=shown(column),
                )
            )
