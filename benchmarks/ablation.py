"""What each part of retrieval gives, and what it costs: the same questions with the part and without it.

A part is left out by another policy: of a search (search/policy.py), of what is embedded (memories/chunking.py) or of
the keyword index (search/lexical/analyzer.py), all composed in this process on a real file and a real daemon. Try a
number of your own by a line in PARTS.
`python -m benchmarks.ablation` takes the same arguments as benchmarks/retrieval.py.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

import apsw

from benchmarks.kit import Asked, daemon, percentile, say
from benchmarks.sets import CODE, Document, Quality, Question, RetrievalSet, quality, sampled, sets
from benchmarks.tables import head, line
from memory_mcp.app import make_embedder, make_services
from memory_mcp.domain.models import Filters, NewMemory, Stored
from memory_mcp.memories.chunking import DEFAULT_CHUNKS, ChunkPolicy
from memory_mcp.search.lexical.analyzer import DEFAULT_INDEX, IndexPolicy
from memory_mcp.search.lexical.stems import language_of
from memory_mcp.search.models import SearchQuery
from memory_mcp.search.policy import DEFAULT_POLICY, SearchPolicy
from memory_mcp.settings import Settings, load
from memory_mcp.storage.factory import make_store
from memory_mcp.storage.sqlite.lexical import keywords
from memory_mcp.tools.services import Services

PATIENCE_S = 600.0
"""Nothing is to be found without its vector because the machine is slow."""

QUESTIONS = 300
"""Asked of a set, evenly chosen: all of them, seventeen times over, would take hours."""

LONG_CHARS, LONG_SHARE = 500, 0.1
"""A set is long when more than this share of its contents has more characters than this."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of retrieval, and what stands in its place when it is left out."""

    name: str
    policy: SearchPolicy = DEFAULT_POLICY
    chunks: ChunkPolicy = DEFAULT_CHUNKS
    index: IndexPolicy = DEFAULT_INDEX
    matters_in_store: Callable[[RetrievalSet], bool] | None = None
    """The sets that are stored without it too; None where it has its part in searches, of any set."""


def _is_long(chosen: RetrievalSet) -> bool:
    long = sum(len(document.content) > LONG_CHARS for document in chosen.documents)
    return long > LONG_SHARE * len(chosen.documents)


def _is_foreign(chosen: RetrievalSet) -> bool:
    return any(language_of(document.content) for document in chosen.documents[:10])


WHOLE = DEFAULT_POLICY
ADJUSTMENT = WHOLE.adjustment
NOTHING = Part("nothing")
PARTS = (
    Part(
        "neighbours (their keyword scores, they as candidates)",
        replace(
            WHOLE,
            conversation=replace(WHOLE.conversation, keyword_shares=()),
            candidates=replace(WHOLE.candidates, best_with_neighbours=0),
        ),
    ),
    Part("query-time context", replace(WHOLE, conversation=replace(WHOLE.conversation, context_share=0))),
    Part("second phrasing without common words", replace(WHOLE, phrasing=replace(WHOLE.phrasing, common_share=2))),
    Part("weight per query", replace(WHOLE, background=replace(WHOLE.background, sample=0))),
    Part("one scale for every model", replace(WHOLE, background=replace(WHOLE.background, narrow_from=1))),
    Part("words of another language count less", replace(WHOLE, fusion=replace(WHOLE.fusion, known_half=0))),
    Part("router", replace(WHOLE, route=replace(WHOLE.route, is_on=False))),
    Part("calibration of keyword scores", replace(WHOLE, keywords=replace(WHOLE.keywords, calibration=0))),
    Part("function words", replace(WHOLE, lexical=replace(WHOLE.lexical, function_word_weight=1.0))),
    Part("time named", replace(WHOLE, adjustment=replace(ADJUSTMENT, time_bonus=0))),
    Part("length", replace(WHOLE, adjustment=replace(ADJUSTMENT, length_loss=0))),
    Part("turns that ask", replace(WHOLE, adjustment=replace(ADJUSTMENT, asks_loss=0))),
    Part("turns that answer", replace(WHOLE, adjustment=replace(ADJUSTMENT, answers_share=0))),
    Part("speakers", replace(WHOLE, adjustment=replace(ADJUSTMENT, speaker_bonus=0))),
    Part("heads of passages", chunks=ChunkPolicy(head_chars=0), matters_in_store=_is_long),
    Part("500 characters, not 1,000", chunks=ChunkPolicy(chars=1_000), matters_in_store=_is_long),
    Part(
        "identifiers' parts",
        index=IndexPolicy(identifier_parts=False),
        matters_in_store=lambda chosen: chosen.name == CODE,
    ),
    Part("stems of languages, compounds", index=IndexPolicy(languages=False), matters_in_store=_is_foreign),
)


@contextlib.asynccontextmanager
async def composed(settings: Settings, part: Part) -> AsyncIterator[Services]:
    """Join the services as the application does, without a part."""
    async with contextlib.AsyncExitStack() as stack:
        store, embedder = make_store(settings), make_embedder(settings)
        stack.push_async_callback(store.close)
        stack.push_async_callback(embedder.close)
        yield make_services(settings, store, embedder, part.policy, chunks=part.chunks)


@dataclass(slots=True)
class Shelf:
    """What is stored in one file, and which documents its memories are."""

    settings: Settings
    stored_per_s: float | None
    """None where the file is a copy."""
    documents: Mapping[str, Sequence[str]]


