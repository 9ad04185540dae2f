"""Reads HTML with selectolax: its text in order, with headings, lists and tables; no scripts, styles or navigation."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from memory_mcp.documents.readers import charsets
from memory_mcp.documents.readers.model import DocumentItem, DocumentSource, Header, TextBlock
from memory_mcp.documents.readers.outline import TextOutline
from memory_mcp.documents.readers.plain import empty, one_line, too_deep
from memory_mcp.documents.readers.tables import row_text

MAX_OPEN: Final = 1_000
"""Elements that are open at a time: the time to parse grows with their square."""

MIN_MAIN: Final = 200
"""Characters that a page's main part has at least; one that is filled by a script has none."""

_HEADINGS: Final = {f"h{level}": level for level in range(1, 7)}
_BLOCKS: Final = frozenset(
    (
        *("address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog"),
        *("div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4"),
        *("h5", "h6", "header", "hr", "legend", "li", "main", "ol", "p", "pre", "section", "summary", "table"),
        *("tbody", "td", "tfoot", "th", "thead", "tr", "ul"),
    )
)
_SKIPPED: Final = frozenset(
    (
        *("annotation", "audio", "button", "canvas", "datalist", "embed", "head", "iframe", "input", "map"),
        *("nav", "noscript", "object", "option", "rp", "rt", "script", "select", "style", "svg", "template"),
        *("textarea", "video"),
    )
)
_SKIPPED_ROLES: Final = frozenset(("navigation", "search", "menu", "menubar", "toolbar"))
_HIDDEN: Final = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_TAGS: Final = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_WITH_FOOTERS: Final = frozenset(("article", "section", "main", "blockquote", "figure"))
_VOID: Final = frozenset(
    (
        *("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source"),
        *("track", "wbr"),
    )
)
_ENDS_ITSELF: Final = _VOID | frozenset(
    (
        *("body", "colgroup", "dd", "dt", "head", "html", "li", "optgroup", "option", "p", "rp", "rt", "tbody"),
        *("td", "tfoot", "th", "thead", "tr"),
    )
)
_DECLARED: Final = re.compile(
    rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]+)|<\?xml[^>]{0,100}encoding=[\"']([\w.-]+)"
)
_EMPTY_ELEMENT: Final = re.compile(r"<([a-zA-Z][\w:-]*)(?=[\s/])([^<>]*)/>")
_BLANKS: Final = re.compile(r"[ \t\r\n\f]+")


def read(source: DocumentSource) -> Iterator[DocumentItem]:
    data = charsets.whole(source.file)
    outline = TextOutline()
    root = parsed(decoded(data))
    blocks = blocks_of(root, outline)
    first = next(blocks, None)
    if first is None:
        raise empty()
    yield Header(title=title_of(root) or outline.first, media_type="text/html")
    yield first
    yield from blocks


def decoded(data: bytes) -> str:
    """Return a page as text, by the encoding that it declares where it is not UTF-8. Raises as `charsets` does."""
    declared = _DECLARED.search(data[:4096])
    return charsets.decoded(data, (declared[1] or declared[2]).decode("ascii") if declared else None)


def parsed(text: str) -> LexborHTMLParser:
    """Parse HTML or XHTML. Raises RefusedError where its elements are nested too deep."""
    if text.lstrip()[:5] == "<?xml":
        text = _EMPTY_ELEMENT.sub(_closed, text)
    _check_depth(text)
    return LexborHTMLParser(text)


def title_of(root: LexborHTMLParser) -> str | None:
    """Return what the page says is its title."""
    title = root.css_first("head > title")
    return (one_line(title.text()) or None) if title is not None else None


def blocks_of(root: LexborHTMLParser, outline: TextOutline) -> Iterator[TextBlock]:
    """Yield the blocks of a page; `outline` has the headings before it, and then its own."""
    yield from part_of(root, outline)
    yield from outline.end()


def part_of(root: LexborHTMLParser, outline: TextOutline) -> Iterator[TextBlock]:
    """Yield the blocks of a page that goes on: a heading at its end still waits for what stands beneath it."""
    if root.body is not None:
        yield from _TreeWalk(outline).blocks(_main(root) or root.body)


def _main(root: LexborHTMLParser) -> LexborNode | None:
    """Return the part that the page calls its own, unless its first heading or its text stands elsewhere."""
    parts = root.css("main, [role=main]")
    if len(parts) != 1 or len(parts[0].text().strip()) < MIN_MAIN:
        return None
    return parts[0] if parts[0].css_first("h1") is not None or root.css_first("h1") is None else None


