"""The shared documents, ingested as the program ingests them: the real walk, sandbox, readers and store."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from memory_mcp.app import make_services
from memory_mcp.documents.ingesting import IngestRequest
from memory_mcp.documents.preparing import path_of
from memory_mcp.domain.jobs import JobFileState, JobState
from memory_mcp.domain.principal import Reach
from memory_mcp.settings import load
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.library import sections_of
from tests.fakes.embedder import FakeEmbedder
from tests.front.documents.ingesting_kit import quiet
from tests.front.documents.reading import DOCUMENTS

MANIFEST: Final = DOCUMENTS / "manifest.json"
NAMESPACE: Final = "papers"
SAME_BYTES: Final = {"really_word.pdf", "headers.docx", "really_pdf.txt", "booking.pdf"}
"""Files of which another has the bytes: the one that comes later changes nothing."""

pytestmark = pytest.mark.skipif(not MANIFEST.exists(), reason="the shared documents are not here")


@dataclass
class Stored:
    """What the store holds of a file."""

    text: str = ""
    """Titles, headings and sections, their white space folded."""
    headings: set[str] = field(default_factory=set)
    pages: list[tuple[int, int, str]] = field(default_factory=list)
    """The first and the last page that each section may lie on: it ends where the next one begins."""
    refusals: set[str] = field(default_factory=set)
    error: str | None = None
    """Of its line in the job."""


@pytest.fixture
async def stored(tmp_path: Path) -> AsyncIterator[dict[str, Stored]]:
    """Ingest the folder, and return what is stored of each file, by its name."""
    store = SqliteStore(tmp_path / "memory.db")
    ingesting = make_services(load(sqlite_path=tmp_path / "memory.db"), store, FakeEmbedder()).ingesting
    assert ingesting is not None
    request = IngestRequest(NAMESPACE, roots=(DOCUMENTS,))
    job = await ingesting.finish((await ingesting.ingest_paths([DOCUMENTS], request)).id, Reach(NAMESPACE), quiet)
    assert job.state is JobState.DONE
    assert job.counts[JobFileState.UNCHANGED] == len(SAME_BYTES) / 2
    assert sum(job.counts.values()) == len(list(DOCUMENTS.iterdir()))
    found = defaultdict[str, Stored](Stored)
    for document in await ingesting.documents(NAMESPACE):
        memories = await sections_of(store, document)
        _, outline = await ingesting.show(document.id, Reach(NAMESPACE), 1_000)
        first = [place.page or 0 for place in outline]
        last = [*first, document.pages or 0][1:]
        headings = {heading for place in outline for heading in place.heading}
        for name in {Path(uri).name.partition("#")[0] for uri in document.uris}:
            of_file = found[name]
            of_file.text += _folded([document.title or "", *headings, *(memory.content for memory in memories)])
            of_file.headings |= headings
            of_file.pages += zip(first, last, (_folded([memory.content]) for memory in memories), strict=True)
            of_file.refusals |= {document.refusal} if document.refusal else set()
    for line in await ingesting.job_lines(job.id, JobFileState.FAILED, -1, 100):
        found[path_of(line.uri).name].error = line.error
    yield found
    await ingesting.close()
    await store.close()


def _folded(texts: Sequence[str]) -> str:
    return f" {' '.join(' '.join(texts).split())}"


async def test_every_file_is_stored_as_the_manifest_says(stored: dict[str, Stored]) -> None:
    """With the strings, headings and pages that it must have and none that it must not, or refused as is right."""
    entries = json.loads(MANIFEST.read_text())["documents"]
    assert len(entries) == 64
    assert not {entry["file"]: wrong for entry in entries if (wrong := list(_wrong(entry, stored[entry["file"]])))}


def _wrong(entry: Mapping[str, Any], found: Stored) -> list[str]:
    """Return what a file should have said, or should not."""
    wrong = [f"says {words!r}" for words in entry.get("forbid", ()) if words in found.text]
    right = {kind for key in ("refusal", "alternative") for kind in entry.get(key, "").split(" or ")} - {""}
    if entry.get("refusal") or found.error:
        if not (found.error and found.refusals <= right):
            wrong.append(f"is refused as {found.refusals} ({found.error}), not {right}")
        return wrong
    wrong += [f"lacks {words!r}" for words in entry["expect"] if " ".join(words.split()) not in found.text]
    wrong += [f"lacks the heading {heading!r}" for heading in set(entry.get("headings", ())) - found.headings]
    wrong += [
        f"lacks {words!r} on page {page}"
        for page, words in entry.get("pages", {}).items()
        if not any(first <= int(page) <= last and words in text for first, last, text in found.pages)
    ]
    return wrong
