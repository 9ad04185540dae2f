"""What DOCX and PPTX share: the package with its relations, the title, tables, drawings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from posixpath import dirname, join, normpath
from typing import Final, NamedTuple

from memory_mcp.documents.readers import ole2, zipped
from memory_mcp.documents.readers.equations import equation
from memory_mcp.documents.readers.model import DocumentSource, Refusal, RefusedError
from memory_mcp.documents.readers.xml import Element, tree

_BASE: Final = "http://schemas.openxmlformats.org/"
_STRICT: Final = "http://purl.oclc.org/ooxml/"
PREFIXES: Final = {
    f"{_BASE}wordprocessingml/2006/main": "w",
    f"{_STRICT}wordprocessingml/main": "w",
    f"{_BASE}presentationml/2006/main": "p",
    f"{_STRICT}presentationml/main": "p",
    f"{_BASE}drawingml/2006/main": "a",
    f"{_STRICT}drawingml/main": "a",
    f"{_BASE}drawingml/2006/diagram": "dgm",
    f"{_STRICT}drawingml/diagram": "dgm",
    f"{_BASE}officeDocument/2006/math": "m",
    f"{_STRICT}officeDocument/math": "m",
    f"{_BASE}officeDocument/2006/relationships": "r",
    f"{_STRICT}officeDocument/relationships": "r",
    f"{_BASE}markup-compatibility/2006": "mc",
    f"{_BASE}package/2006/relationships": "",
    "http://purl.org/dc/elements/1.1/": "dc",
}
"""The strict variant of the format has other namespaces for the same."""


class Relation(NamedTuple):
    """What a part of the package refers to, within the package."""

    kind: str
    """The last word of its type: "slide", "footnotes"."""
    target: str


class Package:
    """An open OOXML file."""

    def __init__(self, archive: zipped.Archive) -> None:
        self.archive = archive
        documents = [relation.target for relation in self.relations("").values() if relation.kind == "officeDocument"]
        if not documents or documents[0] not in archive:
            raise RefusedError(
                Refusal.DAMAGED,
                "The file is damaged: its main part is missing. Get it once more from where it is from.",
            )
        self.document = documents[0]

    def tree(self, part: str) -> Element:
        """Return a part as a tree; see `xml.tree`."""
        with self.archive.open(part) as member:
            return tree(member, PREFIXES)

    def relations(self, part: str) -> dict[str, Relation]:
        """Return what a part refers to by id; "" is the package. What lies outside the file is never asked for."""
        folder = dirname(part)
        name = f"{folder}/_rels/{part.rpartition('/')[2]}.rels".lstrip("/")
        if name not in self.archive:
            return {}
        return {
            item.get("Id"): Relation(
                item.get("Type").rpartition("/")[2], normpath(join("/", folder, item.get("Target"))).lstrip("/")
            )
            for item in self.tree(name).elements("Relationship")
            if item.get("TargetMode") != "External"
        }

    def part_of(self, kind: str) -> str | None:
        """Return the part of the document that is of a kind, None where the file has none."""
        targets = (relation.target for relation in self.relations(self.document).values() if relation.kind == kind)
        return next((target for target in targets if target in self.archive), None)

    def title(self) -> str | None:
        """Return the title that the author gave."""
        parts = [relation.target for relation in self.relations("").values() if relation.kind == "core-properties"]
        if not parts or parts[0] not in self.archive:
            return None
        title = self.tree(parts[0]).find("dc:title")
        return " ".join(title.text().split()) or None if title is not None else None


@contextmanager
def opened(source: DocumentSource) -> Iterator[Package]:
    """Open a file for the time of a `with` block. Raises RefusedError, for old and encrypted files too."""
    if ole2.is_ole2(source.file):
        raise ole2.refusal(source.file) or RefusedError(
            Refusal.NO_READER, "The file is of an Office before 2007. Open it in its program and save it anew."
        )
    with zipped.opened(source.file) as archive:
        yield Package(archive)


def shown(element: Element) -> Iterator[Element | str]:
    """Yield the children, of alternatives for newer and older programs the first."""
    for child in element.children:
        if isinstance(child, Element) and child.name == "mc:AlternateContent":
            choice = next(child.elements("mc:Choice", "mc:Fallback"), None)
            if choice is not None:
                yield from shown(choice)
        else:
            yield child


def drawing_text(paragraph: Element) -> str:
    """Return the text of a paragraph of DrawingML (`a:p`)."""
    parts = []
    for child in shown(paragraph):
        if isinstance(child, str):
            continue
        if child.name in {"a:r", "a:fld"}:
            parts += [text.text() for text in child.elements("a:t")]
        elif child.name == "a:br":
            parts.append("\n")
        else:
            parts += [equation(math) for math in child.walk("m:oMath")]
    return "".join(parts).strip()


def diagram_texts(package: Package, relations: dict[str, Relation], drawing: Element) -> Iterator[str]:
    """Yield the texts of the SmartArt in a drawing, which lie in parts of their own."""
    for reference in drawing.walk("dgm:relIds"):
        relation = relations.get(reference.get("r:dm"))
        if relation is not None and relation.target in package.archive:
            for paragraph in package.tree(relation.target).walk("a:p"):
                if text := drawing_text(paragraph):
                    yield text
