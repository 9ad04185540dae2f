"""The port EmbeddingIndex: the space of the vectors, and the queue of what has none."""

from __future__ import annotations

import pytest

from memory_mcp.domain.errors import SpaceMismatchError
from memory_mcp.domain.models import Change, Chunk, Embedded, QueueCounts, Space, Stored
from memory_mcp.domain.ports import Store
from tests.contracts.shelf import (
    HERE,
    OTHER_SPACE,
    SPACE,
    faults,
    near,
    nearest,
    new,
    offer,
    put,
    towards,
    whole,
    worded,
)


async def test_the_first_vectors_decide_the_space(store: Store) -> None:
    """A store has no space until a vector comes, and then that one's for good."""
    await put(store, "without")
    assert await store.read(lambda it: it.space()) is None
    assert await nearest(store, towards(0), OTHER_SPACE, HERE, 5) == []
    await put(store, "first", towards(0))
    assert await store.read(lambda it: it.space()) == SPACE
    await offer(store, "second")
    await store.add([(new("third"), whole("third", towards(0), OTHER_SPACE))])
    assert await store.read(lambda it: it.space()) == SPACE


async def test_refusals_decide_no_space(store: Store) -> None:
    """A space that has made no vector yet is not the store's, though its errors are kept."""
    await store.add([(new("evil"), Embedded((Chunk(0, 4, None, "too odd"),), OTHER_SPACE))])
    await put(store, "odd")
    [waiting] = await store.pending(9)
    await store.set_vectors(OTHER_SPACE, [(waiting.passage_id, [Chunk(0, 3, None, "too odd")])])
    counts = await store.read(lambda it: it.queue(None))
    assert (counts.pending, counts.failed, counts.last_error) == (0, 2, "too odd")
    assert await store.read(lambda it: it.space()) is None
    assert (await put(store, "fine", towards(0))).embedded
    assert await store.read(lambda it: it.space()) == SPACE


@pytest.mark.parametrize("space", [OTHER_SPACE, Space("space-c", 4)])
async def test_vectors_of_another_space_are_never_compared(store: Store, space: Space) -> None:
    """A query of another space is refused, also when its vectors have as many dimensions."""
    await put(store, "text", towards(0))
    with pytest.raises(SpaceMismatchError, match="space-a"):
        await nearest(store, towards(0)[: 4 * space.dimensions], space, HERE, 5)


async def test_vectors_of_another_space_are_queued_not_stored(store: Store) -> None:
    """A memory that comes with vectors of another space waits for vectors of the store's."""
    await put(store, "first", towards(0))
    [stored] = await store.add([(new("alien"), whole("alien", towards(0), OTHER_SPACE))])
    assert isinstance(stored, Stored)
    assert not stored.embedded
    assert await near(store) == ["first"]
    assert [waiting.text for waiting in await store.pending(9)] == ["alien"]
    memory = await store.get(stored.id, "here")
    updated = await store.update(memory, Change(content="aliens"), whole("aliens", towards(0), OTHER_SPACE), None)
    assert not updated.embedded
    assert [waiting.text for waiting in await store.pending(9)] == ["aliens"]
    assert await near(store) == ["first"]


async def test_what_waits_is_handed_out_oldest_first(store: Store, nul: str) -> None:
    """The queue gives each passage with its place and text, in the order in which they came."""
    await store.add([(new(f"äöü{nul} 👍 end"), Embedded((Chunk(0, 3), Chunk(4, 6, towards(0)), Chunk(6, 10)), SPACE))])
    await put(store, "second", namespace="there")
    waiting = await store.pending(9)
    assert [(passage.start, passage.text) for passage in waiting] == [(0, "äöü"), (6, " end"), (0, "second")]
    assert len({passage.passage_id for passage in waiting}) == 3
    assert await store.pending(1) == waiting[:1]


