"""A search of two namespaces: one answer, in one order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from memory_mcp.domain.models import Filters, Memory
from memory_mcp.search.joining import joined
from memory_mcp.search.models import Hit, NearMisses, Ranked, SearchAnswer, SearchQuery
from memory_mcp.search.policy import DEFAULT_POLICY
from memory_mcp.search.results import in_order

NOW = datetime(2026, 11, 20, tzinfo=UTC)
OWN, SHARED = "project", "default"
Scored = list[tuple[float, int]]
scored = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 9)), max_size=12)


def query(**more: object) -> SearchQuery:
    """Make a query."""
    return replace(SearchQuery("key", Filters(OWN)), **more)  # type: ignore[arg-type]  # any field


def hits(namespace: str, found: Scored, start: int) -> list[Hit]:
    """Make hits of (score, age in days)."""
    made = []
    for key, (score, days) in enumerate(found, start):
        then = NOW - timedelta(days=days)
        memory = Memory(key, f"m{key}", namespace, f"number {key}", (), "note", {}, None, then, then, 1, embedded=True)
        made.append(Hit(memory, Ranked(key, score)))
    return made


def answer(found: list[Hit], asked: SearchQuery, **more: object) -> SearchAnswer:
    """Make what a search of one namespace answers."""
    best = in_order(found, asked.recency, DEFAULT_POLICY.selection)[: asked.limit]
    made = SearchAnswer(tuple(best), "hybrid", "topic", None, 0, weak=not best)
    return replace(made, **more)  # type: ignore[arg-type]  # any field


@given(own=scored, beside=scored, limit=st.integers(1, 20))
def test_it_is_what_one_namespace_with_both_would_give(own: Scored, beside: Scored, limit: int) -> None:
    """The best of all memories within the limit, of equal ones the newer, each marked that is not the caller's."""
    asked = query(limit=limit)
    mine, theirs = hits(OWN, own, 1), hits(SHARED, beside, 100)
    got = joined(asked, answer(mine, asked), answer(theirs, asked)).hits

    def rank(hit: Hit) -> tuple[float, datetime]:
        return round(hit.ranked.score, DEFAULT_POLICY.selection.equal_digits), hit.memory.created_at

    assert [rank(hit) for hit in got] == sorted(map(rank, [*mine, *theirs]), reverse=True)[:limit]
    assert len({hit.memory.key for hit in got}) == len(got)
    assert all(hit.namespace == (SHARED if hit.memory.namespace == SHARED else None) for hit in got)


@given(own=scored, beside=scored, recency=st.floats(0.01, 1))
def test_age_decides_as_in_one_namespace(own: Scored, beside: Scored, recency: float) -> None:
    """With a limit that leaves nothing out, the order is that of all of them together."""
    asked = query(limit=100, recency=recency)
    mine, theirs = hits(OWN, own, 1), hits(SHARED, beside, 100)
    got = joined(asked, answer(mine, asked), answer(theirs, asked)).hits
    together = in_order([*mine, *theirs], recency, DEFAULT_POLICY.selection)
    assert [hit.memory.key for hit in got] == [hit.memory.key for hit in together]


def test_what_is_said_of_both() -> None:
    """Something that fits in either namespace fits; what waits for vectors adds up; a reason is kept."""
    asked = query(limit=3)
    mine = answer(hits(OWN, [(0.2, 1)], 1), asked, weak=True, pending=2)
    theirs = answer(hits(SHARED, [(0.9, 1)], 9), asked, pending=3, degraded="no daemon")
    both = joined(asked, mine, theirs)
    assert (both.weak, both.pending, both.degraded) == (False, 5, "no daemon")
    nothing = [answer([], asked, near_misses=NearMisses(count, best)) for count, best in ((2, 0.3), (2, 0.4))]
    assert joined(asked, *nothing).near_misses == NearMisses(3, 0.4)
    assert joined(asked, nothing[0], theirs).near_misses is None


def test_a_near_duplicate_elsewhere_is_counted() -> None:
    """With `collapse`, the project's own stands for the one in the default."""
    asked = query(collapse=True)
    mine, theirs = hits(OWN, [(0.9, 1)], 1), hits(SHARED, [(0.8, 1)], 9)
    twin = replace(theirs[0], memory=replace(theirs[0].memory, content=mine[0].memory.content))
    [only] = joined(asked, answer(mine, asked), answer([twin], asked)).hits
    assert (only.memory.namespace, only.duplicates) == (OWN, (twin.memory.id,))
