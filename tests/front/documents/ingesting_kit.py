"""Joins the parts that ingest, as the program does, with a fake reader and a fake embedder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from memory_mcp.documents.ingesting import Ingesting, IngestRequest
from memory_mcp.documents.jobs import JobRunner
from memory_mcp.documents.opening import open_below
from memory_mcp.documents.preparing import Preparer
from memory_mcp.documents.reading import ReadsDocuments
from memory_mcp.domain.documents import Document
from memory_mcp.domain.jobs import IngestJob, NewJobFile
from memory_mcp.domain.ports import DocumentStore
from memory_mcp.domain.principal import Reach
from memory_mcp.maintenance.leases import Lease
from memory_mcp.memories.indexing import Indexer
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.reader import FakeReader

HERE = Reach("here")


def files_of(roots: Sequence[Path], folder: Path) -> Iterator[NewJobFile]:
    """Walk a folder, and leave out what begins with a dot."""
    del roots
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield NewJobFile(path.as_uri(), left_out="it may hold secrets" if path.name.startswith(".") else None)


async def quiet(_: IngestJob) -> None:
    """Look at no progress."""


@dataclass
class Kit:
    """One front."""

    store: SqliteStore
    folder: Path
    reader: FakeReader = field(default_factory=FakeReader)
    embedder: FakeEmbedder = field(default_factory=FakeEmbedder)
    seen: list[IngestJob] = field(default_factory=list)
    """The progress of the last job."""
    woken: int = 0
    documents: DocumentStore | None = None
    """In place of the store's."""
    real_reader: ReadsDocuments | None = None
    """In place of the fake."""

    def __post_init__(self) -> None:
        """Join them."""
        documents = self.documents or self.store.documents
        self.runner = JobRunner(
            documents,
            Preparer(documents, self.real_reader or self.reader, open_below),
            Indexer(self.embedder, interactive_budget_s=1, bulk_budget_s=20),
            Lease(self.store, "documents"),
            space=lambda: self.store.read(lambda it: it.space()),
            on_pending=self._wake,
        )
        self.ingesting = Ingesting(documents, self.runner, files_of)

    def _wake(self) -> None:
        self.woken += 1

    def request(self, *tags: str, is_forced: bool = False) -> IngestRequest:
        """Ask for the folder to be read."""
        return IngestRequest("here", tags, "me", (self.folder,), is_forced)

    def write(self, name: str, text: str) -> Path:
        """Write a file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    async def ingest(self, *paths: Path, tags: Sequence[str] = (), is_forced: bool = False) -> IngestJob:
        """Ingest paths, the folder if there are none, and wait for the end."""
        job = await self.ingesting.ingest_paths(paths or [self.folder], self.request(*tags, is_forced=is_forced))
        return await self.finish(job)

    async def finish(self, job: IngestJob) -> IngestJob:
        """Wait for the end of a job."""
        self.seen.clear()

        async def note(seen: IngestJob) -> None:
            self.seen.append(seen)

        return await self.ingesting.finish(job.id, HERE, note)

    async def all(self) -> list[Document]:
        """Return the documents."""
        return await self.ingesting.documents("here")


Make = Callable[[], Kit]
