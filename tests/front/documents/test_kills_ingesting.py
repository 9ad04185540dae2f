"""SIGKILL at any moment of a job: each document is the old one or the new one, and another front finishes the job."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import cast

import pytest

from memory_mcp.documents.jobs import LEASE_S
from memory_mcp.domain.documents import DocumentState
from memory_mcp.domain.jobs import JobState
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.library import sections_of
from tests.front.documents.ingesting_kit import Kit
from tests.front.storage.audit import audit

ROOT = Path(__file__).parents[3]
FILES = 12
KILLED = """
import asyncio, os, signal, sys
from itertools import count
from memory_mcp.documents import jobs, prepared, preparing
from pathlib import Path
from memory_mcp.documents.preparing import Preparer
from memory_mcp.storage.documents import files, sections
from memory_mcp.storage.documents.store import StoredDocuments
from tests.fakes.embedder import FakeEmbedder
from tests.front.documents.ingesting_kit import Kit
from tests.front.documents.test_kills_ingesting import store_at

moments = count(1)
if sys.argv[4] == "in parts":
    prepared.LARGE, jobs.LARGE, preparing.LARGE = 0, 2, 2

def deadly(owner, name):
    original = getattr(owner, name)
    def call(*arguments, **named):
        if next(moments) == int(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **named)
    setattr(owner, name, call)

for owner, names in {
    StoredDocuments: ("create_job", "put_files", "advance_job", "add_sections", "remove_sections", "remove_documents"),
    Preparer: ("prepare",),
    files: ("put", "_put_document", "_drop_orphans"),
    sections: ("_create", "_move", "replace_all", "append", "_delete"),
    FakeEmbedder: ("embed",),
}.items():
    for name in names:
        deadly(owner, name)

asyncio.run(Kit(store_at(sys.argv[1]), Path(sys.argv[2])).ingest())
print(next(moments))
"""
"""Ingests a folder, and kills itself at the call of that number, of all that a job makes; says how many there were."""


def store_at(place: str, ahead_s: float = 0) -> SqliteStore:
    """Return the store of a file or a database, whose time may be ahead."""
    clock = (lambda: time.time() + ahead_s) if ahead_s else time.time
    if not place.startswith("postgresql:"):
        return SqliteStore(Path(place), clock)
    from tests.services import postgres  # noqa: PLC0415 - most runs need none

    return cast("SqliteStore", postgres.store_at(place, clock))  # what the kit asks, both have


def text_of(number: int, version: int) -> str:
    """Return a file: half of them change in the second version, some are new in it, some are equal."""
    changed = version if number % 2 else 1
    same = "".join(f"# S{part}\nStays in {number % 5} as {part}\n" for part in range(3))
    return f"# New\nOnly in {changed} of {number}\n{same}" if number % 2 and version == 2 else same


def sections_in(number: int, version: int) -> list[str]:
    """Return the contents of a file's sections."""
    lines = text_of(number, version).splitlines()
    return [f"{heading[2:]}\n\n{text}" for heading, text in zip(lines[::2], lines[1::2], strict=True)]


def write_all(kit: Kit, version: int) -> None:
    """Write the files of a version; a third are new in the second."""
    for number in range(FILES if version == 2 else FILES * 2 // 3):
        kit.write(f"{number:02}.md", text_of(number, version))


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        *(("whole", number) for number in (1, 9, 40)),
        *(("in parts", number) for number in (30, 75)),
        *(pytest.param("whole", number, marks=pytest.mark.slow) for number in range(2, 110, 2)),
        *(pytest.param("in parts", number, marks=pytest.mark.slow) for number in range(2, 140, 3)),
    ],
)
async def test_a_killed_job_is_finished_without_half_a_document(tmp_path: Path, written: str, moment: int) -> None:
    """Nothing is there twice afterwards, and what did not change has its memory from before.

    A large file is written in parts, and says that it is partial until the last.
    """
    path = tmp_path / "memory.db"
    await kill_and_finish(str(path), tmp_path / "docs", written, moment)
    audit(path)


async def kill_and_finish(place: str, folder: Path, written: str, moment: int) -> None:
    """Kill a front that ingests, and let another one finish its job."""
    first = Kit(store_at(place), folder)
    write_all(first, 1)
    await first.ingest()
    before = {
        uri: [memory.id for memory in await sections_of(first.store, one)]
        for one in await first.all()
        for uri in one.uris
    }
    await first.store.close()
    write_all(first, 2)
    process = subprocess.run(
        [sys.executable, "-c", KILLED, place, str(folder), str(moment), written],
        cwd=ROOT,
        check=False,
        capture_output=True,
    )
    assert process.returncode == -signal.SIGKILL, process.stderr.decode()
    if Path(place).exists():
        audit(Path(place))
    later = Kit(store_at(place, 2 * LEASE_S), folder)
    await _check_each(later)
    while await later.runner.work():
        pass
    job = await later.ingest()
    assert job.state is JobState.DONE
    assert await later.store.documents.unfinished_job() is None
    await _check_all(later, before)
    await later.store.close()


async def _check_each(kit: Kit) -> None:
    """Each document is of one version or the other."""
    for document in await kit.all():
        numbers = {int(uri.removesuffix(".md")[-2:]) for uri in document.uris}
        found = [memory.content for memory in await sections_of(kit.store, document)]
        versions = [sections_in(number, version) for number in numbers for version in (1, 2)]
        assert document.state is DocumentState.PARTIAL or found in versions


async def _check_all(kit: Kit, before: dict[str, list[str]]) -> None:
    """Every file has its document, once, with its sections."""
    documents = {uri: one for one in await kit.all() for uri in one.uris}
    assert len(documents) == FILES
    for number in range(FILES):
        document = documents[(kit.folder / f"{number:02}.md").as_uri()]
        found = await sections_of(kit.store, document)
        assert [memory.content for memory in found] == sections_in(number, 2)
        assert all(memory.embedded for memory in found)
        if number % 2 == 0 and number < FILES * 2 // 3:
            assert [memory.id for memory in found] == before[document.uris[0]]
    assert len({one.id for one in documents.values()}) == len({text_of(number, 2) for number in range(FILES)})
