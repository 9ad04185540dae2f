"""Reads Markdown with markdown-it-py: its blocks as they are written, HTML among them as text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, TextIO

from markdown_it import MarkdownIt
from markdown_it.token import Token

from memory_mcp.documents.readers import charsets, html
from memory_mcp.documents.readers.model import DocumentItem, DocumentSource, Header, TextBlock
from memory_mcp.documents.readers.outline import TextOutline
from memory_mcp.documents.readers.plain import cut, empty, one_line, too_deep
from memory_mcp.documents.readers.tables import Table

_PIECE: Final = 64 * 1024
"""Characters after which the next heading begins a piece that is parsed on its own."""
_LARGEST_PIECE: Final = 512 * 1024
_NESTING: Final = 60
_FENCE: Final = re.compile(r" {0,3}(```+|~~~+)")
_FRONT_TITLE: Final = re.compile(r"^title[ \t]*[:=](.*)$", re.MULTILINE | re.IGNORECASE)
_COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)
_LINK: Final = re.compile(r"!?\[([^\]]*)\]\[[^\]]*\]")

_blocks = MarkdownIt("commonmark", {"maxNesting": _NESTING}).enable("table").disable(["reference", "inline"])
_inline = MarkdownIt("commonmark")


def read(source: DocumentSource) -> Iterator[DocumentItem]:
    with charsets.opened(source.file) as text:
        outline = TextOutline()
        front, start = _front_matter(text)
        blocks = _all_blocks(front, _pieces(text, start), outline)
        first = next(blocks, None)
        if first is None:
            raise empty()
        named = _FRONT_TITLE.search(front)
        yield Header(
            title=(one_line(named[1]).strip("\"'") if named else None) or outline.first, media_type="text/markdown"
        )
        yield first
        yield from blocks


def blocks_of(text: str, outline: TextOutline) -> Iterator[TextBlock]:
    """Yield the blocks of a text; `outline` has the headings before it, and then its own."""
    try:
        tokens = _blocks.parse(text)
    except RecursionError as error:
        raise too_deep() from error
    if any(token.level >= _NESTING - 1 for token in tokens):
        raise too_deep()
    walk = _TokenWalk(outline)
    for index, token in enumerate(tokens):
        yield from walk.blocks(token, tokens[index - 1] if index else None)


def _all_blocks(front: str, pieces: Iterator[str], outline: TextOutline) -> Iterator[TextBlock]:
    yield from outline.block(front)
    for piece in pieces:
        yield from blocks_of(piece, outline)
    yield from outline.end()


def _front_matter(text: TextIO) -> tuple[str, str]:
    """Return what stands between lines of --- or +++ at the start, and what was read beyond it."""
    first = text.readline(_PIECE)
    fence = first.rstrip()
    if fence not in ("---", "+++"):
        return "", first
    lines: list[str] = []
    while len(lines) < 500 and (line := text.readline(_PIECE)):
        if line.rstrip() == fence:
            return "".join(lines), ""
        lines.append(line)
    return "", first + "".join(lines)


def _pieces(text: TextIO, start: str) -> Iterator[str]:
    """Cut a text at headings outside fences, so that a long one is parsed in pieces."""
    lines, size, fence = [start], len(start), ""
    while line := text.readline(_LARGEST_PIECE):
        if (size > _PIECE and not fence and line.startswith("#")) or size > _LARGEST_PIECE:
            yield "".join(lines)
            lines, size = [], 0
        if found := _FENCE.match(line):
            mark = found[1][:3]
            fence = mark if not fence else "" if fence == mark else fence
        lines.append(line)
        size += len(line)
    yield "".join(lines)


class _TokenWalk:
    """One way through the tokens of a text, which come in document order."""

    def __init__(self, outline: TextOutline) -> None:
        self._outline = outline
        self._numbers: list[int | None] = []
        """The next number of each open list; None where it has none."""
        self._marker = ""
        self._cells: list[str] | None = None
        self._rows = Table()

    def blocks(self, token: Token, before: Token | None) -> Iterator[TextBlock]:
        match token.type:
            case "inline":
                yield from self._inline(token.content, before)
            case "fence":
                yield from self._text(f"{token.markup}{token.info}\n{token.content}{token.markup}")
            case "code_block":
                yield from self._text(token.content)
            case "html_block":
                yield from html.part_of(html.parsed(token.content), self._outline)
            case kind if kind.startswith("t"):
                yield from self._table(kind)
            case _:
                self._list(token)

    def _inline(self, text: str, before: Token | None) -> Iterator[TextBlock]:
        text = _COMMENT.sub("", text)
        if before is not None and before.type == "heading_open":
            yield from self._outline.heading(int(before.tag[1]), _without_marks(text))
        elif self._cells is not None:
            self._cells.append(text)
        else:
            yield from self._text(text)

    def _list(self, token: Token) -> None:
        match token.type:
            case "bullet_list_open":
                self._numbers.append(None)
            case "ordered_list_open":
                self._numbers.append(int(token.attrs.get("start", 1)))
            case "bullet_list_close" | "ordered_list_close":
                self._numbers.pop()
            case "list_item_open":
                self._marker = self._item_marker()

    def _text(self, text: str) -> Iterator[TextBlock]:
        marker, self._marker = self._marker, ""
        yield from self._outline.block(marker + text)

    def _item_marker(self) -> str:
        indent = "  " * min(len(self._numbers) - 1, 8)
        number = self._numbers[-1]
        if number is None:
            return f"{indent}- "
        self._numbers[-1] = number + 1
        return f"{indent}{number}. "

    def _table(self, kind: str) -> Iterator[TextBlock]:
        match kind:
            case "tr_open":
                self._cells = []
            case "tr_close":
                cells, self._cells = self._cells or [], None
                for row, header in self._rows.add(cells):
                    yield from self._outline.block(row, header)
            case "table_close":
                for row, _ in self._rows.close():
                    yield from self._outline.block(row)


def _without_marks(text: str) -> str:
    """Return a heading's text without the marks of Markdown."""
    children: Sequence[Token] = _inline.parseInline(_LINK.sub(r"\1", cut(text, 2_000)))[0].children or ()
    return "".join(
        child.content if child.type in ("text", "code_inline", "image") else " " if "break" in child.type else ""
        for child in children
    )