async def test_attached_vectors_make_a_memory_embedded(store: Store) -> None:
    """A memory is embedded when the last of its passages is, and found by its vectors from then on."""
    parts = (Chunk(0, 5), Chunk(6, 12))
    [stored] = await store.add([(new("first second"), Embedded(parts, None))])
    assert isinstance(stored, Stored)
    one, two = await store.pending(9)
    await store.set_vectors(SPACE, [(one.passage_id, [Chunk(0, 5, towards(0))])])
    assert await store.read(lambda it: it.space()) == SPACE
    assert not (await store.get(stored.id, "here")).embedded
    assert await store.pending(9) == [two]
    await store.set_vectors(SPACE, [(two.passage_id, [Chunk(6, 12, towards(50))])])
    assert (await store.get(stored.id, "here")).embedded
    [match] = await nearest(store, towards(50), SPACE, HERE, 9)
    assert match.passage == (6, 12)


async def test_a_passage_may_become_several(store: Store) -> None:
    """What the embedder cut is attached as passages of their own, and a rest without a vector waits on."""
    memory = await put(store, "abcdefghi")
    [waiting] = await store.pending(9)
    parts = [Chunk(0, 3, towards(0)), Chunk(3, 6, towards(60)), Chunk(6, 9)]
    await store.set_vectors(SPACE, [(waiting.passage_id, parts)])
    [match] = await nearest(store, towards(60), SPACE, HERE, 9)
    assert (match.key, match.passage) == (memory.key, (3, 6))
    assert [(rest.start, rest.text) for rest in await store.pending(9)] == [(6, "ghi")]


async def test_a_refused_passage_fails_with_its_reason(store: Store) -> None:
    """A passage that never gets a vector leaves the queue and is counted with the reason."""
    memory = await put(store, "refused words")
    await put(store, "fine", towards(0))
    [waiting] = await store.pending(9)
    await store.set_vectors(SPACE, [(waiting.passage_id, [Chunk(0, 13, None, "too odd")])])
    assert await store.pending(9) == []
    assert await store.read(lambda it: it.queue("here")) == QueueCounts(
        0, 1, last_error="too odd", last_failed=memory.id
    )
    assert not (await store.get(memory.id, "here")).embedded
    assert await near(store) == ["fine"]
    assert await worded(store, "refused") == ["refused words"]
    await store.delete([memory.id], HERE, dry_run=False)
    assert await store.read(lambda it: it.queue(None)) == QueueCounts(0, 0)


async def test_refused_passages_are_queued_again(store: Store) -> None:
    """Those that this very engine refused stay as they are; all others wait for a vector, wherever they are."""
    await put(store, "first", towards(0))
    errors = {"mine": "odd [me 1]", "theirs": "odd [you 1]", "older": "odd [me 0]", "without": "odd", "like": "[xe 1]"}
    for text, error in errors.items():
        await store.add([(new(text, id=text), Embedded((Chunk(0, len(text), None, error),), SPACE))])
    await store.add([(new("half bad"), Embedded((Chunk(0, 4, towards(0)), Chunk(5, 8, None, "odd")), SPACE))])
    assert await store.retry_failed("me 1") == 5
    assert [waiting.text for waiting in await store.pending(9)] == ["theirs", "older", "without", "like", "bad"]
    assert await store.read(lambda it: it.queue("here")) == QueueCounts(
        5, 1, last_error="odd [me 1]", last_failed="mine"
    )
    assert await store.retry_failed("me 1") == 0
    [waiting, *_] = await store.pending(9)
    await store.set_vectors(SPACE, [(waiting.passage_id, [Chunk(0, 6, towards(9))])])
    assert await store.retry_failed(None) == 1
    assert "mine" in [waiting.text for waiting in await store.pending(9)]
    assert await faults(store) == []


async def test_passages_that_were_refused_elsewhere_are_left(store: Store) -> None:
    """Before there is a space, what was refused waits again too; that of another space is nobody's concern."""
    await store.add([(new("evil"), Embedded((Chunk(0, 4, None, "odd [you]"),), OTHER_SPACE))])
    assert await store.retry_failed("me") == 1
    assert [waiting.text for waiting in await store.pending(9)] == ["evil"]
    await put(store, "fine", towards(0))
    [lacking, *_] = await store.missing_vectors(OTHER_SPACE, 0, 9)
    await store.backfill(OTHER_SPACE, [(lacking, [Chunk(0, 4, None, "odd [you]")])])
    assert await store.retry_failed("me") == 0


