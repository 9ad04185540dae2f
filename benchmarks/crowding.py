"""Whether documents crowd out memories: `python -m benchmarks.crowding [NAMESPACES]`, 1 by default.

LoCoMo's turns are stored through the tool and asked. In another store SciFact's abstracts are ingested into the same
namespaces, a file each, and asked; then the turns come beside them, and both are asked.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from mcp import Client, StdioServerParameters

from benchmarks import documents, retrieval
from benchmarks.kit import DATA, FRONT, Daemon, daemon, percentile, say
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
    """Ask each alone, and both together."""
    turns, abstracts = chosen_turns(count), load(DATA / "scifact")
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        write(abstracts.documents, folder / "abstracts")
        async with daemon(name, "--cache-mb", "256") as served:
            async with asking(served, folder / "turns.db") as front:
                await front.store(turns)
                turns_alone = await recalls(front, turns)
            await ingest(served, folder / "both.db", folder / "abstracts", turns.namespaces)
            async with asking(served, folder / "both.db") as front:
                await front.settle(turns.namespaces)
                here = replace(
                    abstracts,
                    questions=[replace(question, namespace=turns.namespaces[0]) for question in abstracts.questions],
                )
                abstracts_alone = await recalls(front, here)
                await front.store(turns)
                report("turns", turns_alone, await recalls(front, turns))
                report("abstracts", abstracts_alone, await recalls(front, here))
        asked = f"{len(turns.questions):,} and {len(abstracts.questions):,} questions"
        say(f"\n{len(turns.documents):,} turns, {len(abstracts.documents):,} files; {asked}")


@asynccontextmanager
async def asking(served: Daemon, store: Path) -> AsyncIterator[retrieval.Front]:
    """Run a front over stdio."""
    environment = {
        "MCP_MEMORY_EMBEDDER_ADDRESS": served.address,
        "MCP_MEMORY_SQLITE_PATH": str(store),
        "MCP_MEMORY_EMBED_BUDGET_S": str(retrieval.PATIENCE_S),
    }
    async with Client(StdioServerParameters(command=str(FRONT), args=["serve"], env=environment)) as client:
        yield retrieval.Front(client)


async def recalls(front: retrieval.Front, chosen: RetrievalSet) -> dict[str, tuple[float, float]]:
    """Return recall@10 and the median milliseconds of a search, by mode."""
    asked = {mode: await front.ask(chosen, mode) for mode in MODES}
    return {mode: (quality.recall, 1e3 * percentile(took, 0.5)) for mode, (quality, took) in asked.items()}


def report(what: str, alone: Mapping[str, tuple[float, float]], beside: Mapping[str, tuple[float, float]]) -> None:
    """Print a table."""
    say(head([what, "recall@10 alone", "beside the others", "falls by", "wanted", "p50 alone", "beside the others"]))
    for mode in MODES:
        (before, took), (after, takes) = alone[mode], beside[mode]
        figures = f"{before:.4f}", f"{after:.4f}", f"{before - after:+.4f}", f"at most {WANTED}" * (mode == "auto")
        say(line([f"`{mode}`", *figures, f"{took:.0f} ms", f"{takes:.0f} ms"]))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else 1))
