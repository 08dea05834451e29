"""What a file holds, whatever its format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, Final, NamedTuple, Protocol

from pagoda_plugin_sdk.exceptions import PagodaError

MAX_SHEET: Final = 1_048_576  # rows of a sheet, as spreadsheets have it


class TransferFault(PagodaError):
    """A file can't be read or written; the text says what is wrong and where."""


class FileRow(NamedTuple):
    """One entry of a file. Any below: JSON, or cells as they are in the file."""

    number: int  # of the row or the item, from 1, as people find it
    values: Any  # {"entity", "name", "note", "attrs"}; unchecked
    is_cells: bool = False  # attrs are cells, ``{column: text}``


@dataclass(slots=True)
class Document:
    """An open file."""

    schema: Sequence[Any]  # of entities; unchecked
    rows: Iterator[FileRow]


class Format(Protocol):
    """How files of one kind are written and read."""

    content_type: str

    def write(
        self, stream: IO[bytes], schema: Sequence[Mapping[str, Any]], rows: Iterable[Mapping[str, Any]]
    ) -> None:
        """Write a file.

        Raises:
            TransferFault: it can't hold a value.
        """

    def read(self, stream: IO[bytes]) -> Document:
        """Read a file, row by row; the schema at once.

        Raises:
            TransferFault: it is no such file; also while the rows are read.
        """
