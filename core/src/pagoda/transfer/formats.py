"""The formats of files, each written and read in a stream."""

from __future__ import annotations

import codecs
import csv
import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from itertools import chain, islice
from pathlib import PurePath
from types import ModuleType
from typing import IO, Any, Final, override
from xml.etree import ElementTree

import ijson
import yaml
from defusedxml.common import DefusedXmlException

from pagoda.transfer.document import MAX_SHEET, Document, FileRow, Format, TransferFault
from pagoda.transfer.tables import Rows, Schema, rows_in, table_of
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.washing import shown, washed, without_doubles

MARK: Final = "#pagoda"
"""The first cell of a table that brings its schema, in the next cell."""

_MAX_CELL: Final = 32_767  # characters, of a spreadsheet
_SCHEMA_SHEET: Final = "schema"
_MAX_FIELD: Final = 64 * 1024 * 1024
_MAX_DEPTH: Final = 50


class JsonFormat:
    """``{"entities": [...], "entries": [...]}``, an entry on each line."""

    content_type = "application/json"

    def write(self, stream: IO[bytes], schema: Schema, rows: Rows) -> None:
        stream.write(b'{"entities": ' + json.dumps(schema, indent=1).encode() + b',\n"entries": [')
        for number, row in enumerate(rows):
            stream.write((b",\n" if number else b"\n") + json.dumps(row).encode())
        stream.write(b"\n]}\n")

    def read(self, stream: IO[bytes]) -> Document:
        _look_over(stream)
        stream.seek(0)
        schema = list(_told(ijson.items(stream, "entities.item", use_float=True)))
        stream.seek(0)
        entries = _told(ijson.items(stream, "entries.item", use_float=True))
        return Document(schema, (FileRow(number, each) for number, each in enumerate(entries, 1)))


def _look_over(stream: IO[bytes]) -> None:
    """Refuse what would take the time of its depth squared to read, and what nobody would read."""
    keys: list[set[str]] = []  # of each object and list around
    row = 0
    for event, value in _told(ijson.basic_parse(stream, use_float=True)):
        if not keys and event != "start_map":
            raise TransferFault(say('The file is no JSON object such as {{"entries": [...]}}.'))
        if event == "map_key":
            if len(keys) == 1:
                _refuse_others([value], ("entities", "entries"))
                row = 0
            if value in keys[-1]:
                raise TransferFault(_twice(value, say("item {row}", row=row) if row else say("its object")))
            keys[-1].add(value)
        elif event.startswith("end_"):
            keys.pop()
        else:
            row += len(keys) == 2
            if event.startswith("start_"):
                keys.append(set())
        if len(keys) > _MAX_DEPTH:
            raise TransferFault(say("The file is nested more than {max_depth} deep.", max_depth=_MAX_DEPTH))


def _twice(key: object, where: str) -> str:
    return say("The file has the key {key} twice in {where}; keep one.", key=shown(key), where=where)


def _refuse_others(names: Iterable[Any], known: Sequence[str]) -> None:
    if others := [name for name in names if name not in known]:
        raise TransferFault(
            say(
                "Nobody would read {other} of the file; it has {known}.",
                other=shown(others[0]),
                known=", ".join(known),
            )
        )


class YamlFormat:
    """A document of the schema, ``{"entities": [...]}``, and one for each entry."""

    content_type = "application/yaml"

    def write(self, stream: IO[bytes], schema: Schema, rows: Rows) -> None:
        for document in chain([{"entities": list(schema)}], rows):
            yaml.dump(
                document,
                stream,
                Dumper=_Dumper,
                encoding="utf-8",
                allow_unicode=True,
                explicit_start=True,
                sort_keys=False,
            )

    def read(self, stream: IO[bytes]) -> Document:
        _refuse_utf_16(stream)
        _refuse_bombs(stream)
        stream.seek(0)
        documents = _told(yaml.load_all(stream, Loader=_Loader))
        first = next(documents, None)
        schema: list[Any] = []
        before: list[Any] = []
        if first is None:
            raise TransferFault(say("The file is empty."))
        if isinstance(first, Mapping) and "entities" in first:
            _refuse_others(first, ("entities",))
            schema = first["entities"] or []
        else:
            before = [first]
        entries = (each for each in chain(before, documents) if each is not None)
        return Document(schema, (FileRow(number, each) for number, each in enumerate(entries, 1)))


