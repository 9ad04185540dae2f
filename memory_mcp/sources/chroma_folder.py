"""A folder of Chroma's, searched by words: its SQLite file is read in the sandbox, its vectors are not used.

What was read stands in a temporary index of ours, on disk and gone with the process, until the folder changes.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Hashable, Iterator
from contextlib import aclosing
from dataclasses import asdict
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO, Final

import apsw

from memory_mcp.documents.opening import OpenedFile
from memory_mcp.documents.readers.model import RefusedError, TextBlock
from memory_mcp.documents.sandbox.client import Sandbox
from memory_mcp.documents.sandbox.process import SandboxError
from memory_mcp.domain.errors import SettingsError
from memory_mcp.domain.paths import absolute
from memory_mcp.domain.sources import SourceAnswer, SourceItem, SourceQuery
from memory_mcp.health.checkup import in_thread
from memory_mcp.sources.adapter import FaultError, Toolbox
from memory_mcp.sources.chroma_reader import FolderRequest
from memory_mcp.sources.chroma_section import ChromaSection
from memory_mcp.sources.matching import telling_words, words_of
from memory_mcp.sources.sql_sqlite import version_of

READER: Final = "memory_mcp.sources.chroma_reader:read"
MAX_BYTES: Final = 512 << 20
"""Of the file and its log: it is read in memory."""
RESTING: Final = 10
"""A folder that keeps changing is read again after this many times what reading took; until then the old one counts."""
_BATCH: Final = 500
_TABLE: Final = """
    CREATE VIRTUAL TABLE found USING fts5(
        words, text UNINDEXED, title UNINDEXED, uri UNINDEXED, at UNINDEXED, tokenize = 'porter unicode61'
    )
