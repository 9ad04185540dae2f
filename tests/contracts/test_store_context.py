"""The port Snapshot: what lies around a memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from memory_mcp.domain.errors import SpaceMismatchError
from memory_mcp.domain.models import BackgroundScores, Chunk, Embedded, Memory, Neighbours, Outline
from memory_mcp.domain.ports import Store
from tests.contracts.shelf import HERE, OTHER_SPACE, SHARES, SPACE, new, put, towards

START = datetime(2024, 5, 17, tzinfo=UTC)


async def say(store: Store, minute: int, degrees: float | None = 0, talk: str | None = "c", **more: str) -> Memory:
    """Store a turn of a conversation."""
    moment = START + timedelta(minutes=minute)
    vector = None if degrees is None else towards(degrees)
    text = f"turn {minute} of {talk} {more}"
    return await put(store, text, vector, conversation_id=talk, created_at=moment, **more)


def cosine(parts: Sequence[tuple[float, float]]) -> float:
    """Return the cosine between `towards(0)` and the sum of (weight, degrees)."""
    x = sum(weight * math.cos(math.radians(degrees)) for weight, degrees in parts)
    y = sum(weight * math.sin(math.radians(degrees)) for weight, degrees in parts)
    return x / math.hypot(x, y)


async def test_neighbours_are_in_the_order_of_the_conversation(store: Store) -> None:
    """Time decides, then arrival, and two on each side are told, the nearest first."""
    late, early = await say(store, 5), await say(store, 1)
    middle, twin = (
        await say(store, 3),
        await put(store, "twin", conversation_id="c", created_at=START + timedelta(minutes=3)),
    )
    last = await say(store, 9)
    found = await store.read(
        lambda it: it.everywhere().neighbours([late.key, early.key, middle.key, twin.key, last.key])
    )
    assert found == {
        early.key: Neighbours((), (middle.key, twin.key)),
        middle.key: Neighbours((early.key,), (twin.key, late.key)),
        twin.key: Neighbours((middle.key, early.key), (late.key, last.key)),
        late.key: Neighbours((twin.key, middle.key), (last.key,)),
        last.key: Neighbours((late.key, twin.key), ()),
    }


async def test_only_the_living_of_one_conversation_are_neighbours(store: Store) -> None:
    """Other conversations, other namespaces, no conversation at all and deleted turns do not come in between."""
    first = await say(store, 1)
    await say(store, 2, talk="other")
    await say(store, 3, namespace="there")
    gone, loner = await say(store, 4), await say(store, 5, talk=None)
    second = await say(store, 6)
    await store.delete([gone.id], HERE, dry_run=False)
    found = await store.read(
        lambda it: it.everywhere().neighbours([first.key, gone.key, loner.key, second.key, 99_999])
    )
    assert found == {first.key: Neighbours((), (second.key,)), second.key: Neighbours((first.key,), ())}
    assert await store.read(lambda it: it.everywhere().neighbours([])) == {}


async def test_a_memory_means_what_it_means_among_its_neighbours(store: Store) -> None:
    """The neighbours count half and a quarter; those without a vector and those further away count nothing."""
    turns = [await say(store, minute, degrees) for minute, degrees in enumerate((90, 80, 10, None, 40, 120, 0))]
    found = await store.read(
        lambda it: it.everywhere().contextual_similarity(towards(0), SPACE, [turn.key for turn in turns], SHARES)
    )
    assert turns[3].key not in found
    assert found[turns[2].key] == pytest.approx(cosine([(1, 10), (0.5, 80), (0.25, 90), (0.25, 40)]), abs=1e-5)
    assert found[turns[0].key] == pytest.approx(cosine([(1, 90), (0.5, 80), (0.25, 10)]), abs=1e-5)
    assert found[turns[6].key] == pytest.approx(cosine([(1, 0), (0.5, 120), (0.25, 40)]), abs=1e-5)


@pytest.mark.parametrize("shares", [(), (0.75,), (0.0625, 1), (0.5, 0.25)])
async def test_neighbours_count_as_much_as_is_asked(store: Store, shares: tuple[float, ...]) -> None:
    """By their distance, and those without a share nothing; what was asked before does not matter."""
    turns = [await say(store, minute, degrees) for minute, degrees in enumerate((90, 80, 10, 40, 120))]
    key = turns[2].key
    wanted = cosine([(1, 10), *((w, d) for w, pair in zip(shares, ((80, 40), (90, 120)), strict=False) for d in pair)])
    other = await store.read(lambda it: it.everywhere().contextual_similarity(towards(0), SPACE, [key], SHARES))
    for _ in range(2):
        found = await store.read(lambda it: it.everywhere().contextual_similarity(towards(0), SPACE, [key], shares))
        assert found == {key: pytest.approx(wanted, abs=1e-5)}
    assert other == await store.read(lambda it: it.everywhere().contextual_similarity(towards(0), SPACE, [key], SHARES))


async def test_what_is_said_later_belongs_to_the_context_at_once(store: Store) -> None:
    """A memory that was asked for before means something else after the next turn, for any query."""
    first = await say(store, 1, 30)
    found = await store.read(
        lambda it: [
            it.everywhere().contextual_similarity(towards(asked), SPACE, [first.key], SHARES) for asked in (0, 30)
        ]
    )
    assert found == [{first.key: pytest.approx(cosine([(1, 30 - asked)]), abs=1e-5)} for asked in (0, 30)]
    await say(store, 2, 90)
    later = await store.read(lambda it: it.everywhere().contextual_similarity(towards(0), SPACE, [first.key], SHARES))
    assert later == {first.key: pytest.approx(cosine([(1, 30), (0.5, 90)]), abs=1e-5)}


async def test_without_a_conversation_there_is_no_context(store: Store) -> None:
    """Memories outside of conversations are absent, and a turn alone means what it means."""
    loner, alone = await say(store, 1, 30, talk=None), await say(store, 2, 60)
    found = await store.read(
        lambda it: it.everywhere().contextual_similarity(towards(0), SPACE, [loner.key, alone.key], SHARES)
    )
    assert found == {alone.key: pytest.approx(0.5, abs=1e-5)}


async def test_long_turns_are_seen_by_their_passages(store: Store) -> None:
    """Of the memory itself the nearest passage counts, of a neighbour the first that has a vector."""
    parts = (Chunk(0, 3), Chunk(4, 7, towards(70)), Chunk(8, 13, towards(20)))
    for place in range(2):
        talk = new("one two three"[: 13 - place] + "!" * place, conversation_id="c", id=str(place), created_at=START)
        await store.add([(talk, Embedded(parts, SPACE))])
    first = await store.get("0", "here")
    found = await store.read(lambda it: it.everywhere().contextual_similarity(towards(0), SPACE, [first.key], SHARES))
    assert found == {first.key: pytest.approx(cosine([(1, 20), (0.5, 70)]), abs=1e-5)}


async def test_a_sample_holds_everything_when_there_is_little(store: Store) -> None:
    """All passages of the namespace that have a vector are counted, those of others and deleted ones are not."""
    assert await store.read(lambda it: it.background_scores(towards(0), SPACE, "here", 5)) == BackgroundScores(0, ())
    parts = (Chunk(0, 3, towards(0)), Chunk(4, 7, towards(60)), Chunk(8, 13))
    await store.add([(new("one two three"), Embedded(parts, SPACE))])
    gone = await put(store, "gone", towards(10))
    await put(store, "behind", towards(180))
    await put(store, "elsewhere", towards(20), namespace="there")
    await store.delete([gone.id], HERE, dry_run=False)
    sample = await store.read(lambda it: it.background_scores(towards(0), SPACE, "here", 5))
    assert sample.chunks == 3
    assert sorted(sample.cosines) == pytest.approx([-1, 0.5, 1], abs=1e-5)
    assert (await store.read(lambda it: it.background_scores(towards(0), SPACE, "there", 5))).chunks == 1
    assert await store.read(lambda it: it.background_scores(towards(0), SPACE, "nowhere", 5)) == BackgroundScores(0, ())


async def test_a_sample_of_many_is_of_different_ones(store: Store) -> None:
    """As many as were asked for come, no passage twice, the same ones for the same question."""
    items = [(new(f"{n}"), Embedded((Chunk(0, 1, towards(n / 10)),), SPACE)) for n in range(700)]
    await store.add(items)
    sample = await store.read(lambda it: it.background_scores(towards(0), SPACE, "here", 128))
    assert (sample.chunks, len(sample.cosines)) == (700, 128)
    assert len(set(sample.cosines)) > 120  # 32-bit cosines of small angles fall together
    assert await store.read(lambda it: it.background_scores(towards(0), SPACE, "here", 128)) == sample


async def test_other_spaces_have_no_context_here(store: Store) -> None:
    """Vectors of another space are refused."""
    turn = await say(store, 1)
    with pytest.raises(SpaceMismatchError, match="space-a"):
        await store.read(lambda it: it.everywhere().contextual_similarity(towards(0), OTHER_SPACE, [turn.key], SHARES))
    with pytest.raises(SpaceMismatchError, match="space-a"):
        await store.read(lambda it: it.background_scores(towards(0), OTHER_SPACE, "here", 5))


async def test_words_that_are_tags_are_known(store: Store) -> None:
    """Tags of live memories of the namespace count, in upper or lower case, in either form of Unicode."""
    await put(store, "one", tags=("red", "Blue sky", "\u00c9t\u00e9"))
    await put(store, "two", tags=("green",), namespace="there")
    gone = await put(store, "three", tags=("gone",))
    await store.delete([gone.id], HERE, dry_run=False)
    asked = ["red", "Red", "blue SKY", "e\u0301te\u0301", "green", "gone", "sky"]
    assert await store.read(lambda it: it.tags_among(asked, "here")) == {"red", "Red", "blue SKY", "e\u0301te\u0301"}
    assert await store.read(lambda it: it.tags_among([], "here")) == frozenset()


async def test_an_outline_tells_a_content_that_is_short(store: Store) -> None:
    """Its bytes count, not its characters; the time is the memory's own; what is deleted has none."""
    umlauts, plain = await put(store, "äöü", created_at=START), await put(store, "seven b", created_at=START)
    gone = await put(store, "gone")
    await store.delete([gone.id], HERE, dry_run=False)
    found = await store.read(lambda it: it.everywhere().outlines([umlauts.key, plain.key, gone.key, 99_999], 6))
    assert found == {umlauts.key: Outline(START, 6, "äöü"), plain.key: Outline(START, 7, None)}
    assert await store.read(lambda it: it.everywhere().outlines([], 6)) == {}
