"""The text of a DOCX paragraph, and of the footnotes and comments that hang on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from memory_mcp.documents.readers.equations import equation
from memory_mcp.documents.readers.ooxml import PREFIXES, Package, shown
from memory_mcp.documents.readers.xml import Element, events

_LEFT_OUT: Final = {"w:pPr", "w:rPr", "w:del", "w:moveFrom", "w:instrText", "w:delText", "w:fldData", "w:sdtPr"}
_CHARACTERS: Final = {"w:tab": "\t", "w:ptab": "\t", "w:br": "\n", "w:cr": "\n", "w:noBreakHyphen": "-"}
_NOTES: Final = {"w:footnoteReference": "footnotes", "w:endnoteReference": "endnotes", "w:commentReference": "comments"}
_PRIVATE: Final = range(0xE000, 0xF900)
"""Characters that mean something in one font alone."""


@dataclass(slots=True)
class Paragraph:
    """A paragraph's text, and what hangs on it."""

    text: str = ""
    boxes: list[Element] = field(default_factory=list)
    """`w:txbxContent`: text boxes that are anchored in it."""
    drawings: list[Element] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    """Kind of part and id: ("footnotes", "2")."""


def paragraph(element: Element) -> Paragraph:
    """Return the text of `w:p`."""
    found = Paragraph()
    parts: list[str] = []
    _collect(element, parts, found)
    found.text = "".join(parts).strip()
    return found


def _collect(element: Element, parts: list[str], found: Paragraph) -> None:
    for child in shown(element):
        if isinstance(child, str) or child.name in _LEFT_OUT or _is_hidden(child):
            continue
        if child.name in _NOTES:
            found.notes.append((_NOTES[child.name], child.get("w:id")))
        elif child.name in {"w:drawing", "w:pict", "w:object"}:
            _collect_drawing(child, found)
        elif (text := _own_text(child)) is not None:
            parts.append(text)
        else:
            _collect(child, parts, found)


def _own_text(element: Element) -> str | None:
    """Return what an element stands for in the text, None for one that holds others."""
    match element.name:
        case "w:t":
            return element.text()
        case "w:sym":
            return _symbol(element.get("w:char"))
        case "m:oMath" | "m:oMathPara":
            return equation(element)
        case name:
            return _CHARACTERS.get(name)


def _collect_drawing(element: Element, found: Paragraph) -> None:
    found.drawings.append(element)
    waiting = [element]
    while waiting:
        item = waiting.pop()
        if item.name == "w:txbxContent":
            found.boxes.append(item)
        else:
            waiting += [child for child in shown(item) if isinstance(child, Element)][::-1]


def _is_hidden(run: Element) -> bool:
    vanish = run.find("w:rPr", "w:vanish")
    return vanish is not None and vanish.get("w:val", "1") not in {"0", "false", "off"}


def _symbol(code: str) -> str:
    try:
        number = int(code, 16)
        return "" if number in _PRIVATE else chr(number)
    except (ValueError, OverflowError):  # no number, or none of a character
        return ""


class Notes:
    """Footnotes, endnotes and comments, read when the first of its kind is asked for."""

    def __init__(self, package: Package) -> None:
        self._package = package
        self._texts: dict[str, dict[str, str]] = {}

    def of(self, found: Paragraph) -> list[str]:
        """Return the texts of a paragraph's notes."""
        texts = []
        for kind, key in found.notes:
            if kind not in self._texts:
                self._texts[kind] = self._read(kind)
            if text := self._texts[kind].get(key):
                texts.append(text)
        return texts

    def _read(self, kind: str) -> dict[str, str]:
        part = self._package.part_of(kind)
        if part is None:
            return {}
        texts = {}
        with self._package.archive.open(part) as member:
            for event in events(member, PREFIXES, {"w:footnote", "w:endnote", "w:comment"}):
                if isinstance(event, Element):
                    lines = [paragraph(item).text for item in event.walk("w:p")]
                    text = "\n".join(line for line in lines if line)
                    author = event.get("w:author") if event.name == "w:comment" else ""
                    texts[event.get("w:id")] = f"{_label(kind, author)}: {text}" if text else ""
        return texts


def _label(kind: str, author: str) -> str:
    if kind == "comments":
        return f"Comment by {author}" if author else "Comment"
    return "Footnote" if kind == "footnotes" else "Endnote"
