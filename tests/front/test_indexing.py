"""From contents to passages with vectors, and how the queue finishes what was left."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_mcp.domain.errors import EmbedderError
from memory_mcp.domain.models import Filters, Lane, NewMemory, Space
from memory_mcp.maintenance.chores import Chores
from memory_mcp.maintenance.upkeep import Upkeep
from memory_mcp.memories.indexing import MAX_PASSAGES_AT_ONCE, Indexer
from memory_mcp.memories.service import Memories
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.shelf import nearest
from tests.fakes.clock import FakeClock
from tests.fakes.embedder import FakeEmbedder

SPACE = Space("fake-384", 384)


class Terse(FakeEmbedder):
    """Reads only so many characters of a text, as a model with few tokens does."""

    def __init__(self, reads: int) -> None:
        super().__init__()
        self.max_chars = reads


def make(embedder: FakeEmbedder) -> Indexer:
    """Make an indexer."""
    return Indexer(embedder, interactive_budget_s=1, bulk_budget_s=20)


@given(st.text(alphabet="ab \n", min_size=1, max_size=900), st.integers(7, 300))
def test_what_the_embedder_cuts_becomes_passages_of_its_own(content: str, reads: int) -> None:
    """However little the model reads, every character that is not blank is in some vector."""
    if not content.strip():
        return
    [embedded], failure = asyncio.run(make(Terse(reads)).embed([content], lane=Lane.INTERACTIVE, space=None))
    assert failure is None
    assert all(passage.vector for passage in embedded.chunks)
    covered = set[int]().union(*(range(passage.start, passage.end) for passage in embedded.chunks))
    assert all(i in covered or content[i].isspace() for i in range(len(content)))
    assert max(passage.end for passage in embedded.chunks) <= len(content)


LONG = "The trip to Rome. " + "We saw the forum and ate well that day. " * 40


async def test_passages_are_embedded_under_the_first_sentence() -> None:
    """Every passage but the first is read with the title, and its place is the passage's alone."""
    embedder = FakeEmbedder()
    [embedded], _ = await make(embedder).embed([LONG], lane=Lane.INTERACTIVE, space=None)
    texts = embedder.calls[0][0]
    spans = [LONG[passage.start : passage.end] for passage in embedded.chunks]
    assert texts == (spans[0], *(f"The trip to Rome.\n{span}" for span in spans[1:]))
    assert not any("Rome" in span for span in spans[1:])


async def test_a_cut_passage_ends_where_the_vector_ends() -> None:
    """Of what a short-sighted model reads, the head is not the passage's."""
    [embedded], _ = await make(Terse(118)).embed([LONG], lane=Lane.INTERACTIVE, space=None)
    assert [(p.start, p.end) for p in embedded.chunks[:2]] == [
        (0, 118),
        (118, 118 + 118 - len("The trip to Rome.\n")),
    ]


async def test_the_queue_embeds_as_the_direct_way_does(store: SqliteStore) -> None:
    """What waited has the same vectors and places as if it had not."""
    for reads in (2_000, 90, 12):
        [direct], _ = await make(Terse(reads)).embed([LONG], lane=Lane.BULK, space=None)
        embedder = Terse(reads)
        content = f"{LONG}{' ' * reads}"
        await fill(store, embedder, content)
        await chores(store, embedder).drain()
        for passage in direct.chunks:
            assert passage.vector
            matches = await nearest(store, passage.vector, SPACE, Filters("n"), 10)
            assert max(match.score for match in matches) == pytest.approx(1, abs=1e-5)
        assert (await store.read(lambda it: it.queue("n"))).pending == 0
    await store.close()


async def test_a_failure_leaves_whole_passages_for_the_queue() -> None:
    """Without an embedder every passage is there, without a vector, and the reason is told."""
    embedder = FakeEmbedder()
    embedder.failure = EmbedderError("down")
    embedded, failure = await make(embedder).embed(["one", "two " * 1000], lane=Lane.BULK, space=SPACE)
    assert str(failure) == "down"
    assert [passage.vector for item in embedded for passage in item.chunks] == [None] * (1 + 8)


async def test_huge_content_is_left_to_the_queue() -> None:
    """A content of too many passages costs its caller nothing; its neighbour is embedded."""
    embedder = FakeEmbedder()
    huge = "A sentence of a very long book. " * 2000
    [small, large], failure = await make(embedder).embed(["small", huge], lane=Lane.BULK, space=SPACE)
    assert failure is None
    assert len(large.chunks) > MAX_PASSAGES_AT_ONCE
    assert {passage.vector for passage in large.chunks} == {None}
    assert small.chunks[0].vector


