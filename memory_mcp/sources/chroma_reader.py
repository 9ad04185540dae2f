"""Reads Chroma's SQLite file inside the documents' sandbox: nothing outside it ever parses that file.

What it is given is one file: a line of JSON (`FolderRequest`), the database, and its write-ahead log. The box opens no
files, so SQLite reads the database out of memory, after the log's committed pages were put in place as SQLite does it
(https://www.sqlite.org/fileformat2.html#walformat).
"""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import apsw

from memory_mcp.documents.readers.model import (
    DocumentItem,
    DocumentSource,
    Header,
    Refusal,
    RefusedError,
    TextBlock,
)
from memory_mcp.sources.items import time_of

MAGIC: Final = b"SQLite format 3\0"
_WAL_MAGIC: Final = {0x377F0682: "<", 0x377F0683: ">"}
"""The byte order of the checksums."""
_HEADER, _FRAME = 32, 24
_ROWS: Final = """
    SELECT c.name, e.id, e.embedding_id, e.created_at, d.string_value
    FROM collections AS c
    JOIN segments AS s ON s.collection = c.id AND s.scope = 'METADATA'
    JOIN embeddings AS e ON e.segment_id = s.id
    JOIN embedding_metadata AS d ON d.id = e.id AND d.key = 'chroma:document'
    ORDER BY e.id
"""
_METADATA: Final = "SELECT key, coalesce(string_value, int_value, float_value) FROM embedding_metadata WHERE id = ?"
_NO_CHROMA: Final = "its tables are not those of Chroma 0.6–1.5; export the collection, or ask its server"


@dataclass(frozen=True, slots=True)
class FolderRequest:
    """What is wanted of a folder; each key of metadata is looked for in this order."""

    database_bytes: int
    collections: Sequence[str]
    title: Sequence[str]
    uri: Sequence[str]
    time: Sequence[str]


def read(source: DocumentSource) -> Iterator[DocumentItem]:
    """Yield the documents of the wanted collections. Raises RefusedError."""
    wanted = FolderRequest(**json.loads(source.file.readline()))
    database = bytearray(source.file.read(wanted.database_bytes))
    log = source.file.read()
    if database[: len(MAGIC)] != MAGIC:
        raise RefusedError(Refusal.DAMAGED, "chroma.sqlite3 is not a SQLite file; name Chroma's own folder")
    apply_log(database, log)
    database[18:20] = b"\1\1"  # no write-ahead log any more
    connection = apsw.Connection(":memory:")
    try:
        connection.deserialize("main", bytes(database))
        del database
        _harden(connection)
        yield Header(media_type="application/x-chroma")
        yield from _documents(connection, wanted)
    except apsw.SQLError as error:
        raise RefusedError(Refusal.NO_READER, _NO_CHROMA) from error
    except apsw.Error as error:
        raise RefusedError(Refusal.DAMAGED, "chroma.sqlite3 is damaged; restore it from a backup") from error
    finally:
        connection.close(force=True)


def apply_log(database: bytearray, log: bytes) -> None:
    """Put the pages of a write-ahead log's committed transactions into the database."""
    if len(log) < _HEADER:
        return
    magic, _, size, _, *salts, first, second = struct.unpack_from(">IIIIIIII", log)
    order = _WAL_MAGIC.get(magic)
    if order is None or not 512 <= size <= 65_536 or size & (size - 1):
        return
    checksum = _checksum(log[: _HEADER - 8], order, (0, 0))
    if checksum != (first, second):
        return
    pages: dict[int, int] = {}
    for at in range(_HEADER, len(log) - size - _FRAME + 1, size + _FRAME):
        number, pages_after, *its_salts, first, second = struct.unpack_from(">IIIIII", log, at)
        checksum = _checksum(log[at : at + 8], order, checksum)
        checksum = _checksum(log[at + _FRAME : at + _FRAME + size], order, checksum)
        if its_salts != salts or checksum != (first, second):
            return
        pages[number] = at + _FRAME
        if pages_after:
            _commit(database, log, pages, size, pages_after)
            pages.clear()


def _commit(database: bytearray, log: bytes, pages: Mapping[int, int], size: int, pages_after: int) -> None:
    total = pages_after * size
    if total > len(database) + len(log):
        raise RefusedError(Refusal.DAMAGED, "chroma.sqlite3-wal is damaged; stop Chroma and start it again")
    if total > len(database):
        database.extend(bytes(total - len(database)))
    for number, at in pages.items():
        if 0 < number <= pages_after:
            database[(number - 1) * size : number * size] = log[at : at + size]
    del database[total:]


def _checksum(content: bytes, order: str, before: tuple[int, int]) -> tuple[int, int]:
    first, second = before
    words = memoryview(content).cast("I") if (order == "<") == (sys.byteorder == "little") else None
    numbers = words if words is not None else struct.unpack(f"{order}{len(content) // 4}I", content)
    for at in range(0, len(numbers), 2):
        first = (first + numbers[at] + second) & 0xFFFFFFFF
        second = (second + numbers[at + 1] + first) & 0xFFFFFFFF
    return first, second


def _harden(connection: apsw.Connection) -> None:
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
    for name, value in (("temp_store", "MEMORY"), ("cell_size_check", 1), ("query_only", 1)):
        connection.pragma(name, value)


def _documents(connection: apsw.Connection, wanted: FolderRequest) -> Iterator[DocumentItem]:
    missing = set(wanted.collections) - {name for (name,) in connection.execute("SELECT name FROM collections")}
    if missing:
        raise RefusedError(Refusal.MISSING, f"it has no collection {min(missing)!r}; correct `collections`")
    for collection, row, name, created_at, text in connection.execute(_ROWS):
        if isinstance(text, str) and text.strip() and (not wanted.collections or collection in wanted.collections):
            held = dict(connection.execute(_METADATA, (row,)))
            title, uri = _first(held, wanted.title), _first(held, wanted.uri)
            when = next((held[key] for key in wanted.time if held.get(key)), created_at)
            yield TextBlock(text, (title or str(name), uri or f"chroma:{collection}/{name}"), created_at=time_of(when))


def _first(held: Mapping[str, object], keys: Sequence[str]) -> str:
    return next((str(held[key]) for key in keys if held.get(key) is not None), "")