class _Dumper(yaml.CSafeDumper):
    @override
    def ignore_aliases(self, data: object) -> bool:
        return True


class _Loader(yaml.CSafeLoader):
    """Leaves dates as the text that they are in JSON, too, and takes no key twice."""

    @override
    def construct_mapping(self, node: Any, deep: bool = False) -> Any:  # Any: as the base has it
        seen: set[str] = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    line = say("line {line}", line=key.start_mark.line + 1)
                    raise TransferFault(_twice(key.value, line))
                seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regex) for tag, regex in found if tag != "tag:yaml.org,2002:timestamp"]
    for first, found in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def _refuse_utf_16(stream: IO[bytes]) -> None:
    """Have YAML be UTF-8 as all other files: its library takes UTF-16, too, where it begins with a mark."""
    begins = stream.read(2)
    stream.seek(0)
    if begins in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise TransferFault(_not_utf_8(0))


def _refuse_bombs(stream: IO[bytes]) -> None:
    depth = 0
    for event in _told(yaml.parse(stream, Loader=_Loader)):
        if isinstance(event, yaml.AliasEvent):
            raise TransferFault(say("The file has an alias (`*name`); write the value itself."))
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise TransferFault(say("The file is nested more than {max_depth} deep.", max_depth=_MAX_DEPTH))


class _Text(io.TextIOWrapper):
    """The text of a stream that whoever opened it may read again."""

    def close(self) -> None:
        """Leave the stream open."""


class CsvFormat:
    """A row for each entry; the schema, if there is one, in a row before the names of the columns."""

    content_type = "text/csv"

    def write(self, stream: IO[bytes], schema: Schema, rows: Rows) -> None:
        text = io.TextIOWrapper(stream, "utf-8-sig", newline="", write_through=True)
        writer = csv.writer(text)
        writer.writerow([MARK, json.dumps(schema)])
        for row in table_of(schema, rows):
            writer.writerow([str(cell).lower() if isinstance(cell, bool) else cell for cell in row])
        text.detach()

    def read(self, stream: IO[bytes]) -> Document:
        csv.field_size_limit(_MAX_FIELD)
        text = _Text(stream, "utf-8-sig", newline="")
        lines = _told(text)
        number, head = _first_said(lines)
        schema: list[Any] = []
        if head.startswith(MARK):
            schema = _schema(next(csv.reader([head]))[1:])
            more, head = _first_said(lines)
            number += more
        if not head:
            raise TransferFault(say("The file is empty."))
        delimiter = max(",;\t|", key=head.count)
        table = _told(csv.reader(chain([head], lines), delimiter=delimiter, strict=True))
        return Document(schema, rows_in(table, number))


def _first_said(lines: Iterator[str]) -> tuple[int, str]:
    """Return the first line that says something, with its number from 1; "" where none does."""
    return next(((number, line) for number, line in enumerate(lines, 1) if line.strip()), (0, ""))


class XlsxFormat:
    """Sheets with a row for each entry, and one with the schema."""

    content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

    def write(self, stream: IO[bytes], schema: Schema, rows: Rows) -> None:
        book = _library().Workbook(write_only=True)
        parts, text = book.create_sheet(_SCHEMA_SHEET), json.dumps(schema)
        for start in range(0, len(text), _MAX_CELL - 1):
            parts.append([f"#{text[start : start + _MAX_CELL - 1]}"])
        table = table_of(schema, rows)
        header = next(table)
        for sheet_rows in batched_lazily(table, MAX_SHEET - 1):
            sheet = book.create_sheet()
            sheet.append(header)
            for row in sheet_rows:
                sheet.append([_fitting(cell, row) for cell in row])
        book.save(stream)

    def read(self, stream: IO[bytes]) -> Document:
        library = import_module("pagoda.transfer.sheets")
        try:
            sheets = library.sheets_of(stream)
        except (OSError, *_UNREADABLE) as error:
            raise TransferFault(say("The file is no XLSX: {error}", error=washed(error))) from error
        schema, tables = [], []
        for sheet in sheets:
            table = _told(library.rows_of(sheet))
            if sheet.title == _SCHEMA_SHEET:
                schema = _schema(["".join(str(row[0])[1:] for row in table if row and row[0])])
            else:
                tables.append(table)
        return Document(schema, _rows_of(tables, may_be_empty=bool(schema)))


