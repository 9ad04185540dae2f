"""Reads PDF with pdfium: pages, headings by outline or by looks, no running headers, footers and page numbers.

Of the libraries tried pdfium keeps the most text and is the fastest by far. Its order of the text is the order in which
the page is drawn, which follows columns; it joins words that are hyphenated at a line's end and marks the place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Final

from memory_mcp.documents.readers.headings import HeadingStack
from memory_mcp.documents.readers.model import DocumentItem, DocumentSource, Header, Refusal, RefusedError, TextBlock
from memory_mcp.documents.readers.pdf_file import OutlineEntry, PdfFile
from memory_mcp.documents.readers.pdf_layout import PdfPage, PdfParagraph, paragraphs
from memory_mcp.documents.readers.pdf_running import without_running_lines

MAX_PAGES: Final = 20_000

_MEDIA_TYPE: Final = "application/pdf"
_NO_TITLE: Final = re.compile(
    r"untitled|^microsoft \w+ - |\.(docx?|tex|dvi|indd|pdf|xlsx?|pptx?|odt|rtf)$", re.IGNORECASE
)


def read(source: DocumentSource) -> Iterator[DocumentItem]:
    """Read a PDF file page by page.

    Raises:
        RefusedError: it needs a password, is damaged, or no page has text. Where some pages are damaged this comes
            after the others were read, and the sentence names them.
    """
    with closing(PdfFile(source.file)) as file:
        if len(file) > MAX_PAGES:
            raise RefusedError(
                Refusal.TOO_LARGE, f"The PDF has more than {MAX_PAGES:,} pages. Split it into several files."
            )
        title = file.title
        yield Header(title=None if _NO_TITLE.search(title) else title or None, media_type=_MEDIA_TYPE, pages=len(file))
        damaged: list[int] = []
        has_text = False
        for block in _blocks(file, damaged):
            has_text = True
            yield block
    if damaged:
        raise _damaged(damaged, has_text=has_text)
    if not has_text:
        raise RefusedError(
            Refusal.NO_TEXT_LAYER,
            "The PDF has no text, only pictures of pages. Run a text recognition (OCR) on it first.",
        )


def _blocks(file: PdfFile, damaged: list[int]) -> Iterator[TextBlock]:
    """Yield the blocks of all pages; adds the numbers of the damaged ones."""
    outline = _Outline(file.outline())
    headings = HeadingStack()
    for chosen in without_running_lines(_pages(file, damaged)):
        page = chosen.page.number
        for paragraph in paragraphs(chosen.lines, chosen.body_size, by_looks=not outline.is_used):
            entered = outline.above(page, paragraph)
            for level, title, above in entered:
                yield from headings.enter(level, title, above)
            if paragraph.level:
                yield from headings.enter(paragraph.level, paragraph.text, page)
            elif not (entered and entered[-1].title == paragraph.text):
                yield headings.block(paragraph.text, page)
    yield from headings.close()


class _Outline:
    """The outline's entries, found again in the text. A single entry says nothing: some programs write one."""

    def __init__(self, entries: Iterable[OutlineEntry]) -> None:
        self._waiting: dict[int, list[OutlineEntry]] = {}
        count = 0
        for entry in entries:
            self._waiting.setdefault(entry.page, []).append(entry)
            count += 1
        self.is_used = count > 1

    def above(self, page: int, paragraph: PdfParagraph) -> list[OutlineEntry]:
        """Return the entries that stand above a paragraph and were not returned before.

        The last is the paragraph itself where the texts are the same but for a number; its title is then the text's.
        Those that are found nowhere come with the next that is, or with the next page.
        """
        if not self._waiting:
            return []
        passed = [entry for number in sorted(self._waiting) if number < page for entry in self._waiting.pop(number)]
        here = self._waiting.get(page, [])
        for index, entry in enumerate(here):
            if _is_same_heading(paragraph.text, entry.title):
                self._waiting[page] = here[index + 1 :]
                return [*passed, *here[:index], entry._replace(title=paragraph.text)]
        return passed


def _is_same_heading(text: str, title: str) -> bool:
    if len(text) > 2 * len(title) + 20:  # an early no for ordinary text
        return False
    line, entry = _bare(text), _bare(title)
    return bool(entry) and (line == entry or _unnumbered(line) == _unnumbered(entry))


def _bare(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum() or character == ".")


def _unnumbered(text: str) -> str:
    return re.sub(r"^(?:chapter|section|part|appendix)?[\d.]*", "", text) or text


def _pages(file: PdfFile, damaged: list[int]) -> Iterator[PdfPage]:
    for number in range(1, len(file) + 1):
        page = file.page(number)
        if page is None:
            damaged.append(number)
        else:
            yield page


def _damaged(pages: list[int], *, has_text: bool) -> RefusedError:
    named = ", ".join(map(str, pages[:10])) + (", …" if len(pages) > 10 else "")
    others = "the others were read" if has_text else "the others have no text"
    return RefusedError(Refusal.DAMAGED, f"Pages of the PDF are damaged ({named}); {others}. Get the file once more.")
