"""The port Snapshot: documents, which are counted and searched apart."""

from __future__ import annotations

from memory_mcp.domain.models import DOCUMENT, Change, Chunk, Filters, MissingVectors
from memory_mcp.domain.ports import Snapshot, Store
from memory_mcp.search.lexical.query import QueryAnalyzer
from memory_mcp.search.policy import DEFAULT_POLICY
from tests.contracts.shelf import HERE, OTHER_SPACE, SPACE, faults, keyword_search, nearest, part, put, towards, whole

Seen = tuple[set[str], set[str], int, dict[str, int], tuple[str, ...], int]
"""What meaning and words find, how many memories there are, how many hold "hotel", the languages, and the sample."""


async def seen(store: Store, filters: Filters = HERE, *, documents: bool) -> Seen:
    """Return what a search knows of a part."""

    def counted(snapshot: Snapshot) -> tuple[int, dict[str, int], tuple[str, ...], int]:
        asked, namespace = part(snapshot, documents=documents), filters.namespace
        words = QueryAnalyzer.of(asked, namespace, DEFAULT_POLICY.lexical).content_words("hotel")
        frequencies = asked.document_frequencies(words, namespace)
        sample = asked.background_scores(towards(0), SPACE, namespace, 9)
        return frequencies.memories, dict(frequencies.counts), asked.languages(namespace), sample.chunks

    near = [match.key for match in await nearest(store, towards(0), SPACE, filters, 9, documents=documents)]
    worded = list((await keyword_search(store, "hotel", filters, 9, documents=documents)).scores)
    memories = await store.read(lambda it: it.everywhere().fetch([*near, *worded]))
    by_meaning, by_words = ({memories[key].content for key in keys} for keys in (near, worded))
    return by_meaning, by_words, *await store.read(counted)


EMPTY: Seen = set(), set(), 0, {}, (), 0


async def test_documents_and_others_know_nothing_of_each_other(store: Store) -> None:
    """Frequencies, languages, samples and searches are of the documents of a namespace, or of all else in it."""
    await put(store, "the hotel is paid", towards(10))
    assert await seen(store, documents=True) == EMPTY
    await put(store, "Ich habe das Hotel bezahlt", towards(20), type=DOCUMENT)
    await put(store, "the hotel, a report", towards(30), type=DOCUMENT)
    await put(store, "hotel reports elsewhere", towards(0), type=DOCUMENT, namespace="there")
    both = {"Ich habe das Hotel bezahlt", "the hotel, a report"}
    assert await seen(store, documents=True) == (both, both, 2, {"hotel": 2}, ("de",), 2)
    one = {"the hotel is paid"}
    assert await seen(store, documents=False) == (one, one, 1, {"hotel": 1}, (), 1)
    assert await seen(store, Filters("there"), documents=False) == EMPTY


async def test_filters_narrow_each_part(store: Store) -> None:
    """What passes them in the other part is not found."""
    await put(store, "hotel", towards(10), tags=("red",))
    await put(store, "hotel two", towards(20), tags=("red",), type=DOCUMENT)
    await put(store, "hotel three", towards(20), type=DOCUMENT)
    red = Filters("here", tags=("red",))
    assert (await seen(store, red, documents=False))[:2] == ({"hotel"}, {"hotel"})
    assert (await seen(store, red, documents=True))[:2] == ({"hotel two"}, {"hotel two"})


async def test_a_memory_that_becomes_a_document_moves(store: Store) -> None:
    """With its vector, its words and what is counted of it; and back, with a part that waits."""
    memory = await put(store, "hotel", towards(10))
    memory = await store.update(memory, Change(type=DOCUMENT), None, None)
    assert await seen(store, documents=False) == EMPTY
    assert await seen(store, documents=True) == ({"hotel"}, {"hotel"}, 1, {"hotel": 1}, (), 1)
    memory = await store.update(memory, Change(content="a hotel", type="note"), whole("a hotel"), None)
    assert (await seen(store, documents=False))[1:4] == ({"a hotel"}, 1, {"hotel": 1})
    [waiting] = await store.pending(9)
    await store.set_vectors(SPACE, [(waiting.passage_id, [Chunk(0, 7, towards(40))])])
    assert (await seen(store, documents=False))[0] == {"a hotel"}
    assert await seen(store, documents=True) == EMPTY
    assert await faults(store) == []


async def test_a_document_comes_back_where_it_was(store: Store) -> None:
    """Deleted it is in neither part; undeleted, embedded later or in another space, among the documents."""
    memory = await put(store, "hotel", towards(10), type=DOCUMENT)
    await store.delete([memory.id], HERE, dry_run=False)
    assert await seen(store, documents=True) == EMPTY
    await store.undelete(memory, whole("hotel"))
    [waiting] = await store.pending(9)
    await store.set_vectors(SPACE, [(waiting.passage_id, [Chunk(0, 5, towards(40))])])
    assert (await seen(store, documents=True))[:3] == ({"hotel"}, {"hotel"}, 1)
    lacking = MissingVectors(memory.key, "hotel")
    await store.backfill(OTHER_SPACE, [(lacking, [Chunk(0, 5, towards(50))])])
    assert await store.activate_space(OTHER_SPACE)
    assert len(await nearest(store, towards(0), OTHER_SPACE, HERE, 9, documents=True)) == 1
    assert await nearest(store, towards(0), OTHER_SPACE, HERE, 9) == []
    assert await faults(store) == []


async def test_a_namespace_is_one_whatever_it_holds(store: Store) -> None:
    """What is listed and counted does not tell the parts of a namespace apart."""
    await put(store, "hotel")
    await put(store, "hotel two", type=DOCUMENT)
    await put(store, "hotel three", type=DOCUMENT, namespace="hereafter")
    assert await store.namespaces_like("here", 9) == ["here", "hereafter"]
    totals = await store.totals()
    assert (totals.memories, totals.namespaces) == (3, 2)