async def test_the_interactive_budget_is_for_all_calls_together() -> None:
    """A content that needs several calls gets the rest of its time for each, and none when it is spent."""
    clock = FakeClock()
    embedder = Terse(100)
    embedder.before_call = lambda: clock.advance(0.4)
    indexer = Indexer(embedder, interactive_budget_s=1, bulk_budget_s=20, clock=clock)
    [embedded], failure = await indexer.embed(["One. " + "word " * 70], lane=Lane.INTERACTIVE, space=None)
    assert "time for embedding ran out" in str(failure)
    assert [round(call[3], 1) for call in embedder.calls] == [1.0, 0.6, 0.2]
    assert [passage.vector is not None for passage in embedded.chunks] == [True, True, True, False]


@pytest.fixture
async def store(tmp_path: Path) -> SqliteStore:
    """Give a store."""
    return SqliteStore(tmp_path / "memory.db")


def chores(store: SqliteStore, embedder: FakeEmbedder) -> Chores:
    """Make the chores of one front."""
    return Chores(store, embedder, Upkeep(store, None), poll_s=1, bulk_budget_s=20)


async def fill(store: SqliteStore, embedder: FakeEmbedder, *contents: str) -> None:
    """Store memories while the embedder is out."""
    embedder.failure = EmbedderError("down")
    memories = Memories(store, make(embedder), on_pending=lambda: None)
    await memories.store_many([NewMemory(text, "n") for text in contents], on_progress=_ignore)
    embedder.failure = None
    embedder.calls.clear()


async def _ignore(done: int) -> None:
    del done


async def test_the_queue_is_drained_in_bulk(store: SqliteStore) -> None:
    """Everything pending gets its vector, in the bulk lane, and what was refused is set aside with its reason."""
    embedder = FakeEmbedder()
    await fill(store, embedder, *(f"memory {i}" for i in range(150)), "poison")
    embedder.rejected = {"poison"}
    await chores(store, embedder).drain()
    counts = await store.read(lambda it: it.queue("n"))
    assert (counts.pending, counts.failed, counts.last_error) == (0, 1, "failed: as told")
    assert {call[2] for call in embedder.calls} == {Lane.BULK}
    vector = (await make(embedder).embed(["memory 7"], lane=Lane.BULK, space=SPACE))[0][0].chunks[0].vector
    assert vector
    [best, *_] = await nearest(store, vector, SPACE, Filters("n"), 1)
    assert best.score == pytest.approx(1, abs=1e-6)
    await store.close()


async def test_another_engine_is_asked_again(store: SqliteStore) -> None:
    """What was refused is left alone while the same engine serves, and gets its vector from the next that can."""
    embedder = FakeEmbedder()
    await fill(store, embedder, "fine", "poison", "worse")
    embedder.made_by, embedder.rejected = "fake 1", {"poison", "worse"}
    worker = chores(store, embedder)
    await worker.drain()
    assert (await store.read(lambda it: it.queue("n"))).last_error == "failed: as told [fake 1]"
    embedder.calls.clear()
    embedder.rejected = set()
    await worker.drain()
    assert embedder.calls == []
    embedder.made_by, embedder.rejected = "fake 2", {"worse"}
    await worker.drain()
    counts = await store.read(lambda it: it.queue("n"))
    assert (counts.pending, counts.failed, counts.last_error) == (0, 1, "failed: as told [fake 2]")
    assert [call[0] for call in embedder.calls] == [("poison", "worse")]
    assert await store.verify() == []
    await store.close()


async def test_an_engine_of_another_space_is_not_asked_again(store: SqliteStore) -> None:
    """Its vectors could not be kept, so that what was refused stays told as refused."""
    embedder = FakeEmbedder()
    embedder.made_by, embedder.rejected = "fake 1", {"poison"}
    await fill(store, embedder, "fine", "poison")
    await chores(store, embedder).drain()
    embedder.made_by, embedder.space = "fake 2", Space("other-384", 384)
    await chores(store, embedder).drain()
    assert (await store.read(lambda it: it.queue("n"))).failed == 1
    await store.close()


@pytest.mark.parametrize("quarantined", [1, 100])
async def test_what_is_quarantined_waits_on(store: SqliteStore, quarantined: int) -> None:
    """It holds up nobody behind it, is asked for once each time, and gets its vector when it is pardoned."""
    embedder = FakeEmbedder()
    bad = [f"deadly {number}" for number in range(quarantined)]
    await fill(store, embedder, *bad, "LONG " + "fine words here " * 60, *(f"fine {number}" for number in range(80)))
    embedder.quarantined = set(bad)
    worker = chores(store, embedder)
    for _ in range(2):
        await worker.drain()
        counts = await store.read(lambda it: it.queue("n"))
        assert (counts.pending, counts.failed) == (quarantined, 0)
    asked = [text for call in embedder.calls for text in call[0] if text in embedder.quarantined]
    assert sorted(asked) == sorted(bad * 2)
    embedder.quarantined = set()
    await worker.drain()
    assert (await store.read(lambda it: it.queue("n"))).pending == 0
    await store.close()


