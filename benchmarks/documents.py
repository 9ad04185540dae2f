"""What documents cost: `python -m benchmarks.documents [--pages 10000] [--rounds 4] [--large N] [--engine auto]`.

The honest files of `../shared/data/documents`, repeated with changes until they have as many pages (of 3,000
characters of text), are ingested by a front of its own, in turns with the embedding of the same sections alone.
Meanwhile its memory is looked at. PDFs are read in this process, without a sandbox, for the rate of reading alone. At
last come the files that nobody should ingest.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any, Self

import psutil
import pypdfium2  # type: ignore[import-untyped]  # it has none

from benchmarks.front import WORDS
from benchmarks.ingesting import PATIENCE_S
from benchmarks.kit import DATA, Daemon, daemon, say
from benchmarks.tables import head, line
from memory_mcp.app import make_embedder
from memory_mcp.documents.readers import registry
from memory_mcp.documents.readers.model import DocumentSource, Header
from memory_mcp.domain.models import Space
from memory_mcp.memories.ahead import BATCH, embed_ahead
from memory_mcp.memories.indexing import Indexer
from memory_mcp.settings import load
from memory_mcp.storage.sqlite.store import SqliteStore

FILES = DATA / "documents"
NAMESPACE = "papers"
PAGE = 3_000
"""Characters of text."""
LOOK_S = 0.02
READ_CPU_S = 3.0
ZIPPED = {".docx", ".pptx", ".xlsx", ".epub"}
SPACED = {".json", ".ipynb", ".jsonl"}
UTF16 = {"utf16.csv", "utf16le.txt"}
"""A line of ASCII would not be one in them."""


def honest() -> list[Path]:
    """Return the files that are read, each with bytes of its own."""
    entries = json.loads((FILES / "manifest.json").read_text(encoding="utf-8"))["documents"]
    refused = {entry["file"] for entry in entries if "refusal" in entry or "alternative" in entry}
    others = {"really_word.pdf", "really_pdf.txt"} | UTF16
    return [FILES / entry["file"] for entry in entries if entry["file"] not in refused | others]


def changed(path: Path, number: int) -> bytes:
    """Return the bytes of a file with a change that its reader does not mind."""
    content = path.read_bytes()
    if path.suffix == ".pdf":
        return content + b"\n%% copy %d\n" % number
    if path.suffix in SPACED:
        return content + b"\n" * number
    return content + b"\ncopy %d\n" % number


def copy(path: Path, folder: Path, number: int) -> None:
    """Write a changed copy."""
    to = folder / f"{path.stem}-{number}{path.suffix}"
    if path.suffix not in ZIPPED:
        to.write_bytes(changed(path, number))
        return
    to.write_bytes(path.read_bytes())
    with zipfile.ZipFile(to, "a") as archive:
        archive.comment = b"copy %d" % number


class Front:
    """A front that ingests, and the most memory that it had."""

    def __init__(self, address: str, store: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.ingesting", address, str(store)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.own = self.together = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()

    def ingest(self, *paths: Path, namespace: str = NAMESPACE) -> dict[str, Any]:
        """Ingest, and look at the memory meanwhile."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"paths": list(map(str, paths)), "namespace": namespace}) + "\n")
        self.process.stdin.flush()
        done = Event()
        looking = Thread(target=self._look, args=(done,))
        looking.start()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        done.set()
        looking.join()
        return answer

    def _look(self, done: Event) -> None:
        front = psutil.Process(self.process.pid)
        while not done.wait(LOOK_S):
            self.own = max(self.own, anonymous_mb(front.pid))
            together = 0.0
            for process in [front, *front.children(recursive=True)]:
                with contextlib.suppress(psutil.Error):  # it has just ended
                    together += process.memory_full_info().pss / 1e6
            self.together = max(self.together, together)


