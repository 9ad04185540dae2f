"""Reads JSON and JSON Lines of any shape with ijson, which streams: a block for each record, a line for each value."""

from __future__ import annotations

import codecs
import io
import json
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final, TextIO, TypeAlias

import ijson  # type: ignore[import-untyped]  # it has no types; `items` and `_events` give them

from memory_mcp.documents.readers import charsets, text
from memory_mcp.documents.readers.model import DocumentItem, DocumentSource, Header, TextBlock
from memory_mcp.documents.readers.plain import MAX_HEADING, cut, empty, one_line, plain, too_deep

MAX_DEPTH: Final = 200
MAX_LINE: Final = 16 * 2**20
"""Characters of one line of JSON Lines."""
MAX_BLOCK: Final = 4_000
"""Characters from which on a record is continued in another block."""

BROKEN: Final[tuple[type[Exception], ...]] = (ijson.JSONError, UnicodeError)
"""What reading raises where the file is not JSON."""

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
JsonEvent: TypeAlias = tuple[str, object]
"""What ijson yields: start_map, map_key, string and so on, with its value."""


def read(source: DocumentSource) -> Iterator[DocumentItem]:
    encoding = charsets.encoding_of(source.file)
    if not is_json(source.file, encoding):
        yield from _as_lines(source)
        return
    yield from _document(_EventWalk().blocks(_events(source.file, encoding)), "application/json")


def read_lines(source: DocumentSource) -> Iterator[DocumentItem]:
    """Read JSON Lines; a line that is not JSON is kept as it is."""
    with charsets.opened(source.file) as lines:
        yield from _document(_line_blocks(lines), "application/jsonl")


def values(lines: TextIO) -> Iterator[tuple[str, Json]]:
    """Yield each line that is not blank, with its value; its value is the line itself where it is not JSON."""
    while line := lines.readline(MAX_LINE):
        line = line.strip()
        if not line:
            continue
        try:
            yield line, json.loads(line)
        except RecursionError as error:
            raise too_deep() from error
        except ValueError:
            yield line, line


def is_json(file: BinaryIO, encoding: str) -> bool:
    """Tell whether the whole file is one JSON value. Raises RefusedError where it is nested too deep."""
    depth = 0
    try:
        for kind, _ in _events(file, encoding):
            depth += kind.startswith("start_") - kind.startswith("end_")
            if depth > MAX_DEPTH:
                raise too_deep()
    except BROKEN:
        return False
    return True


def items(file: BinaryIO, encoding: str, prefix: str) -> Iterator[Json]:
    """Yield the values at a place in a file: "" is the whole, "item" each element of an array. Raises one of BROKEN."""
    yield from ijson.items(_utf8(file, encoding), prefix)


def _utf8(file: BinaryIO, encoding: str) -> BinaryIO | _Utf8:
    """Return a file as ijson wants it: UTF-8 without a mark, from its start."""
    file.seek(0)
    return file if encoding == "utf-8" else _Utf8(file, encoding)


def as_dict(value: Json) -> dict[str, Json]:
    """Return a value that should be an object; an empty one where it is not."""
    return value if isinstance(value, dict) else {}


def as_list(value: Json) -> list[Json]:
    """Return a value that should be an array; an empty one where it is not."""
    return value if isinstance(value, list) else []


def as_str(value: Json) -> str:
    """Return a value that should be a string; an empty one where it is not."""
    return value if isinstance(value, str) else ""


class _Utf8:
    """A file of another encoding, in UTF-8."""

    def __init__(self, file: BinaryIO, encoding: str) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder(encoding)()

    def read(self, size: int = -1) -> bytes:
        """Return about `size` bytes, empty at the end alone."""
        data = b""
        while size and not data and (chunk := self._file.read(size)):
            data = self._decoder.decode(chunk).encode()
        return data