async def store(chosen: RetrievalSet, settings: Settings, part: Part) -> Shelf:
    """Store a set without a part."""
    documents: dict[str, list[str]] = collections.defaultdict(list)
    begun = time.perf_counter()
    async with composed(settings, part) as services:
        outcomes = await services.memories.store_many([_new(d) for d in chosen.documents], _unheard)
        await services.chores.drain()
    for document, outcome in zip(chosen.documents, outcomes, strict=True):
        assert isinstance(outcome, Stored), outcome
        documents[outcome.id].append(document.id)
    return Shelf(settings, len(chosen.documents) / (time.perf_counter() - begun), documents)


def filed_anew(whole: Shelf, settings: Settings, part: Part) -> Shelf:
    """Copy what is stored, and make the keyword index without a part."""
    shutil.copy(whole.settings.sqlite_path, settings.sqlite_path)
    db = apsw.Connection(str(settings.sqlite_path))
    try:
        with db:
            keywords.rebuild(db, part.index)
    finally:
        db.close()
    return replace(whole, settings=settings, stored_per_s=None)


def _new(document: Document) -> NewMemory:
    return NewMemory(
        document.content,
        document.namespace,
        conversation_id=document.conversation,
        created_at=document.created_at,
    )


async def _unheard(_: int) -> None:
    """Hear how far a store is."""


@dataclass(slots=True)
class Run:
    """The answers of one composition."""

    part: Part
    shelf: Shelf
    answers: list[list[str]] = field(default_factory=list)
    took_s: list[float] = field(default_factory=list)

    async def ask(self, services: Services, question: Question) -> None:
        """Ask one question without the part."""
        query = SearchQuery(question.text, Filters(question.namespace))
        begun = time.perf_counter()
        answer = await services.search.run(query)
        self.took_s.append(time.perf_counter() - begun)
        assert answer.degraded is None, answer.degraded
        assert not answer.pending, "there are memories without their vectors"
        self.answers.append([id_ for hit in answer.hits for id_ in self.shelf.documents[hit.memory.id]])


async def measure(chosen: RetrievalSet, settings: Callable[[str], Settings]) -> list[Run]:
    """Ask every question with everything, then without each part, in turn, so that all meet the same machine."""
    whole = await store(chosen, settings("whole"), NOTHING)
    runs = [Run(NOTHING, whole)]
    for number, part in enumerate(PARTS):
        if part.matters_in_store is None:
            runs.append(Run(part, whole))
        elif part.matters_in_store(chosen):
            file = settings(str(number))
            is_filed = part.index != DEFAULT_INDEX
            runs.append(Run(part, filed_anew(whole, file, part) if is_filed else await store(chosen, file, part)))
    async with contextlib.AsyncExitStack() as stack:
        services = [await stack.enter_async_context(composed(run.shelf.settings, run.part)) for run in runs]
        turns = list(zip(runs, services, strict=True))
        for number, question in enumerate(chosen.questions):
            first = number % len(turns)  # what is asked first warms the file's pages for the others
            for run, those in turns[first:] + turns[:first]:
                await run.ask(those, question)
    return runs


def lines(chosen: RetrievalSet, every: int, runs: Sequence[Run]) -> Iterator[str]:
    """Yield the lines of the table: the whole, then what is missing without each part, and the time that it takes."""
    whole, *others = runs
    best = quality(chosen.questions, whole.answers)
    p50 = percentile(whole.took_s, 0.5) * 1e3
    asked = f"nothing; {len(chosen.questions)} of {every} questions"
    yield line([chosen.name, asked, *_scores(best), "", f"{p50:.1f} ms", _speed(whole)])
    for run in others:
        left = quality(chosen.questions, run.answers)
        costs = median(full - less for full, less in zip(whole.took_s, run.took_s, strict=True)) * 1e3
        gives = f"{best.recall - left.recall:+.4f} / {best.ndcg - left.ndcg:+.4f}"
        stored = _speed(run) if run.part.matters_in_store else ""
        yield line([chosen.name, run.part.name, *_scores(left), gives, f"{costs:+.1f} ms", stored])


def _speed(run: Run) -> str:
    return "" if run.shelf.stored_per_s is None else f"{run.shelf.stored_per_s:.0f}/s"


def _scores(measured: Quality) -> tuple[str, str]:
    return f"{measured.recall:.4f}", f"{measured.ndcg:.4f}"


async def main(arguments: Sequence[str]) -> None:
    """Measure the sets that are at hand, and print a table in Markdown."""
    asked = Asked.of(arguments, QUESTIONS)
    say(head(["set", "without", "recall@10", "nDCG@10", "so it gives", "and costs a search, p50", "stored"]))
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        async with daemon(folder, "--cache-mb", "0", *asked.daemon) as served:
            for whole in sets(asked.data, asked.names):
                chosen = sampled(whole, asked.questions)
                runs = await measure(chosen, _settings(folder, served.address, chosen.name))
                for shown in lines(chosen, len(whole.questions), runs):
                    say(shown)


def _settings(folder: str, address: str, name: str) -> Callable[[str], Settings]:
    return lambda file: load(
        sqlite_path=Path(folder, f"{name}-{file}.db"),
        embedder_address=address,
        embed_budget_s=PATIENCE_S,
        bulk_budget_s=PATIENCE_S,
    )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
