"""A PDF file as pdfium sees it: its outline, and each page's lines with their places and sizes.

Text is asked for once a page and places twice a line: a call for each character would take most of the time.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from math import hypot
from typing import Any, BinaryIO, Final, NamedTuple

import pypdfium2 as pdfium  # type: ignore[import-untyped]  # it has none; what leaves this file is typed
import pypdfium2.raw as pdfium_c  # type: ignore[import-untyped]

from memory_mcp.documents.readers.model import Refusal, RefusedError
from memory_mcp.documents.readers.pdf_layout import Line, Page

MAX_OUTLINE: Final = 20_000
"""Entries of an outline that are used."""
PAGES_PER_OPENING: Final = 100
"""pdfium keeps what it has read as long as a file is open."""

_BOLD: Final = re.compile(r"bold|black|heavy|demi|cmbx|-bd", re.IGNORECASE)
_BOLD_WEIGHT: Final = 600
_FONT_NAME_BYTES: Final = 64
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_LINE_END_CHARS: Final = 2
_JOINED: Final = re.compile(r"[\ufffe\x02](\w?)")
"""Where pdfium joined a word that a hyphen parts at the line's end."""
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\xad\ufffe\uffff\ud800-\udfff]")


class OutlineEntry(NamedTuple):
    """A heading that the file names itself."""

    level: int
    """From 1, the outermost."""
    title: str
    page: int


class PdfFile:
    """An open PDF file; `close` it."""

    def __init__(self, file: BinaryIO) -> None:
        """Open the file, which stays open as long. Raises RefusedError: it needs a password, or is damaged."""
        self._file = file
        self._document = _opened(file)
        self._pages_read = 0

    def __len__(self) -> int:
        return len(self._document)

    def close(self) -> None:
        self._document.close()

    @property
    def title(self) -> str:
        """What the file says its title is; often that of a template or of another file."""
        return _words(str(self._document.get_metadata_value("Title")))

    def outline(self) -> Iterator[OutlineEntry]:
        """Yield the entries that lead to a page of the file."""
        for bookmark in islice(self._document.get_toc(), MAX_OUTLINE):
            destination = bookmark.get_dest()
            index = destination.get_index() if destination else None
            title = _words(str(bookmark.get_title()))
            if isinstance(index, int) and title:
                yield OutlineEntry(int(bookmark.level) + 1, title, index + 1)

    def page(self, number: int) -> Page | None:
        """Return a page, counted from 1; None where it is damaged."""
        self._pages_read += 1
        if self._pages_read % PAGES_PER_OPENING == 0:
            self._document.close()
            self._document = _opened(self._file)
        try:
            with closing(self._document[number - 1]) as page, closing(page.get_textpage()) as text_page:
                return Page(number, float(page.get_height()), _lines(text_page))
        except pdfium.PdfiumError:
            return None


def _opened(file: BinaryIO) -> Any:  # noqa: ANN401 - pdfium's, which has no types
    file.seek(0)
    try:
        return pdfium.PdfDocument(file)
    except pdfium.PdfiumError as error:
        raise _refusal(error.err_code) from error


def _lines(text_page: Any) -> list[Line]:  # noqa: ANN401 - pdfium's, which has no types
    count = int(text_page.count_chars())
    if count < 1:
        return []
    text = str(text_page.get_text_range(errors="surrogatepass"))
    raw = text_page.raw
    is_aligned = len(text) == count
    lines = []
    start = 0
    for piece in _LINE_END.split(text):
        stripped = piece.strip()
        words = _words(stripped)
        if words:
            first = start + len(piece) - len(piece.lstrip())
            last = first + len(stripped) - 1
            if not is_aligned:
                first = max(0, pdfium_c.FPDFText_GetCharIndexFromTextIndex(raw, first))
                last = max(first, pdfium_c.FPDFText_GetCharIndexFromTextIndex(raw, last))
            lines.append(_line(raw, words, first, last))
        start += len(piece) + _LINE_END_CHARS
    return lines


def _line(raw: Any, text: str, first: int, last: int) -> Line:  # noqa: ANN401 - pdfium's
    begin, end = pdfium_c.FS_RECTF(), pdfium_c.FS_RECTF()
    pdfium_c.FPDFText_GetLooseCharBox(raw, first, begin)
    pdfium_c.FPDFText_GetLooseCharBox(raw, last, end)
    return Line(
        text=text,
        left=min(begin.left, end.left),
        right=max(begin.right, end.right),
        first_bottom=begin.bottom,
        last_bottom=end.bottom,
        size=_size(raw, first) or begin.top - begin.bottom,
        is_bold=_is_bold(raw, first) and _is_bold(raw, last),
    )


def _size(raw: Any, index: int) -> float:  # noqa: ANN401 - pdfium's
    """Return a character's size on the page: that of its font is often 1, and the rest is in the matrix."""
    matrix = pdfium_c.FS_MATRIX()
    pdfium_c.FPDFText_GetMatrix(raw, index, matrix)
    return float(pdfium_c.FPDFText_GetFontSize(raw, index)) * hypot(matrix.c, matrix.d)


def _is_bold(raw: Any, index: int) -> bool:  # noqa: ANN401 - pdfium's
    """Say whether a character is bold by its font's weight, or by the font's name as many have no weight."""
    if pdfium_c.FPDFText_GetFontWeight(raw, index) >= _BOLD_WEIGHT:
        return True
    name = ctypes.create_string_buffer(_FONT_NAME_BYTES)
    pdfium_c.FPDFText_GetFontInfo(raw, index, name, _FONT_NAME_BYTES, None)
    return bool(_BOLD.search(name.value.decode("latin-1")))


def _words(text: str) -> str:
    """Return text without what pdfium marks; a hyphen before a capital or a digit is no hyphenation."""
    if text.isprintable():  # nearly always, and much faster
        return " ".join(text.split())
    text = _JOINED.sub(lambda match: match[1] if match[1].islower() else "-" + match[1], text)
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    return " ".join(_CONTROLS.sub("", text).split())


def _refusal(error_code: int) -> RefusedError:
    if error_code == pdfium_c.FPDF_ERR_PASSWORD:
        return RefusedError(Refusal.PASSWORD_NEEDED, "The PDF needs a password. Save a copy without one.")
    if error_code == pdfium_c.FPDF_ERR_SECURITY:
        return RefusedError(
            Refusal.ENCRYPTED, "The PDF is encrypted in a way that no reader supports. Save a copy that is not."
        )
    return RefusedError(
        Refusal.DAMAGED, "The PDF is damaged: it does not open. Get it once more from where it is from."
    )
