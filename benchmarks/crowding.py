"""Whether documents crowd out memories: `python -m benchmarks.crowding [NAMESPACES]`, 1 by default.

LoCoMo's turns are stored through the tool and asked; then SciFact's abstracts are ingested into the same namespaces, a
file each, and the same questions are asked again.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mcp import Client, StdioServerParameters

from benchmarks import documents, retrieval
from benchmarks.kit import DATA, FRONT, Daemon, daemon, say
from benchmarks.sets import TURNS, Document, RetrievalSet, load
from benchmarks.tables import head, line

WANTED = 0.02
MODES = ("auto", "semantic", "keyword")


def chosen_turns(count: int) -> RetrievalSet:
    """Return the turns of the first namespaces."""
    turns = load(DATA / TURNS)
    kept = set(turns.namespaces[:count])
    return replace(
        turns,
        documents=[document for document in turns.documents if document.namespace in kept],
        questions=[question for question in turns.questions if question.namespace in kept],
    )


def write(abstracts: Sequence[Document], folder: Path) -> None:
    """Write each abstract as a file."""
    folder.mkdir()
    for abstract in abstracts:
        (folder / f"{abstract.id}.txt").write_text(abstract.content, encoding="utf-8")


async def ingest(served: Daemon, store: Path, folder: Path, namespaces: Sequence[str]) -> None:
    """Ingest the folder into every namespace."""
    with documents.Front(served.address, store) as front:
        for namespace in namespaces:
            answer = await asyncio.to_thread(front.ingest, folder, namespace=namespace)
            assert not answer["errors"], answer["errors"]
            say(f"{namespace}: {answer['sections']:,} sections of {answer['counts']} in {answer['took_s']:.0f} s")


async def main(count: int) -> None:
    """Ask, ingest, and ask again."""
    turns, abstracts = chosen_turns(count), load(DATA / "scifact").documents
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder, store = Path(name), Path(name) / "memory.db"
        write(abstracts, folder / "abstracts")
        async with daemon(name, "--cache-mb", "0") as served:
            environment = {
                "MCP_MEMORY_EMBEDDER_ADDRESS": served.address,
                "MCP_MEMORY_SQLITE_PATH": str(store),
                "MCP_MEMORY_EMBED_BUDGET_S": str(retrieval.PATIENCE_S),
            }
            parameters = StdioServerParameters(command=str(FRONT), args=["serve"], env=environment)
            async with Client(parameters) as client:
                front = retrieval.Front(client)
                await front.store(turns)
                before = {mode: (await front.ask(turns, mode))[0] for mode in MODES}
                await ingest(served, store, folder / "abstracts", turns.namespaces)
                await front.settle(turns.namespaces)
                say(head(["mode", "recall@10 of the turns", "with the documents", "falls by", "wanted"]))
                for mode in MODES:
                    after, _ = await front.ask(turns, mode)
                    falls = before[mode].recall - after.recall
                    wanted = f"at most {WANTED}" if mode == "auto" else ""
                    recalls = f"{before[mode].recall:.4f}", f"{after.recall:.4f}", f"{falls:+.4f}"
                    say(line([f"`{mode}`", *recalls, wanted]))
                say(f"\n{len(turns.documents):,} turns, {len(turns.questions):,} questions, {len(abstracts):,} files")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else 1))
