"""Sheets of XLSX files, read row by row: of a file that anybody may have made, little is held at once.

`openpyxl` reads cells; left to itself it keeps a trace of each row, makes all rows as wide as the file says
that they are, and takes parts of any size.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, Final, Self, cast, override
from xml.etree.ElementTree import Element, iterparse

from openpyxl.reader.excel import ExcelReader
from openpyxl.styles.stylesheet import apply_stylesheet
from openpyxl.worksheet._reader import DATA_TAG, ROW_TAG, WorkSheetParser

from pagoda.transfer.document import MAX_SHEET, TransferFault
from pagoda_plugin_sdk.rules.saying import say

_MAX_COLUMNS: Final = 16_384
_MEBIBYTE: Final = 1024 * 1024
_MAX_INFLATED: Final = 4 * 1024 * _MEBIBYTE
_MAX_SHARED: Final = 64 * _MEBIBYTE  # of the texts that cells share: they are held while rows are read
_MAX_PIECE: Final = 8 * _MEBIBYTE  # of XML from one row to the next, and of any other part

type Cells = tuple[Any, ...]  # Any: a text, a number, a boolean, a datetime, or None


class _Bounded:
    """A part of the file of which little is read without a row."""

    def __init__(self, stream: IO[bytes], name: str, most: int) -> None:
        self._stream, self._name, self._most = stream, name, most
        self._left = most
        self.close = stream.close

    def read(self, size: int = -1) -> bytes:
        part = self._stream.read(self._left + 1 if size < 0 else size)
        self._left -= len(part)
        if self._left < 0:
            raise TransferFault(
                say(
                    "{name} of the file has more than {most:,} MiB unpacked in one piece; take another "
                    "format.",
                    name=self._name,
                    most=self._most // _MEBIBYTE,
                )
            )
        return part

    def more(self) -> None:
        """Allow as much again."""
        self._left = self._most

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()


class _Archive(zipfile.ZipFile):
    """The parts of the file, none of which is read when it is too large. Any: as the base has them."""

    @override
    def open(self, name: Any, mode: Any = "r", pwd: Any = None, *, force_zip64: bool = False) -> Any:
        """Return a part that is read as it comes: texts that cells share."""
        part = super().open(name, mode, pwd, force_zip64=force_zip64)
        return _Bounded(part, str(name), _MAX_SHARED)

    @override
    def read(self, name: Any, pwd: Any = None) -> bytes:
        """Return a part that is held as a whole."""
        with _Bounded(super().open(name, pwd=pwd), str(name), _MAX_PIECE) as part:
            return part.read()

    def rows(self, name: str) -> _Bounded:
        """Return a sheet, which may have any size; its rows may not."""
        return _Bounded(super().open(name), name, _MAX_PIECE)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet of a file that stays open."""

    title: str
    path: str
    reader: Any  # openpyxl's, with the texts that cells share and the formats of dates


def sheets_of(stream: IO[bytes]) -> list[Sheet]:
    """Return the sheets of a file.

    Raises:
        TransferFault: it is too large.
        BadZipFile, ValueError, KeyError, ...: it is none.
    """
    size = sum(each.file_size for each in zipfile.ZipFile(stream).infolist())
    if size > _MAX_INFLATED:
        raise TransferFault(
            say(
                "The file has {size:,} bytes unpacked, at most {max_inflated:,} are read.",
                size=size,
                max_inflated=_MAX_INFLATED,
            )
        )
    stream.seek(0)
    reader = ExcelReader(stream, read_only=True, data_only=True)
    reader.archive = _Archive(stream)
    reader.read_manifest()
    reader.read_strings()
    reader.read_workbook()
    apply_stylesheet(reader.archive, reader.wb)
    return [
        Sheet(sheet.name, link.target, reader)
        for sheet, link in reader.parser.find_sheets()
        if link.target in reader.valid_files and "chartsheet" not in link.Type
    ]


def rows_of(sheet: Sheet) -> Iterator[Cells]:
    """Yield the cells of each row of a sheet, also of the empty ones between others.

    Raises:
        TransferFault: a row is too large, or they are too many.
    """
    book = sheet.reader.wb
    with sheet.reader.archive.rows(sheet.path) as source:
        parser = WorkSheetParser(
            source,
            sheet.reader.shared_strings,
            data_only=True,
            epoch=book.epoch,
            date_formats=vars(book)["_date_formats"],
            timedelta_formats=vars(book)["_timedelta_formats"],
        )
        number, before = 0, 0
        for element in _rows(source):
            number, cells = parser.parse_row(element)
            parser.row_dimensions.clear()  # heights, of which it keeps those of all rows
            widest = max((cell["column"] for cell in cells), default=0)
            if number > MAX_SHEET or widest > _MAX_COLUMNS or number <= before:
                raise TransferFault(
                    say(
                        "Sheet {sheet} has a row {number} with a column {widest}; rows come in their order, "
                        "and there are {max_rows:,} of {max_columns:,} columns.",
                        sheet=repr(sheet.title),
                        number=number,
                        widest=widest,
                        max_rows=MAX_SHEET,
                        max_columns=_MAX_COLUMNS,
                    )
                )
            for _ in range(before + 1, number):
                yield ()
            filled = [(cell["column"], cell["value"]) for cell in cells if cell["value"] not in (None, "")]
            row = [None] * max((column for column, _ in filled), default=0)
            for column, value in filled:
                row[column - 1] = value
            yield tuple(row)
            before = number


def _rows(source: _Bounded) -> Iterator[Element]:
    data: Element | None = None
    for event, element in iterparse(cast("IO[bytes]", source), ("start", "end")):  # noqa: S314 - expat bounds entities
        if element.tag == DATA_TAG:
            if event == "end":
                return
            data = element
        elif event == "end" and element.tag == ROW_TAG:
            source.more()
            yield element
            if data is not None:
                data.clear()