async def test_a_failed_passage_may_come_with_the_memory(store: Store) -> None:
    """An embedder's refusal at the time of the write is kept too."""
    embedded = Embedded((Chunk(0, 4, towards(0)), Chunk(4, 8, None, "too odd")), SPACE)
    [stored] = await store.add([(new("goodevil"), embedded)])
    assert isinstance(stored, Stored)
    assert not stored.embedded
    assert await store.read(lambda it: it.queue(None)) == QueueCounts(0, 1, last_error="too odd", last_failed=stored.id)
    assert await near(store) == ["goodevil"]


async def test_a_memory_counts_once_however_many_passages_were_refused(store: Store) -> None:
    """Memories are counted, not passages; one counts as waiting and as refused when it has passages of both kinds."""
    refused = Chunk(0, 4, None, "too odd"), Chunk(5, 8, None, "too odd"), Chunk(9, 12)
    await store.add([(new("evil bad good"), Embedded(refused, SPACE))])
    await store.add([(new("more bad"), Embedded((Chunk(0, 4), Chunk(5, 8)), SPACE))])
    counts = await store.read(lambda it: it.queue(None))
    assert (counts.pending, counts.failed) == (2, 1)


async def test_the_latest_refusal_is_told(store: Store) -> None:
    """Its reason and its memory are those of the namespace that is asked about."""
    for memory_id, namespace, error in (("a", "here", "too odd"), ("b", "here", "evil"), ("c", "there", "too long")):
        embedded = Embedded((Chunk(0, 4, None, error),), SPACE)
        await store.add([(new(f"text {memory_id}", id=memory_id, namespace=namespace), embedded)])
    assert await store.read(lambda it: it.queue("here")) == QueueCounts(0, 2, last_error="evil", last_failed="b")
    assert await store.read(lambda it: it.queue(None)) == QueueCounts(0, 3, last_error="too long", last_failed="c")


async def test_vectors_for_what_is_gone_are_passed_over(store: Store) -> None:
    """Passages that were deleted, rewritten or attached meanwhile take no vector, and their neighbours do."""
    await put(store, "from the start", towards(5))
    deleted, rewritten, _, _ = [await put(store, text) for text in ("deleted", "rewritten", "attached", "waits")]
    ids = [waiting.passage_id for waiting in await store.pending(9)]
    await store.delete([deleted.id], HERE, dry_run=False)
    await store.update(rewritten, Change(content="new"), whole("new"), None)
    await store.set_vectors(SPACE, [(ids[2], [Chunk(0, 8, towards(0))])])
    results = [(number, [Chunk(0, 1, towards(10))]) for number in (*range(ids[0]), *ids, 99_999)]
    await store.set_vectors(SPACE, results)
    matches = await nearest(store, towards(0), SPACE, HERE, 9)
    assert await near(store) == ["attached", "from the start", "waits"]
    assert [match.score for match in matches] == pytest.approx([1, 0.996, 0.985], abs=1e-3)
    assert [waiting.text for waiting in await store.pending(9)] == ["new"]


async def test_vectors_of_another_space_are_not_attached(store: Store) -> None:
    """What waits goes on waiting when the vectors are of another space."""
    await put(store, "first", towards(0))
    await put(store, "waits")
    [waiting] = await store.pending(9)
    await store.set_vectors(OTHER_SPACE, [(waiting.passage_id, [Chunk(0, 5, towards(0))])])
    await store.set_vectors(OTHER_SPACE, [(waiting.passage_id, [Chunk(0, 5, None, "refused there")])])
    assert await store.pending(9) == [waiting]
    assert await near(store) == ["first"]


async def test_the_queue_counts_memories(store: Store) -> None:
    """A memory with several waiting passages counts once, in its namespace and in all."""
    await store.add([(new("one two"), Embedded((Chunk(0, 3), Chunk(4, 7)), None))])
    await put(store, "three", namespace="there")
    await put(store, "done", towards(0))
    assert await store.read(lambda it: it.queue("here")) == QueueCounts(1, 0)
    assert await store.read(lambda it: it.queue("there")) == QueueCounts(1, 0)
    assert await store.read(lambda it: it.queue(None)) == QueueCounts(2, 0)
    assert await store.read(lambda it: it.queue("nowhere")) == QueueCounts(0, 0)