class _TreeWalk:
    """One way through a tree, in document order and without recursion."""

    def __init__(self, outline: TextOutline) -> None:
        self._outline = outline
        self._pieces: list[str] = []
        self._marker = ""
        self._lists: list[int | None] = []
        """The last number of each open list; None where it has none."""
        self._preformatted = 0
        self._articles = 0
        """How many elements are open whose footer is part of the text."""

    def blocks(self, root: LexborNode) -> Iterator[TextBlock]:
        node: LexborNode | None = root
        while node is not None:
            tag = node.tag or ""
            goes_in = yield from self._enter(node, tag)
            child = node.child if goes_in else None
            if child is not None:
                node = child
                continue
            if goes_in:
                yield from self._leave(tag)
            node = yield from self._next(node, root.mem_id)
        yield from self._flush()

    def _next(self, node: LexborNode | None, root_id: int) -> Generator[TextBlock, None, LexborNode | None]:
        """Leave elements until one has a next one."""
        while node is not None and node.mem_id != root_id:
            following = node.next
            if following is not None:
                return following
            node = node.parent
            if node is not None:
                yield from self._leave(node.tag or "")
        return None

    def _enter(self, node: LexborNode, tag: str) -> Generator[TextBlock, None, bool]:
        """Return whether to go into the element."""
        if tag == "-text":
            text = node.text_content or ""
            self._pieces.append(text if self._preformatted else _BLANKS.sub(" ", text))
            return False
        if tag == "br":
            self._pieces.append("\n")
            return False
        if not tag[:1].isalpha() or self._is_left_out(node, tag):
            return False
        if tag in _BLOCKS:
            yield from self._flush()
            if tag == "table" and _is_data(node):
                yield from self._table(node)
                return False
            self._begin(node, tag)
        return True

    def _is_left_out(self, node: LexborNode, tag: str) -> bool:
        if tag in _SKIPPED or (tag == "footer" and not self._articles):
            return True
        attributes = node.attributes
        return bool(attributes) and (
            "hidden" in attributes
            or attributes.get("role") in _SKIPPED_ROLES
            or _HIDDEN.search(attributes.get("style") or "") is not None
        )

    def _begin(self, node: LexborNode, tag: str) -> None:
        if tag == "pre":
            self._preformatted += 1
        elif tag in _WITH_FOOTERS:
            self._articles += 1
        elif tag in ("ul", "ol"):
            start = node.attributes.get("start") or "1"
            self._lists.append(
                (int(start) if start.isascii() and start[:9].isdigit() else 1) - 1 if tag == "ol" else None
            )
        elif tag == "li":
            self._marker = self._item_marker()

    def _item_marker(self) -> str:
        indent = "  " * min(len(self._lists) - 1, 8)
        if not self._lists or self._lists[-1] is None:
            return f"{indent}- "
        self._lists[-1] += 1
        return f"{indent}{self._lists[-1]}. "

    def _leave(self, tag: str) -> Iterator[TextBlock]:
        if tag not in _BLOCKS:
            return
        if tag in _HEADINGS:
            yield from self._outline.heading(_HEADINGS[tag], self._taken())
            return
        yield from self._flush()
        if tag == "pre":
            self._preformatted -= 1
        elif tag in _WITH_FOOTERS:
            self._articles -= 1
        elif tag in ("ul", "ol") and self._lists:
            self._lists.pop()
        elif tag == "li":
            self._marker = ""

    def _taken(self) -> str:
        text = "".join(self._pieces)
        self._pieces.clear()
        return text if self._preformatted else "\n".join(line.strip() for line in text.split("\n"))

    def _flush(self) -> Iterator[TextBlock]:
        text = self._taken()
        if text.strip():
            marker, self._marker = self._marker, ""
            yield from self._outline.block(marker + text if self._preformatted else marker + text.strip())

    def _table(self, table: LexborNode) -> Iterator[TextBlock]:
        """Yield the rows of a table of data; the row of its header stands on each."""
        header = ""
        count = 0
        for row in table.css("tr"):
            cells = row.css("td, th")
            text = row_text([_text_of(cell) for cell in cells])
            if count == 0 and text and all(cell.tag == "th" for cell in cells):
                header = text
            elif text:
                yield from self._outline.block(text, header)
            count += bool(text)
        if header and count == 1:
            yield from self._outline.block(header)


def _text_of(cell: LexborNode) -> str:
    """Return the text of a cell; its headings are part of it."""
    outline = TextOutline()
    blocks = [*_TreeWalk(outline).blocks(cell), *outline.end()]
    lines = []
    seen: tuple[str, ...] = ()
    for block in blocks:
        lines += [heading for heading in block.heading if heading not in seen and heading != block.text]
        lines.append(block.text)
        seen = block.heading
    return " ".join(lines)


def _is_data(table: LexborNode) -> bool:
    """Tell a table of data from one that only places its parts."""
    if table.attributes.get("role") in ("presentation", "none") or table.css_first("pre") is not None:
        return False
    if any(inner.mem_id != table.mem_id for inner in table.css("table")):
        return False
    return any(len(row.css("td, th")) > 1 for row in table.css("tr"))


def _closed(element: re.Match[str]) -> str:
    """Write an empty element of XHTML as HTML knows it."""
    name, rest = element[1], element[2]
    return element[0] if name.lower() in _VOID else f"<{name}{rest}></{name}>"


def _check_depth(text: str) -> None:
    depth = 0
    for closes, name in _TAGS.findall(text):
        if name.lower() not in _ENDS_ITSELF:
            depth = max(0, depth - 1) if closes else depth + 1
            if depth > MAX_OPEN:
                raise too_deep()