def _rows_of(tables: Iterable[Iterator[Sequence[Any]]], *, may_be_empty: bool) -> Iterator[FileRow]:
    """Yield the rows of the sheets that say something.

    Raises:
        TransferFault: none does.
    """
    for table in tables:
        for number, head in enumerate(table, 1):
            if any(cell not in (None, "") for cell in head):
                may_be_empty = True
                yield from rows_in(chain([head], table), number)
    if not may_be_empty:
        raise TransferFault(say("The file is empty."))


def _library() -> ModuleType:
    """Return what reads and writes XLSX; it is a tenth of what a process loads, and few meet such a file."""
    return import_module("openpyxl")


def batched_lazily[T](items: Iterator[T], size: int) -> Iterator[Iterator[T]]:
    """Yield parts of so many items, at least one, none of which is kept."""
    yield islice(items, size)
    for first in items:
        yield chain([first], islice(items, size - 1))


def _fitting(cell: Any, row: Sequence[Any]) -> Any:
    if isinstance(cell, str) and len(cell) > _MAX_CELL:
        raise TransferFault(
            say(
                "Entry {row} has a value of {count:,} characters, and a cell of a sheet holds "
                "{max_cell:,}; take another format.",
                row=shown(row[1]),
                count=len(cell),
                max_cell=_MAX_CELL,
            )
        )
    is_number = isinstance(cell, int | float) and not isinstance(cell, bool)
    # A spreadsheet holds 15 digits: more of them are text, which is read as the same number.
    return repr(cell) if is_number and float(f"{cell:.15g}") != cell else cell


def _schema(texts: Sequence[str]) -> list[Any]:
    try:
        loaded = json.loads(texts[0], object_pairs_hook=without_doubles)
    except (ValueError, IndexError, RecursionError) as error:
        raise TransferFault(
            say("The schema of the file can't be read: {error}", error=washed(error))
        ) from error
    return loaded if isinstance(loaded, list) else []


_UNREADABLE: Final = (
    ijson.JSONError,
    yaml.YAMLError,
    csv.Error,
    zipfile.BadZipFile,
    ElementTree.ParseError,
    DefusedXmlException,
    ValueError,
    KeyError,
    TypeError,
    RecursionError,
)


def _told[T](items: Iterable[T]) -> Iterator[T]:
    """Yield the items; what a library says about a file that it can't read becomes a fault."""
    number, found = 0, iter(items)
    while True:
        try:
            item = next(found)
        except StopIteration:
            return
        except UnicodeDecodeError as error:
            raise TransferFault(_not_utf_8(number)) from error
        except _UNREADABLE as error:
            raise TransferFault(
                say("The file can't be read after item {number}: {error}", number=number, error=washed(error))
            ) from error
        number += 1
        yield item


def _not_utf_8(number: int) -> str:
    return say(
        "The file is not in UTF-8 after item {number}; save it as UTF-8 (spreadsheets call it CSV UTF-8).",
        number=number,
    )


FORMATS: Final[Mapping[str, Format]] = {
    "csv": CsvFormat(),
    "json": JsonFormat(),
    "xlsx": XlsxFormat(),
    "yaml": YamlFormat(),
}


def format_of(name: str) -> str:
    """Return the format that the name of a file says.

    Raises:
        TransferFault: it says none.
    """
    ending = PurePath(name).suffix.lower().lstrip(".").replace("yml", "yaml")
    if ending not in FORMATS:
        raise TransferFault(
            say(
                "{name} does not say its format; it is one of {formats}.",
                name=shown(name),
                formats=", ".join(FORMATS),
            )
        )
    return ending
