"""Spreadsheets as others make them, well or to harm."""

from __future__ import annotations

import gc
import io
import zipfile
from collections.abc import Iterator
from xml.etree.ElementTree import Element

import openpyxl
import pytest

from pagoda.transfer import sheets
from pagoda.transfer.document import TransferFault
from pagoda.transfer.formats import FORMATS

SHEET = "xl/worksheets/sheet1.xml"
STYLES = "xl/styles.xml"
SHARED = "xl/sharedStrings.xml"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def book(**parts: bytes) -> io.BytesIO:
    """Return a file with one sheet; `parts` by their names take the place of its own."""
    made, changed = io.BytesIO(), io.BytesIO()
    openpyxl.Workbook().save(made)
    with zipfile.ZipFile(made) as source, zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as target:
        for name in dict.fromkeys([*source.namelist(), *parts]):
            data = parts.get(name) or source.read(name)
            if name == "[Content_Types].xml" and SHARED in parts and b"sharedStrings" not in data:
                kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
                added = f'<Override PartName="/{SHARED}" ContentType="{kind}"/></Types>'
                data = data.replace(b"</Types>", added.encode())
            target.writestr(name, data)
    changed.seek(0)
    return changed


def sheet(rows: str, before: str = "") -> bytes:
    return f'<worksheet xmlns="{MAIN}">{before}<sheetData>{rows}</sheetData></worksheet>'.encode()


def cell(place: str, text: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'


HEAD = f'<row r="1">{cell("A1", "name")}{cell("B1", "os")}</row>'


def rows(file: io.BytesIO) -> Iterator[tuple[int, object]]:
    for row in FORMATS["xlsx"].read(file).rows:
        yield row.number, row.values


def test_rows_have_the_numbers_that_people_see_and_no_width_but_their_own() -> None:
    wide = '<dimension ref="A1:XFD1048576"/>'
    styled = f'<row r="4" ht="30">{cell("A4", "b")}<c r="F4" s="0"/></row>'
    data = sheet(f'{HEAD}<row r="2">{cell("A2", "a")}{cell("B2", "x")}</row>{styled}<row r="9"/>', wide)
    assert [*rows(book(**{SHEET: data}))] == [
        (2, {"name": "a", "attrs": {"os": "x"}}),
        (4, {"name": "b", "attrs": {}}),
    ]


def test_texts_that_cells_share_are_read() -> None:
    shared = f'<sst xmlns="{MAIN}"><si><t>web</t></si></sst>'.encode()
    data = sheet(f'{HEAD}<row r="2"><c r="A2" t="s"><v>0</v></c></row>')
    assert [*rows(book(**{SHEET: data, SHARED: shared}))] == [(2, {"name": "web", "attrs": {}})]


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({SHEET: sheet(f'{HEAD}<row r="2000000000">{cell("A2000000000", "a")}</row>')}, "row 2000000000"),
        ({SHEET: sheet(f'{HEAD}<row r="2"><c r="XFE2"><v>1</v></c></row>')}, "column 16385"),
        ({SHEET: sheet(f'{HEAD}<row r="1">{cell("A1", "a")}</row>')}, "row 1"),
        ({SHEET: sheet(HEAD + "<row/>" * 2_000)}, "row 1001"),
        ({SHEET: sheet(HEAD + f"<row>{cell('A2', 'x' * 300_000)}</row>")}, "sheet1.xml"),
        ({SHEET: sheet(HEAD + f"<row>{'<c><v>1</v></c>' * 20_000}</row>")}, "sheet1.xml"),
        ({SHEET: sheet(HEAD, before="<a/>" * 80_000)}, "sheet1.xml"),
        ({STYLES: f'<styleSheet xmlns="{MAIN}">{"<a/>" * 80_000}</styleSheet>'.encode()}, "styles.xml"),
        ({SHARED: f'<sst xmlns="{MAIN}">{"<si><t>a</t></si>" * 40_000}</sst>'.encode()}, "sharedStrings.xml"),
    ],
)
def test_what_would_take_all_memory_is_refused(
    monkeypatch: pytest.MonkeyPatch, parts: dict[str, bytes], told: str
) -> None:
    monkeypatch.setattr(sheets, "MAX_SHEET", 1_000)
    for bound in ("_MAX_PIECE", "_MAX_SHARED"):
        monkeypatch.setattr(sheets, bound, 256 * 1024)
    with pytest.raises(TransferFault) as refused:
        list(rows(book(**parts)))
    assert told in str(refused.value)


def elements() -> int:
    gc.collect()
    return sum(type(each) is Element for each in gc.get_objects())  # an instance asks lazy ones what they are


def test_few_rows_are_held_at_once() -> None:
    data = sheet(HEAD + f'<row ht="30">{cell("A1", "a").replace(' r="A1"', "")}</row>' * 20_000)
    held = sheets.rows_of(sheets.sheets_of(book(**{SHEET: data}))[0])
    next(held)
    before = elements()
    for _ in range(15_000):
        next(held)
    assert abs(elements() - before) < 5_000  # those of what is read ahead of a row
    assert sum(1 for _ in held) == 5_000
