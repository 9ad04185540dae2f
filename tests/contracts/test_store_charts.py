"""The port Snapshot: counts and places of many memories."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memory_mcp.domain.models import DOCUMENT, Chunk, Embedded, Filters
from memory_mcp.domain.ports import Store
from tests.contracts.shelf import HERE, OTHER_SPACE, SPACE, new, put, towards, whole
from tests.fakes.clock import FakeClock
from tests.fakes.store import FakeStore

DAY = datetime(2024, 5, 17, tzinfo=UTC)
HOUR = timedelta(hours=1)
TAGS = st.lists(st.sampled_from(["a", "A", "b", "c", "ü", "Ü"]), max_size=3, unique_by=str.casefold).map(tuple)


async def test_an_empty_store_has_no_extent_and_counts_nothing(store: Store) -> None:
    """Charts of nothing are empty, not errors."""
    assert await store.read(lambda it: it.extent(HERE)) is None
    assert await store.read(lambda it: it.density(HERE, [DAY, DAY + HOUR])) == [0]
    assert await store.read(lambda it: it.labels(HERE, "tag")) == []
    assert await store.read(lambda it: it.embedded_keys(0, 10)) == []


async def test_a_count_takes_its_first_edge_and_leaves_its_last_to_the_next(store: Store) -> None:
    """Every memory between the outer edges counts once."""
    for minutes in (0, 59, 60, 119, 120):
        await put(store, f"after {minutes}", created_at=DAY + timedelta(minutes=minutes))
    edges = [DAY, DAY + HOUR, DAY + 2 * HOUR]
    assert await store.read(lambda it: it.density(HERE, edges)) == [2, 2]
    assert await store.read(lambda it: it.density(HERE, edges[:1])) == []
    assert await store.read(lambda it: it.extent(HERE)) == (DAY, DAY + 2 * HOUR)


async def test_filters_hold_for_every_chart(store: Store) -> None:
    """What lies in another namespace, was deleted or does not match is neither counted nor labelled."""
    kept = await put(store, "kept", created_at=DAY, tags=("red",), type="fact")
    await put(store, "elsewhere", created_at=DAY, tags=("red",), type="fact", namespace="there")
    await put(store, "a document", created_at=DAY - HOUR, tags=("red",), type=DOCUMENT)
    await put(store, "another type", created_at=DAY + HOUR, tags=("blue",))
    gone = await put(store, "gone", created_at=DAY, tags=("red",), type="fact")
    await store.delete([gone.id], HERE, dry_run=False)
    asked = Filters("here", tags=("RED",), documents=False)
    assert await store.read(lambda it: it.density(asked, [DAY - HOUR, DAY, DAY + 2 * HOUR])) == [0, 1]
    assert await store.read(lambda it: it.extent(asked)) == (DAY, DAY)
    assert await store.read(lambda it: it.labels(asked, "type")) == [(kept.key, "fact")]


async def test_a_memory_is_labelled_by_its_most_used_tag(store: Store) -> None:
    """Tags are counted whatever their case, and shown as the first memory has them."""
    memories = [
        await put(store, content, tags=tags)
        for content, tags in (
            ("one", ("Red",)),
            ("two", ("red", "blue")),
            ("three", ("blue",)),
            ("four", ("aim", "red")),
            ("five", ()),
        )
    ]
    labels = ["Red", "Red", "blue", "Red", ""]
    expected = [(memory.key, label) for memory, label in zip(memories, labels, strict=True)]
    assert await store.read(lambda it: it.labels(HERE, "tag")) == expected


async def test_keys_with_a_vector_come_in_order(store: Store) -> None:
    """Of every namespace, once each, if a chunk has its vector in the active space; pages begin after a key."""
    two = Embedded((Chunk(0, 3, towards(10)), Chunk(3, 7, towards(20))), SPACE)
    refused = Embedded((Chunk(0, 3, None, "refused [made by]"), Chunk(3, 7, towards(30))), SPACE)
    unwell = Embedded((Chunk(0, 6, None, "refused [made by]"),), SPACE)
    await store.add([(new("one two"), two), (new("three"), whole("three")), (new("not two"), refused)])
    await store.add([(new("other"), whole("other", towards(40), OTHER_SPACE)), (new("unwell"), unwell)])
    last = await put(store, "last", towards(50), namespace="there")
    gone = await put(store, "gone", towards(60))
    await store.delete([gone.id], HERE, dry_run=False)
    found = await store.read(lambda it: it.embedded_keys(0, 10))
    fetched = await store.read(lambda it: it.everywhere().fetch(found))
    assert [fetched[key].content for key in found] == ["one two", "not two", "last"]
    assert await store.read(lambda it: it.embedded_keys(0, 2)) == found[:2]
    assert await store.read(lambda it: it.embedded_keys(found[1], 2)) == [last.key]
    assert await store.read(lambda it: it.embedded_keys(last.key, 2)) == []


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 50), TAGS), max_size=12))
async def test_every_store_counts_and_labels_alike(
    store: Store, clock: FakeClock, given_memories: list[tuple[int, tuple[str, ...]]]
) -> None:
    """As the fake does, whose methods are loops."""
    simple = FakeStore(clock)
    namespace = f"run {clock()} {len(given_memories)} {hash(tuple(given_memories))}"
    for each in (store, simple):
        for place, (hours, tags) in enumerate(given_memories):
            await put(each, f"memory {place}", created_at=DAY + hours * HOUR, tags=tags, namespace=namespace)
    filters, edges = Filters(namespace), [DAY + hours * HOUR for hours in (0, 1, 7, 24, 25, 51)]
    counted = await store.read(lambda it: it.density(filters, edges))
    assert counted == await simple.read(lambda it: it.density(filters, edges))
    assert sum(counted) == len((await store.read(lambda it: it.page(filters, limit=100, cursor=None))).memories)
    labels = await store.read(lambda it: it.labels(filters, "tag"))
    assert [label for _, label in labels] == [
        label for _, label in await simple.read(lambda it: it.labels(filters, "tag"))
    ]
