"""Search by meaning and words, over the real store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_mcp.app import make_services
from memory_mcp.domain.errors import EmbedderError
from memory_mcp.domain.models import Condition, Embedding, Filters, KeywordMatches, NewMemory, Space
from memory_mcp.memories.indexing import Indexer
from memory_mcp.memories.service import Memories
from memory_mcp.search import fusion
from memory_mcp.search.models import SearchMode, SearchQuery
from memory_mcp.search.pipeline import SearchPipeline
from memory_mcp.search.policy import DEFAULT_POLICY, SearchPolicy
from memory_mcp.settings import defaults
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.fakes.embedder import FakeEmbedder

CATS = "the cat sleeps on the warm mat"
CARS = "my car needs new brakes"
TAX = "the tax office wants the form by friday"


@pytest.fixture
def embedder() -> FakeEmbedder:
    """Give an embedder."""
    return FakeEmbedder()


@pytest.fixture
async def store(tmp_path: Path, embedder: FakeEmbedder) -> AsyncIterator[SqliteStore]:
    """Give a store with three memories."""
    store = SqliteStore(tmp_path / "memory.db")
    memories = Memories(store, Indexer(embedder, interactive_budget_s=1, bulk_budget_s=1), on_pending=lambda: None)
    for content in (CATS, CARS, TAX):
        await memories.store(NewMemory(content, "n"))
    yield store
    await store.close()


@pytest.fixture
def pipeline(store: SqliteStore, embedder: FakeEmbedder) -> SearchPipeline:
    """Give the search."""
    return SearchPipeline(store, embedder, budget_s=1)


def query(text: str, mode: SearchMode = "auto", **more: float) -> SearchQuery:
    """Make a query."""
    return SearchQuery(text, Filters("n"), mode=mode, **more)  # type: ignore[arg-type]  # limit and min_score


@pytest.mark.parametrize("mode", ["auto", "hybrid", "semantic", "keyword"])
async def test_each_mode_finds_and_says_what_it_did(pipeline: SearchPipeline, mode: SearchMode) -> None:
    """The best memory is first, scores lie in 0-1 and fall, and the mode is the one that worked."""
    answer = await pipeline.run(query("warm cat", mode))
    assert answer.hits[0].memory.content == CATS
    assert answer.mode == {"auto": "hybrid"}.get(mode, mode)
    assert answer.degraded is None
    scores = [hit.ranked.score for hit in answer.hits]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


async def test_what_only_words_found_has_its_cosine_too(pipeline: SearchPipeline) -> None:
    """In a joined answer every memory with a vector shows both scores' truth."""
    answer = await pipeline.run(query("friday"))
    best = answer.hits[0]
    assert best.memory.content == TAX
    assert best.ranked.semantic is not None
    assert best.ranked.keyword is not None


async def test_a_low_score_is_left_out(pipeline: SearchPipeline) -> None:
    """`min_score` keeps what reaches it."""
    everything = await pipeline.run(query("warm cat"))
    bar = everything.hits[0].ranked.score
    answer = await pipeline.run(query("warm cat", min_score=bar))
    assert [hit.memory.content for hit in answer.hits] == [CATS]


@pytest.mark.parametrize("mode", ["auto", "semantic"])
async def test_without_vectors_words_answer_and_say_so(
    pipeline: SearchPipeline, embedder: FakeEmbedder, mode: SearchMode
) -> None:
    """The embedder is out: the same question is answered by words, with the reason."""
    embedder.failure = EmbedderError("the daemon is gone")
    answer = await pipeline.run(query("cat", mode))
    assert [hit.memory.content for hit in answer.hits] == [CATS]
    assert answer.mode == "keyword"
    assert answer.degraded == "found by keywords only: the daemon is gone"


async def test_a_refused_query_is_answered_by_words(pipeline: SearchPipeline, embedder: FakeEmbedder) -> None:
    """A query that gets no vector of its own does not fail."""
    embedder.rejected = {"cat"}
    answer = await pipeline.run(query("cat", "semantic"))
    assert answer.mode == "keyword"
    assert "no vector" in (answer.degraded or "")


async def test_the_keyword_mode_asks_nobody(pipeline: SearchPipeline, embedder: FakeEmbedder) -> None:
    """A search by words alone costs no embedding."""
    embedder.calls.clear()
    await pipeline.run(query("cat", "keyword"))
    assert embedder.calls == []


async def test_a_space_that_changed_meanwhile_is_not_compared(
    pipeline: SearchPipeline, embedder: FakeEmbedder, tmp_path: Path
) -> None:
    """The store got its space between the question and the search: words answer."""
    late = SqliteStore(tmp_path / "late.db")
    other = FakeEmbedder(Space("other-384", 384))

    class Meddling(FakeEmbedder):
        """Lets another front give the store its space while it embeds."""

        async def meddle(self) -> None:
            memories = Memories(late, Indexer(other, interactive_budget_s=1, bulk_budget_s=1), on_pending=lambda: None)
            await memories.store(NewMemory(CATS, "n"))

    embedder = Meddling()
    search = SearchPipeline(late, embedder, budget_s=1)
    original = embedder.embed

    async def before_the_other(*arguments: object, **named: object) -> Embedding:
        embedding = await original(*arguments, **named)  # type: ignore[arg-type]  # passed on as they came
        await embedder.meddle()
        return embedding

    embedder.embed = before_the_other  # type: ignore[method-assign]  # the moment in between
    answer = await search.run(query("cat"))
    assert answer.mode == "keyword"
    assert "other-384" in (answer.degraded or "")
    await late.close()