async def test_a_quarantined_passage_is_stored_as_one_that_waits() -> None:
    """Its neighbours in the same memory have vectors, and it has neither a vector nor an error."""
    embedder = FakeEmbedder()
    text = " ".join(f"Sentence number {number} of them." for number in range(60))
    [whole], _ = await make(embedder).embed([text], lane=Lane.BULK, space=SPACE)
    embedder.quarantined = {embedder.calls[0][0][1]}
    [embedded], failure = await make(embedder).embed([text], lane=Lane.BULK, space=SPACE)
    assert failure is None
    assert [(p.start, p.end) for p in embedded.chunks] == [(p.start, p.end) for p in whole.chunks]
    assert [p.error for p in embedded.chunks] == [None] * len(whole.chunks)
    assert [p.vector is None for p in embedded.chunks] == [False, True] + [False] * (len(whole.chunks) - 2)


async def test_after_a_failure_less_is_tried_at_once(store: SqliteStore) -> None:
    """A machine too slow for a whole batch gets half of it the next time, and more again when that works."""
    embedder = FakeEmbedder()
    await fill(store, embedder, *(f"memory {i}" for i in range(100)))
    worker = chores(store, embedder)
    embedder.failure = EmbedderError("too slow")
    await worker.drain()
    await worker.drain()
    embedder.failure = None
    await worker.drain()
    assert [len(call[0]) for call in embedder.calls] == [64, 32, 16, 32, 52]
    assert (await store.read(lambda it: it.queue("n"))).pending == 0
    await store.close()


async def test_two_fronts_do_not_embed_one_text_twice(store: SqliteStore) -> None:
    """While one front holds the lease, another leaves the queue alone."""
    embedder, other = FakeEmbedder(), FakeEmbedder()
    await fill(store, embedder, "one", "two")
    assert await store.acquire_lease("queue", "somebody else", 60)
    await chores(store, other).drain()
    assert other.calls == []
    assert (await store.read(lambda it: it.queue("n"))).pending == 2
    await store.close()


async def test_a_batch_ends_before_its_lease_does(store: SqliteStore) -> None:
    """All calls that a batch needs share its budget: a slow machine keeps what it got done, nobody else begins it."""
    clock, embedder = FakeClock(), Terse(100)
    await fill(store, embedder, "One. " + "word " * 70)
    embedder.before_call = lambda: clock.advance(15)
    worker = Chores(store, embedder, Upkeep(store, None), poll_s=1, bulk_budget_s=20, clock=clock)
    await worker.drain()
    assert [call[3] for call in embedder.calls] == [20, 5]
    assert (await store.read(lambda it: it.queue("n"))).pending == 1
    await worker.drain()
    assert (await store.read(lambda it: it.queue("n"))).pending == 0
    assert await store.verify() == []
    await store.close()


async def test_the_lease_is_given_back(store: SqliteStore) -> None:
    """When one front is done, or its embedder fails, another may drain at once."""
    embedder = FakeEmbedder()
    await fill(store, embedder, "one", "two")
    embedder.failure = EmbedderError("down")
    await chores(store, embedder).drain()
    await chores(store, other := FakeEmbedder()).drain()
    assert [len(call[0]) for call in other.calls] == [2]
    assert (await store.read(lambda it: it.queue("n"))).pending == 0
    await store.close()


async def test_a_bug_does_not_end_the_chores(store: SqliteStore) -> None:
    """What nobody expected is logged, and the next round works."""
    rounds = asyncio.Semaphore(0)

    class Buggy(FakeEmbedder):
        """Fails once in a way that is not its own."""

        async def probe(self) -> None:
            """Raise in the first round."""
            rounds.release()
            if len(self.calls) == 0 and not store_filled:
                raise ZeroDivisionError

    embedder = Buggy()
    store_filled: list[bool] = []
    worker = Chores(store, embedder, Upkeep(store, None), poll_s=0.01, bulk_budget_s=20)
    task = asyncio.create_task(worker.run())
    async with asyncio.timeout(5):
        await rounds.acquire()
        store_filled.append(True)
        await Memories(store, make(FakeEmbedder()), on_pending=worker.wake).store(NewMemory("x", "n"))
        await rounds.acquire()
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await store.close()
