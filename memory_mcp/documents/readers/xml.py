"""Reads XML in pieces with expat: no entities, bounded depth, trees only where they are asked for and bounded."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from html.entities import html5
from typing import Final, NamedTuple, Protocol, TypeAlias
from xml.parsers import expat

from memory_mcp.documents.readers.model import Refusal, RefusedError

MAX_DEPTH: Final = 256
MAX_TREE: Final = 400_000
"""Elements of one tree: about 300 bytes each."""
_CHUNK: Final = 64 * 1024


class ByteStream(Protocol):
    """What XML is read from: `zipped.Member`, a file."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, empty at the end."""
        ...


class StartTag(NamedTuple):
    """Begins an element that is not asked for as a tree."""

    name: str
    attributes: dict[str, str]


class EndTag(NamedTuple):
    """Ends such an element."""

    name: str


class Element:
    """An element with all that is in it.

    Attributes:
        name: "prefix:local" by the caller's prefixes; see `events`.
        attributes: by their names, likewise.
        children: elements and texts in order; a text may be in several pieces.
    """

    __slots__ = ("attributes", "children", "name")

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name = name
        self.attributes = attributes
        self.children: list[Element | str] = []

    def get(self, attribute: str, default: str = "") -> str:
        """Return an attribute."""
        return self.attributes.get(attribute, default)

    def elements(self, *names: str) -> Iterator[Element]:
        """Yield the children that are elements; of these names, where some are given."""
        for child in self.children:
            if isinstance(child, Element) and (not names or child.name in names):
                yield child

    def find(self, *path: str) -> Element | None:
        """Return the first child of that name, its first child of the next name, and so on."""
        found: Element | None = self
        for name in path:
            found = next(found.elements(name), None) if found is not None else None
        return found

    def walk(self, *names: str) -> Iterator[Element]:
        """Yield the elements within, at any depth, in document order; of these names, where some are given."""
        waiting: list[Element | str] = self.children[::-1]
        while waiting:
            item = waiting.pop()
            if isinstance(item, Element):
                if not names or item.name in names:
                    yield item
                waiting += item.children[::-1]

    def text(self) -> str:
        """Return the text within, at any depth."""
        parts = []
        waiting: list[Element | str] = self.children[::-1]
        while waiting:
            item = waiting.pop()
            if isinstance(item, str):
                parts.append(item)
            else:
                waiting += item.children[::-1]
        return "".join(parts)


XmlEvent: TypeAlias = StartTag | EndTag | Element | str
"""A str is text outside the trees; a text may come in several pieces."""


def events(stream: ByteStream, prefixes: Mapping[str, str], whole: Collection[str] = ()) -> Iterator[XmlEvent]:
    """Yield what an XML file holds while it is read.

    Args:
        stream: the bytes; the encoding is what the file says.
        prefixes: from a namespace's URI to the prefix in names ("w:p"); several may share one, and "" gives plain
            names. Names without a namespace are plain; those of other namespaces begin with their URI and a blank.
        whole: names of elements to yield as trees; the outermost counts.

    Raises:
        RefusedError: not well-formed (DAMAGED), declares an entity (ENTITIES), or beyond a bound (TOO_DEEP, TOO_LARGE).
    """
    parser = _Parser(prefixes, frozenset(whole))
    while chunk := stream.read(_CHUNK):
        yield from parser.feed(chunk)
    yield from parser.feed(b"", is_last=True)


def tree(stream: ByteStream, prefixes: Mapping[str, str]) -> Element:
    """Return the root of a small XML file as a tree. Arguments and errors are those of `events`."""
    root = Element("", {})
    open_elements = [root]
    count = 0
    for event in events(stream, prefixes):
        match event:
            case StartTag(name, attributes):
                count += 1
                if count > MAX_TREE:
                    raise _too_large()
                element = Element(name, attributes)
                open_elements[-1].children.append(element)
                open_elements.append(element)
            case EndTag():
                open_elements.pop()
            case _:
                open_elements[-1].children.append(event)
    return next(root.elements())


class _Parser:
    """Collects events in expat's callbacks, which `feed` hands out."""

    def __init__(self, prefixes: Mapping[str, str], whole: frozenset[str]) -> None:
        self._prefixes = prefixes
        self._whole = whole
        self._names: dict[str, str] = {}
        self._events: list[XmlEvent] = []
        self._depth = 0
        self._tree: list[Element] = []
        """The open elements of the tree that is being built, from its root."""
        self._tree_size = 0
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.SkippedEntityHandler = self._skipped
        parser.EntityDeclHandler = _refuse_entity
        self._expat = parser

    def feed(self, chunk: bytes, *, is_last: bool = False) -> list[XmlEvent]:
        try:
            self._expat.Parse(chunk, is_last)
        except (expat.ExpatError, LookupError, ValueError) as error:  # the latter two for encodings
            raise RefusedError(
                Refusal.DAMAGED, "The file is damaged: a part of it is not XML. Open it in its own program and save it."
            ) from error
        events, self._events = self._events, []
        return events

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise RefusedError(
                Refusal.TOO_DEEP,
                f"The file nests its elements more than {MAX_DEPTH} deep. Save its text in another format.",
            )
        name = self._names.get(name) or self._named(name)
        if attributes:
            attributes = {self._names.get(key) or self._named(key): value for key, value in attributes.items()}
        if self._tree or name in self._whole:
            self._grow(Element(name, attributes))
        else:
            self._events.append(StartTag(name, attributes))

    def _grow(self, element: Element) -> None:
        if self._tree:
            self._tree[-1].children.append(element)
        else:
            self._tree_size = 0
        self._tree_size += 1
        if self._tree_size > MAX_TREE:
            raise _too_large()
        self._tree.append(element)

    def _end(self, name: str) -> None:
        self._depth -= 1
        if not self._tree:
            self._events.append(EndTag(self._names[name]))
            return
        element = self._tree.pop()
        if not self._tree:
            self._events.append(element)

    def _text(self, text: str) -> None:
        if self._tree:
            self._tree[-1].children.append(text)
        else:
            self._events.append(text)

    def _skipped(self, name: str, is_parameter: bool) -> None:  # noqa: FBT001 - expat's
        """Read &nbsp; and the like, which XHTML takes from a DTD that is not read."""
        if not is_parameter:
            self._text(html5.get(f"{name};", ""))

    def _named(self, name: str) -> str:
        uri, _, local = name.rpartition(" ")
        prefix = self._prefixes.get(uri)
        known = name if prefix is None else f"{prefix}:{local}".lstrip(":")
        self._names[name] = known
        return known


def _refuse_entity(*_declared: object) -> None:
    raise RefusedError(
        Refusal.ENTITIES, "The file declares XML entities, which can blow up or read other files. Save it without them."
    )


def _too_large() -> RefusedError:
    return RefusedError(
        Refusal.TOO_LARGE, f"A part of the file holds more than {MAX_TREE:,} elements. Split it into several files."
    )
