"""Reads CSV and its like: a block for each row, the first row repeated above each section of them."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from typing import Final, TextIO

from memory_mcp.documents.readers import charsets
from memory_mcp.documents.readers.model import DocumentItem, DocumentSource, Header, Refusal, RefusedError, TextBlock
from memory_mcp.documents.readers.plain import empty, plain
from memory_mcp.documents.readers.tables import Table

MAX_FIELD: Final = 1_000_000
"""Characters of one field: a quotation mark that is never closed would take the rest of the file."""
_SAMPLE: Final = 16 * 1024
_DELIMITERS: Final = ",;\t|"

csv.field_size_limit(MAX_FIELD)


def read(source: DocumentSource) -> Iterator[DocumentItem]:
    with charsets.opened(source.file) as text:
        delimiter = delimiter_of(text.read(_SAMPLE))
        text.seek(0)
        blocks = _blocks(text, delimiter)
        first = next(blocks, None)
        if first is None:
            raise empty()
        yield Header(media_type="text/csv")
        yield first
        yield from blocks


def delimiter_of(sample: str) -> str:
    """Return the sign that cuts most rows into the same number of fields, more than one; a comma where none does."""
    lines = sample.splitlines()[:50]
    best, most = ",", 0.0
    for delimiter in _DELIMITERS:
        widths = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter) if row)
        width, count = max(widths.items(), key=lambda item: (item[0] > 1, item[1], item[0]), default=(1, 0))
        agreement = count / sum(widths.values()) + width / 1_000 if width > 1 else 0.0
        if agreement > most:
            best, most = delimiter, agreement
    return best


def _blocks(text: TextIO, delimiter: str) -> Iterator[TextBlock]:
    table = Table()
    for row in _rows(text, delimiter):
        for written, header in table.add(row):
            yield TextBlock(written, repeated=header)
    for written, _ in table.close():
        yield TextBlock(written)


def _rows(text: TextIO, delimiter: str) -> Iterator[list[str]]:
    reader = csv.reader(iter(lambda: text.readline(MAX_FIELD), ""), delimiter=delimiter)
    try:
        for row in reader:
            yield list(map(plain, row))
    except csv.Error as error:
        raise RefusedError(
            Refusal.DAMAGED,
            f"The table is damaged at line {reader.line_num:,}: a quotation mark is not closed. Mend that line.",
        ) from error