"""
_BY_WORDS: Final = "SELECT text, title, uri, at, -rank FROM found WHERE words MATCH ? ORDER BY rank LIMIT ?"
_NEWEST: Final = "SELECT text, title, uri, at, NULL FROM found ORDER BY at DESC LIMIT ?"

_Row = tuple[str, str, str, str, str]


class ChromaFolder:
    """See `adapter.SourceAdapter`."""

    is_repeatable = True
    note = "a folder is searched by words, not by meaning; run `chroma run` and give its url for that"

    def __init__(self, name: str, section: ChromaSection, tools: Toolbox) -> None:
        try:
            self._file = absolute(section.path, {}) / "chroma.sqlite3"
        except ValueError as error:
            raise SettingsError(f"[sources.{name}] path: {error}") from error
        self._section = section
        self._make_sandbox = tools.make_sandbox
        self._sandbox: Sandbox | None = None
        self._index: apsw.Connection | None = None
        self._of: Hashable = None
        """The version of the folder that the index holds."""
        self._rested_at = 0.0
        self._building: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()

    @property
    def target(self) -> str:
        """See the port."""
        return str(self._file.parent)

    def version(self) -> Hashable:
        """Return size and time of the file and its log; while it rests, those of what the index holds."""
        is_resting = self._index is not None and time.monotonic() < self._rested_at
        return self._of if is_resting else version_of(self._file)

    async def ask(self, query: SourceQuery) -> SourceAnswer:
        """See the port. Reading a large folder goes on where the caller gives up, for the next question."""
        if self._is_stale():
            if self._building is None:
                self._building = asyncio.create_task(self._build())
                self._building.add_done_callback(self._built)
            await asyncio.shield(self._building)
        async with self._turn:
            return await in_thread(lambda: self._found(query))

    async def close(self) -> None:
        """See the port."""
        if self._building is not None:
            self._building.cancel()
            await asyncio.wait({self._building})
        if self._sandbox is not None:
            await self._sandbox.__aexit__(None, None, None)
            self._sandbox = None
        async with self._turn:
            self._replace(None)

    def _is_stale(self) -> bool:
        return self._index is None or self._of != self.version()

    def _built(self, task: asyncio.Task[None]) -> None:
        self._building = None
        if not task.cancelled():
            task.exception()  # seen: nobody may be waiting any more

    async def _build(self) -> None:
        begun, version = time.monotonic(), version_of(self._file)
        index = apsw.Connection("")
        try:
            index.execute(_TABLE)
            await self._fill(index)
            if not any(index.execute("SELECT 1 FROM found LIMIT 1")):
                raise FaultError(f"{self.target} has no documents", "correct path and collections in its section")
        except SandboxError as error:
            raise FaultError(f"{self.target} cannot be read safely", str(error)) from error
        except RefusedError as error:
            cause, _, fix = error.sentence.partition("; ")
            raise FaultError(f"{self.target}: {cause}", fix or "correct its section") from error
        else:
            async with self._turn:
                self._replace(index)
            self._of = version
            self._rested_at = time.monotonic() + RESTING * (time.monotonic() - begun)

    def _replace(self, index: apsw.Connection | None) -> None:
        if self._index is not None:
            self._index.close(force=True)
        self._index = index

    async def _fill(self, index: apsw.Connection) -> None:
        self._sandbox = self._sandbox or self._make_sandbox(READER)
        batch: list[_Row] = []
        with await in_thread(self._snapshot) as file:
            async with aclosing(self._sandbox.read(file, self._file.name)) as read:
                async for item in read:
                    if isinstance(item, TextBlock):
                        batch.append(_row(item))
                    if len(batch) >= _BATCH:
                        await in_thread(partial(_insert, index, tuple(batch)))
                        batch.clear()
        await in_thread(partial(_insert, index, tuple(batch)))

    def _snapshot(self) -> OpenedFile:
        """Return a copy of the database and its log as one moment has them."""
        for _ in range(3):
            before = version_of(self._file)
            with tempfile.TemporaryFile() as copy:
                self._copy_to(copy)
                if version_of(self._file) == before:
                    found = os.fstat(copy.fileno())
                    return OpenedFile(os.dup(copy.fileno()), None, found.st_size, found.st_mtime_ns)
        raise FaultError(f"{self.target} is being written", "try again", is_passing=True)

    def _copy_to(self, copy: IO[bytes]) -> None:
        sizes = [_size(path) for path in (self._file, self._log)]
        if not sizes[0]:
            raise FaultError(f"there is no {self._file}", "give the folder that holds Chroma's chroma.sqlite3")
        if sum(sizes) > MAX_BYTES:
            raise FaultError(
                f"{self._file} is larger than {MAX_BYTES >> 20} MiB", "run `chroma run` on it and give its url"
            )
        section = self._section
        wanted = FolderRequest(sizes[0], section.collections, section.title, section.uri, section.time)
        copy.write(json.dumps(asdict(wanted)).encode() + b"\n")
        try:
            for path, size in zip((self._file, self._log), sizes, strict=True):
                if size:
                    with path.open("rb") as original:
                        _copy(original, copy, size)
        except OSError as error:
            raise FaultError(f"{self.target} cannot be read ({error.strerror})", "check its permissions") from error
        copy.flush()

    @property
    def _log(self) -> Path:
        return Path(f"{self._file}-wal")

    def _found(self, query: SourceQuery) -> SourceAnswer:
        assert self._index is not None  # noqa: S101 - for mypy: it was built, and is closed last
        words = telling_words(query.text)
        if words:
            match = " OR ".join('"' + word.replace('"', '""') + '"' for word in words)
            rows = self._index.execute(_BY_WORDS, (match, query.limit))
        else:
            rows = self._index.execute(_NEWEST, (query.limit,))
        return SourceAnswer(tuple(_items(rows)))


def _copy(original: IO[bytes], copy: IO[bytes], size: int) -> None:
    while size and (part := original.read(min(size, 1 << 20))):
        copy.write(part)
        size -= len(part)
    copy.write(bytes(size))  # it was cut meanwhile, which its version shows


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _row(block: TextBlock) -> _Row:
    title, uri = (*block.heading, "", "")[:2]
    at = block.created_at.isoformat() if block.created_at else ""
    return " ".join(words_of(f"{title} {block.text}")), block.text, title, uri, at


def _insert(index: apsw.Connection, rows: tuple[_Row, ...]) -> None:
    with index:
        index.executemany("INSERT INTO found VALUES (?, ?, ?, ?, ?)", rows)


def _items(rows: apsw.Cursor) -> Iterator[SourceItem]:
    for text, title, uri, at, score in rows:
        yield SourceItem(text, title, uri, datetime.fromisoformat(at) if at else None, score)
