"""Reads XLSX, XLS and ODS with calamine: a heading for each sheet, a block for each row below its header.

Of the libraries tried calamine alone reads all three, dates as dates, in a thousandth of openpyxl's time. It does not
read comments and charts. It holds a sheet as a grid from the first filled cell to the last: of an XLSX file the size
is looked at first, because a cell far away would make a grid of gigabytes and end the process.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from typing import BinaryIO, Final, TypeAlias

from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetTypeEnum

from memory_mcp.documents.readers import ole2, zipped
from memory_mcp.documents.readers.headings import HeadingStack
from memory_mcp.documents.readers.model import DocumentItem, DocumentSource, Header, Refusal, RefusedError, TextBlock
from memory_mcp.documents.readers.tables import Table

MAX_GRID: Final = 6_000_000
"""Cells of a sheet's grid, empty ones too: about 32 bytes each."""

_XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_XLS: Final = "application/vnd.ms-excel"
_ODS: Final = "application/vnd.oasis.opendocument.spreadsheet"
_WORKSHEET: Final = re.compile(r"worksheets/[^/]+\.xml$", re.IGNORECASE)
_CHUNK: Final = 2**20
_TAIL: Final = 2**16
"""Of each chunk, in which the last row is looked for."""
_OVERLAP: Final = 256
_FILLED: Final = re.compile(rb' r="([A-Z]{1,3})([0-9]{1,7})"[^/>]*>')
"""A cell that is not empty, in a worksheet's XML."""
_FAR: Final = re.compile(rb' r="((?=[A-Z]{2}|.[0-9]{6})[A-Z]{1,3})([0-9]{1,7})"[^/>]*>')
"""Such a cell outside of A1:Z99999: most sheets have none, which makes looking at each of them cheap."""
_NEAR_COLUMNS: Final = 26

CellValue: TypeAlias = int | float | str | bool | time | date | datetime | timedelta


def read(source: DocumentSource) -> Iterator[DocumentItem]:
    """Read a workbook sheet by sheet.

    Raises:
        RefusedError: it is damaged, hostile, empty, needs a password, or a sheet's grid is larger than `MAX_GRID`.
    """
    media_type = _checked(source.file)
    source.file.seek(0)
    with _refusals(), CalamineWorkbook.from_filelike(source.file) as workbook:
        yield Header(media_type=media_type)
        has_text = False
        for block in _blocks(workbook):
            has_text = True
            yield block
    if not has_text:
        raise RefusedError(Refusal.EMPTY, "The workbook has no cell with text. Nothing is to be read.")


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn calamine's errors into refusals."""
    damaged = RefusedError(
        Refusal.DAMAGED,
        "The workbook is damaged, or its cells lie too far apart. Open it in its own program and save it anew.",
    )
    try:
        yield
    except PasswordError as error:
        raise RefusedError(
            Refusal.PASSWORD_NEEDED, "The workbook needs a password. Save a copy without one."
        ) from error
    except CalamineError as error:
        raise damaged from error
    except BaseException as error:  # a panic of calamine's has no other class that can be imported
        if type(error).__module__ != "pyo3_runtime":
            raise
        raise damaged from error


def _blocks(workbook: CalamineWorkbook) -> Iterator[TextBlock]:
    headings = HeadingStack()
    for sheet in workbook.sheets_metadata:
        if sheet.typ is not SheetTypeEnum.WorkSheet:
            continue
        table = Table()
        is_entered = False
        for row in workbook.get_sheet_by_name(sheet.name).iter_rows():
            cells = [_cell_text(cell) for cell in row]
            if not is_entered and any(cells):  # an empty sheet is no heading
                yield from headings.enter(1, " ".join(sheet.name.split()))
                is_entered = True
            for text, repeated in table.add(cells):
                yield headings.block(text, repeated=repeated)
        for text, repeated in table.close():
            yield headings.block(text, repeated=repeated)
    yield from headings.close()


def _cell_text(value: CellValue) -> str:
    """Return a cell as a person would write it: 3 for 3.0, a date without midnight."""
    match value:
        case str():
            return value
        case bool():
            return "TRUE" if value else "FALSE"
        case float():
            return f"{value:.15g}"
        case datetime(hour=0, minute=0, second=0, microsecond=0):
            return value.date().isoformat()
        case datetime():
            return value.isoformat(" ", "seconds")
        case _:
            return str(value)


def _checked(file: BinaryIO) -> str:
    """Return the media type. Raises RefusedError for what calamine would choke on."""
    if ole2.is_ole2(file):
        if refusal := ole2.refusal(file):
            raise refusal
        return _XLS
    with zipped.opened(file) as archive:
        if "content.xml" in archive:
            with archive.open("content.xml"):  # within the bounds
                return _ODS
        for name in archive.names:
            if _WORKSHEET.search(name):
                _check_grid(archive, name)
            elif name.casefold().endswith((".xml", ".bin")):
                with archive.open(name):  # likewise
                    pass
    return _XLSX


def _check_grid(archive: zipped.Archive, name: str) -> None:
    rows, columns = _grid(archive, name, _FAR)
    if rows * max(columns, _NEAR_COLUMNS) > MAX_GRID:
        rows, columns = _grid(archive, name, _FILLED)
    if rows * columns > MAX_GRID:
        raise RefusedError(
            Refusal.TOO_LARGE,
            f"A sheet's filled cells span {rows:,} rows and {columns:,} columns; {MAX_GRID:,} cells are read. "
            "Delete cells that lie far away, or save the sheet as CSV.",
        )


def _grid(archive: zipped.Archive, name: str, pattern: re.Pattern[bytes]) -> tuple[int, int]:
    """Return the last row and column among the cells that a pattern finds, and the last row of each chunk."""
    rows = columns = 1
    rest = b""
    with archive.open(name) as member:
        while chunk := member.read(_CHUNK):
            data = rest + chunk
            for letters, row in (*pattern.findall(data), *_FILLED.findall(data[-_TAIL:])[-1:]):
                rows = max(rows, int(row))
                columns = max(columns, _column(letters))
            rest = data[-_OVERLAP:]
    return rows, columns


def _column(letters: bytes) -> int:
    """Return the number of a column: 1 for A, 27 for AA."""
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number