def anonymous_mb(pid: int) -> float:
    """Return a process's own memory in MB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next(int(row.split()[1]) for row in status.splitlines() if row.startswith("RssAnon")) * 1_024 / 1e6


async def _texts(path: Path, namespace: str) -> list[str]:
    store = SqliteStore(path)
    try:
        found: list[str] = []
        after = 0
        while records := await store.export(after, 500):
            found += [record.memory.content for record in records if record.memory.namespace == namespace]
            after = records[-1].memory.key
        return found
    finally:
        await store.close()


async def _pending(path: Path, namespace: str) -> int:
    store = SqliteStore(path)
    try:
        return (await store.read(lambda it: it.queue(namespace))).pending
    finally:
        await store.close()


async def embed_alone(served: Daemon, texts: Sequence[str]) -> float:
    """Return the seconds that it takes to embed texts as a job does, without all else."""
    embedder = make_embedder(load(embedder_address=served.address))
    indexer = Indexer(embedder, interactive_budget_s=5, bulk_budget_s=PATIENCE_S)

    async def batches() -> AsyncIterator[Sequence[str]]:
        for at in range(0, len(texts), BATCH):
            yield texts[at : at + BATCH]

    async def no_space() -> Space | None:
        return None

    begun = time.perf_counter()
    async for _ in embed_ahead(indexer, no_space, batches()):
        pass
    took_s = time.perf_counter() - begun
    await embedder.close()
    return took_s


@dataclass(frozen=True)
class Kind:
    """What is ingested, written as often as is needed."""

    name: str
    pages: float
    """Of what is written at a time."""
    write: Callable[[Path, int], None]


def kinds() -> tuple[Kind, Kind]:
    """Return the files as they are, most of them short, and their pages of PDF in files of some length."""
    with pypdfium2.PdfDocument.new() as pdf:
        gather(pdf)
        return Kind("files", pages_of_one(), write_all), Kind("PDFs", len(pdf), write_merged)


def write_all(folder: Path, number: int) -> None:
    """Write a changed copy of every honest file."""
    for path in honest():
        copy(path, folder, number)


def write_merged(folder: Path, number: int) -> None:
    """Write the pages of all honest PDFs as one, with a change."""
    with pypdfium2.PdfDocument.new() as pdf:
        gather(pdf)
        pdf.save(folder / f"merged-{number}.pdf")
    with (folder / f"merged-{number}.pdf").open("ab") as file:
        file.write(b"\n%% copy %d\n" % number)


def gather(pdf: pypdfium2.PdfDocument) -> None:  # type: ignore[no-any-unimported]  # likewise
    """Add the pages of all honest PDFs."""
    for path in honest():
        if path.suffix == ".pdf":
            with pypdfium2.PdfDocument(path) as source:
                pdf.import_pages(source)


@dataclass
class Turns:
    """What all rounds took."""

    files: int = 0
    sections: int = 0
    pages: float = 0.0
    ingested_s: float = 0.0
    embedded_s: float = 0.0
    pending: int = 0
    """Sections without a vector at the end of their job: the daemon did not answer in time."""

    def tell(self, kind: Kind) -> None:
        """Print lines of the table."""
        rate, alone = self.sections / self.ingested_s, self.sections / self.embedded_s
        size = f"{self.files:,} files, {self.pages:,.0f} pages, {self.sections:,} sections"
        say(
            line(
                [
                    f"{kind.name} ingested",
                    f"{size}; {rate:.0f} sections/s, {self.pages / self.ingested_s:.1f} pages/s",
                    "",
                ]
            )
        )
        if self.pending:
            say(line([f"of these without a vector at the end of the job: {self.pending:,}", "no ratio", ""]))
        say(line(["embedding the same sections alone", f"{alone:.0f} sections/s; ratio {rate / alone:.2f}", "0.8"]))


async def ingest_in_turns(
    served: Daemon, front: Front, folder: Path, store: Path, kind: Kind, *, pages: int, rounds: int
) -> Turns:
    """Ingest, then embed the same sections, round after round."""
    total, numbers = Turns(), itertools.count(1)
    for number in range(rounds):
        docs = folder / f"{kind.name}-{number}"
        docs.mkdir()
        for _ in range(max(1, round(pages / rounds / kind.pages))):
            kind.write(docs, next(numbers))
            total.pages += kind.pages
        answer = await asyncio.to_thread(front.ingest, docs, namespace=docs.name)
        assert not answer["errors"], answer["errors"]
        texts = await _texts(store, docs.name)
        total.pending += await _pending(store, docs.name)
        assert len(texts) == answer["sections"]
        total.embedded_s += await embed_alone(served, texts)
        total.ingested_s += answer["took_s"]
        total.files += sum(answer["counts"].values())
        total.sections += len(texts)
    return total


def pages_of_one() -> float:
    """Return the pages of the honest files."""
    characters = 0
    for path in honest():
        with path.open("rb") as file:
            for item in registry.read(DocumentSource(file, path.name)):
                characters += 0 if isinstance(item, Header) else len(item.text)
    return characters / PAGE


def read_pdfs() -> float:
    """Return the pages that are read in a second of CPU time."""
    pdfs = [path for path in honest() if path.suffix == ".pdf"]
    pages, begun = 0, None
    while begun is None or time.process_time() - begun < READ_CPU_S:
        begun, pages = (time.process_time(), 0) if begun is None and pages else (begun, pages)
        for path in pdfs:
            with path.open("rb") as file:
                pages += sum(item.pages or 0 for item in registry.read(DocumentSource(file, path.name))
                             if isinstance(item, Header))  # fmt: skip
    return pages / (time.process_time() - begun)


@contextlib.contextmanager
def growing(path: Path) -> Iterator[None]:
    """Have a file grow during the block."""
    path.write_text("a line of text\n" * 200_000, encoding="utf-8")
    done = Event()

    def grow() -> None:
        with path.open("a", encoding="utf-8") as file:
            while not done.wait(0.001):
                file.write("another line of text\n")
                file.flush()

    writer = Thread(target=grow)
    writer.start()
    try:
        yield
    finally:
        done.set()
        writer.join()


def hostile(front: Front, folder: Path) -> None:
    """Ingest each bad file alone, then all of them among good ones, and print what became of them."""
    folder.mkdir()
    for name in ("zip_bomb.docx", "stream_bomb.pdf", "deep.html", "deep.json", "entities.docx"):
        (folder / name).write_bytes((FILES / name).read_bytes())
    (folder / "sparse.txt").touch()
    os.truncate(folder / "sparse.txt", 4 << 30)
    os.mkfifo(folder / "fifo.txt")
    say("\n" + head(["bad file", "refused after", "why"]))
    with growing(folder / "growing.txt"):
        bad = sorted(folder.iterdir())
        for path in bad:
            answer = front.ingest(path, namespace="alone")
            [(name, error)] = answer["errors"].items()
            say(line([name, f"{answer['took_s']:.2f} s", error]))
        for path in honest():
            copy(path, folder, 0)
        answer = front.ingest(folder, namespace="among")
    say(f"\nall in one folder: {answer['counts']} in {answer['took_s']:.1f} s; refused: {sorted(answer['errors'])}")
    assert set(answer["errors"]) == {path.name for path in bad}


def large(front: Front, folder: Path, sections: int, idle: float) -> None:
    """Ingest one file of many sections, and again with one more; print the memory of the front."""
    chance = random.Random(7)  # noqa: S311 - no secret
    path = folder / "large.md"
    with path.open("w", encoding="utf-8") as file:
        for number in range(sections):
            file.write(f"# Section {number}\n\n{' '.join(chance.choices(WORDS, k=150))}\n\n")
    for what in ("a file of", "the same file with one more than"):
        front.own = 0.0
        answer = front.ingest(path, namespace="large")
        told = f"{front.own - idle:.1f} MB above idle; {answer['sections']:,} new sections in {answer['took_s']:.0f} s"
        say(line([f"{what} {sections:,} sections", told, "20 MB"]))
        with path.open("a", encoding="utf-8") as file:
            file.write("# One more\n\nAnother section.\n")


async def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--large", type=int, default=0, help="also ingest one file of as many sections")
    parser.add_argument("--engine", default="auto")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        store = folder / "memory.db"
        async with daemon(name, "--cache-mb", "0", "--engine", options.engine) as served:
            with Front(served.address, store) as front:
                (folder / "first.md").write_text("# One\n\nThe first document.", encoding="utf-8")
                await asyncio.to_thread(front.ingest, folder / "first.md")
                idle, front.own, front.together = front.own, 0.0, 0.0
                say(head(["what", "measured", "wanted"]))
                for kind in kinds():
                    total = await ingest_in_turns(
                        served, front, folder, store, kind, pages=options.pages, rounds=options.rounds
                    )
                    total.tell(kind)
                say(line(["reading PDFs alone", f"{read_pdfs():.0f} pages per CPU second", "300"]))
                say(line(["front above idle, at most", f"{front.own - idle:.1f} MB (idle {idle:.1f} MB)", "20 MB"]))
                say(line(["front and reader process, at most", f"{front.together:.0f} MB", "250 MB"]))
                if options.large:
                    await asyncio.to_thread(large, front, folder, options.large, idle)
                await asyncio.to_thread(hostile, front, folder / "bad")


if __name__ == "__main__":
    asyncio.run(main())