TALK = ("Which violin teacher do you recommend?", "Mrs Lindqvist, she is patient")
WHOLE = DEFAULT_POLICY
CHANGES: dict[str, SearchPolicy] = {
    "keyword shares": replace(WHOLE, conversation=replace(WHOLE.conversation, keyword_shares=())),
    "neighbours of the best": replace(WHOLE, candidates=replace(WHOLE.candidates, best_with_neighbours=0)),
    "dense shares": replace(WHOLE, conversation=replace(WHOLE.conversation, dense_shares=(1, 1))),
    "context": replace(WHOLE, conversation=replace(WHOLE.conversation, context_share=0)),
    "calibration": replace(WHOLE, keywords=replace(WHOLE.keywords, calibration=0)),
    "weight per query": replace(WHOLE, background=replace(WHOLE.background, sample=0)),
    "fixed weight": replace(WHOLE, fusion=replace(WHOLE.fusion, min=0.1, span=0)),
    "router": replace(WHOLE, route=replace(WHOLE.route, is_on=False)),
    "tag lift": replace(WHOLE, selection=replace(WHOLE.selection, tag_lift=0.9)),
    "age": replace(WHOLE, selection=replace(WHOLE.selection, most_for_age=0)),
    "phrasing": replace(WHOLE, phrasing=replace(WHOLE.phrasing, common_share=2)),
    "fit": replace(WHOLE, fit=replace(WHOLE.fit, strong_from=0.999)),
}


async def outcome(store: SqliteStore, policy: SearchPolicy) -> list[object]:
    """Ask what each number of a policy has its part in."""
    search = SearchPipeline(store, FakeEmbedder(), budget_s=1, policy=policy)
    asked = [SearchQuery(text, Filters("n"), limit=40, recency=0.5) for text in ("violin teacher", "ann novel", "pets")]
    answers = [await search.run(query) for query in asked]
    hits = [[(hit.memory.key, round(hit.ranked.score, 9)) for hit in answer.hits] for answer in answers]
    return [hits, [answer.weak for answer in answers]]


@pytest.mark.parametrize("name", CHANGES)
async def test_a_policy_is_changed_in_one_place(store: SqliteStore, embedder: FakeEmbedder, name: str) -> None:
    """Every number has its part in an answer, and none comes from elsewhere than the policy that was given."""
    memories = Memories(store, Indexer(embedder, interactive_budget_s=1, bulk_budget_s=9), on_pending=lambda: None)
    for minute, content in enumerate((*TALK, *(f"ann said {n} things" for n in range(12)))):
        then = datetime(2024, 5, 17, 10, minute, tzinfo=UTC)
        await memories.store(NewMemory(content, "n", conversation_id="c", created_at=then))
    await memories.store(NewMemory("a novel of the sea", "n"))
    await memories.store(NewMemory("the parrot speaks", "n", tags=("pets",)))
    assert await outcome(store, WHOLE) == await outcome(store, replace(WHOLE))
    assert await outcome(store, CHANGES[name]) != await outcome(store, WHOLE)


SCORES = st.dictionaries(st.integers(1, 20), st.floats(0, 1), max_size=10)


@given(SCORES, SCORES, st.floats(0, 1))
def test_fusion_keeps_order_and_range(vectors: dict[int, float], words: dict[int, float], weight: float) -> None:
    """Whatever is joined: each memory once, scores in 0-1, best first, and never below its worse half."""
    ranked = fusion.fuse(vectors, words, weight)
    assert ranked.keys() == vectors.keys() | words.keys()
    scores = list(ranked.values())
    assert scores == sorted(scores, reverse=True)
    assert all(-1e-9 <= score <= 1 + 1e-9 for score in scores)


def test_words_that_say_little_do_not_beat_the_meaning() -> None:
    """A memory that shares but a stopword stays behind one that means the same."""
    words, _ = fusion.keyword_scores(KeywordMatches(100, {2: 0.9, 1: 0.8}, known=1, words=1), {}, DEFAULT_POLICY)
    ranked = fusion.fuse({1: 0.36, 2: 0.19}, words, 0.5)
    assert list(ranked) == [1, 2]


async def test_health_names_every_part(store: SqliteStore, embedder: FakeEmbedder, tmp_path: Path) -> None:
    """All eight parts are always there, and the status is the worst of them."""
    parts = ["daemon", "breaker", "space", "store", "queue", "upkeep", "folders", "background"]
    report = await make_services(defaults(), store, embedder).health.live()
    assert list(report.parts) == parts
    embedder.failure = EmbedderError("down")
    report = await make_services(defaults(), store, embedder).health.live()
    assert report.status is Condition.DEGRADED
    (tmp_path / "broken.db").write_bytes(b"no database" * 1000)
    broken = SqliteStore(tmp_path / "broken.db")
    embedder.failure = None
    report = await make_services(defaults(), broken, embedder).health.live()
    assert report.status is Condition.FAILED
    states = ["serving", "closed", "unknown", "unusable", "unknown", "well", "unknown", "well"]
    assert {name: finding.state for name, finding in report.parts.items()} == dict(zip(parts, states, strict=True))
    await broken.close()