def _as_lines(source: DocumentSource) -> Iterator[DocumentItem]:
    """Read what is named JSON but is several values, or has comments, or is cut off."""
    with charsets.opened(source.file) as lines:
        line = lines.readline(MAX_LINE)
        is_lines = line.lstrip()[:1] in ("{", "[") and any(
            not isinstance(value, str) for _, value in values(io.StringIO(line))
        )
    yield from (read_lines if is_lines else text.read)(source)


def _events(file: BinaryIO, encoding: str) -> Iterator[JsonEvent]:
    return iter(ijson.basic_parse(_utf8(file, encoding)))


def _document(blocks: Iterator[TextBlock], media_type: str) -> Iterator[DocumentItem]:
    first = next(blocks, None)
    if first is None:
        raise empty()
    yield Header(media_type=media_type)
    yield first
    yield from blocks


def _line_blocks(lines: TextIO) -> Iterator[TextBlock]:
    for line, value in values(lines):
        if isinstance(value, dict | list):
            yield from _EventWalk(is_record=True).blocks(_events_of(value))
        else:
            written = plain(line if isinstance(value, str) else _written(value))
            if written.strip():
                yield TextBlock(written)


def _events_of(value: Json) -> Iterator[JsonEvent]:
    """Yield the events of a value that is in memory, as ijson would."""
    waiting: list[JsonEvent | Json] = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, tuple):
            yield item
        elif isinstance(item, dict):
            yield "start_map", None
            waiting.append(("end_map", None))
            for key, child in reversed(item.items()):
                waiting += [child, ("map_key", key)]
        elif isinstance(item, list):
            yield "start_array", None
            waiting.append(("end_array", None))
            waiting += reversed(item)
        else:
            yield "value", item


class _EventWalk:
    """Makes blocks of events: one for each object in the outermost array, or for each key of an outermost object.

    A block has a line for each value, "path: value"; the path is the keys from the block's own part down to the value.
    """

    def __init__(self, *, is_record: bool = False) -> None:
        self._lines: list[str] = []
        self._size = 0
        self._last_path = ""
        self._names: list[str] = []
        """The key under which each open object or array stands; empty for one in an array."""
        self._key = ""
        self._heading: tuple[str, ...] = ()
        self._record_at = 0 if is_record else None
        """How many are open around the object that makes a block; None outside of one."""

    def blocks(self, events: Iterable[JsonEvent]) -> Iterator[TextBlock]:
        for kind, value in events:
            if kind == "map_key":
                self._key = one_line(str(value))
            elif kind.startswith("start_"):
                yield from self._start(kind)
            elif kind.startswith("end_"):
                yield from self._end()
            else:
                self._add(value)
                if self._size > MAX_BLOCK:
                    yield from self._flush()
        yield from self._flush()

    def _start(self, kind: str) -> Iterator[TextBlock]:
        if self._record_at is None and self._names:
            if self._key and len(self._names) == 1:
                yield from self._flush()
                self._heading = (cut(self._key, MAX_HEADING),)
            elif not self._key and kind == "start_map":
                yield from self._flush()
                self._record_at = len(self._names)
        self._names.append(self._key)
        self._key = ""

    def _end(self) -> Iterator[TextBlock]:
        self._names.pop()
        self._key = ""
        if len(self._names) == self._record_at:
            yield from self._flush()
            self._record_at = None
        if len(self._names) == 1 and self._heading:
            yield from self._flush()
            self._heading = ()

    def _add(self, value: object) -> None:
        written = plain(_written(value))
        if not written.strip():
            return
        own = 1 + self._record_at if self._record_at is not None else 1 + bool(self._heading)
        path = ".".join(filter(None, [*self._names[own:], self._key]))
        if path and path == self._last_path and len(written) < 200:
            self._lines[-1] += f", {written}"
        else:
            self._lines.append(f"{path}: {written}" if path else written)
        self._last_path = path
        self._size += len(path) + len(written)

    def _flush(self) -> Iterator[TextBlock]:
        if self._lines:
            yield TextBlock("\n".join(self._lines), self._heading)
        self._lines, self._size, self._last_path = [], 0, ""


def _written(value: object) -> str:
    """Write a value as a line has it; nothing for null."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
