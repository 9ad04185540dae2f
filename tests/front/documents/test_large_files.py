"""Files of many sections: what is read of them lies on the disk until it is written."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from memory_mcp.documents import preparing, reading
from memory_mcp.documents.opening import OpenedFile
from memory_mcp.documents.readers.model import DocumentItem, Header, Refusal, RefusedError, TextBlock
from memory_mcp.domain.documents import DocumentState
from memory_mcp.domain.jobs import JobFileState
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.library import texts_of
from tests.fakes.reader import FakeReader
from tests.front.documents.ingesting_kit import Kit
from tests.front.storage.audit import audit

MESSAGES: Final = 400
CHARACTERS: Final = 6_000
TEXT: Final = "x" * CHARACTERS
ROOM: Final = 10_000_000
"""Bytes: a job takes 7 million, however many messages there are; if it held these 400 it would take 18 million."""


class Mailbox(FakeReader):
    """Has so many messages, whatever is in the file, and never holds two of them."""

    messages = MESSAGES

    async def read(
        self, file: OpenedFile, name: str, media_type: str | None = None
    ) -> AsyncGenerator[DocumentItem, None]:
        """Yield them; the last cannot be read."""
        for number in range(self.messages):
            yield Header(part=f"message-{number}", title=f"Message {number}")
            yield TextBlock(f"{number} {TEXT}", stands_alone=True)
        yield Header(part="last", refused=RefusedError(Refusal.ENCRYPTED, "it is encrypted; decrypt it"))


@pytest.fixture
async def kit(tmp_path: Path) -> AsyncIterator[Kit]:
    """Give a front with a mailbox in its folder."""
    folder = tmp_path / "docs"
    folder.mkdir()
    kit = Kit(SqliteStore(tmp_path / "memory.db"), folder, Mailbox())
    kit.embedder.before_call = kit.embedder.calls.clear
    kit.write("all.mbox", "whatever")
    yield kit
    await kit.store.close()
    audit(tmp_path / "memory.db")


async def test_memory_does_not_grow_with_a_file(kit: Kit) -> None:
    """A job needs far less than the text that it writes, and all of that is written."""
    kit.write("one.mbox", "first")
    await kit.ingest(kit.folder / "one.mbox")  # imports, and fills caches
    tracemalloc.start()
    try:
        job = await kit.ingest(kit.folder / "all.mbox")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (job.counts, job.sections) == ({JobFileState.DONE: 1}, MESSAGES)
    assert peak < ROOM
    assert len(await kit.ingesting.documents("here", limit=2 * MESSAGES + 2)) == 2 * MESSAGES + 2


async def test_what_was_written_is_kept_when_a_message_comes(kit: Kit) -> None:
    """The sections are compared one by one, wherever they lie."""
    kit.reader.messages = 40  # type: ignore[attr-defined]  # a Mailbox
    await kit.ingest()
    before = await kit.all()
    kit.reader.messages = 41  # type: ignore[attr-defined]  # likewise
    kit.write("all.mbox", "one more")
    job = await kit.ingest()
    after = await kit.all()
    assert (job.sections, len(after)) == (1, 42)
    assert {document.id for document in before} < {document.id for document in after}
    assert [await texts_of(kit.store, document) for document in after[:2]] == [
        [f"Message {number}\n\n{number} {TEXT}"] for number in range(2)
    ]
    assert [document.state for document in after if document.part == "last"] == [DocumentState.FAILED]


async def test_a_file_of_too_many_sections_is_refused(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """However they are spread over its documents; so is one of too many documents."""
    kit.reader.messages = 11  # type: ignore[attr-defined]  # a Mailbox
    monkeypatch.setattr(preparing, "MAX_SECTIONS", 10)
    await _refused(kit, "10 sections")
    monkeypatch.setattr(reading, "MAX_SECTIONS", 11)
    await _refused(kit, "11 documents")


async def _refused(kit: Kit, what: str) -> None:
    job = await kit.ingest(is_forced=True)
    [line] = await kit.ingesting.job_lines(job.id, JobFileState.FAILED, -1, 10)
    assert line.error == f"it has more than {what}; split it"
