"""Which of the ranked memories are shown, in which order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_mcp.domain.models import Memory
from memory_mcp.search import results
from memory_mcp.search.models import Hit, NearMisses, Ranked
from memory_mcp.search.policy import DEFAULT_POLICY
from memory_mcp.search.results import near_misses

in_order = partial(results.in_order, policy=DEFAULT_POLICY.selection)
collapsed = partial(results.collapsed, policy=DEFAULT_POLICY.selection)
worth_loading = partial(results.worth_loading, policy=DEFAULT_POLICY.selection)

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def hit(key: int, score: float = 0.5, content: str = "", days: float = 0) -> Hit:
    """Make a hit of some age."""
    then = NOW - timedelta(days=days)
    return Hit(
        Memory(key, f"m{key}", "n", content, (), "note", {}, None, then, then, 1, embedded=True), Ranked(key, score)
    )


def keys(hits: list[Hit]) -> list[int]:
    """Return the hits' keys."""
    return [hit.memory.key for hit in hits]


def test_of_equal_ones_the_newer_comes_first() -> None:
    """Without a weight, age decides between equal scores only."""
    hits = [hit(1, 0.5, days=9), hit(2, 0.5, days=1), hit(3, 0.50004, days=5), hit(4, 0.6, days=900)]
    assert keys(in_order(hits, 0)) == [4, 2, 3, 1]


def test_recency_lifts_the_newer_but_hides_nothing() -> None:
    """With its full weight, an old memory ranks like a new one of half its score; the scores stay."""
    hits = [hit(1, 0.8, days=3_000), hit(2, 0.39), hit(3, 0.41)]
    assert keys(in_order(hits, 0)) == [1, 3, 2]
    assert keys(in_order(hits, 1)) == [3, 1, 2]
    assert [found.ranked.score for found in in_order(hits, 1)] == [0.41, 0.8, 0.39]


@pytest.mark.parametrize("newer", [timedelta(seconds=1), timedelta(hours=1), timedelta(days=1), timedelta(days=4_000)])
@pytest.mark.parametrize("oldest", [0.0, 0.1, 10, 400, 20_000])
def test_recency_works_at_every_age(newer: timedelta, oldest: float) -> None:
    """Of two statements of one fact the newer comes first, whether seconds or years lie between them."""
    older = hit(1, 0.62, days=oldest + newer / timedelta(days=1))
    hits = [older, hit(2, 0.58, days=oldest), *(hit(key, 0.4, days=oldest + 5_000 + key) for key in range(3, 30))]
    assert keys(in_order(hits, 0))[:2] == [1, 2]
    for recency in (0.3, 0.6, 1):
        assert keys(in_order(hits, recency))[:2] == [2, 1]


@pytest.mark.parametrize("recency", [0.1, 0.5, 0.9, 1])
def test_of_two_the_newer_comes_first_within_the_margin_that_recency_gives(recency: float) -> None:
    """It may be weaker by half of `recency`, and not by more."""
    margin = 1 - recency / 2
    assert keys(in_order([hit(1, 0.8, days=9), hit(2, 0.8 * margin + 0.001)], recency)) == [2, 1]
    assert keys(in_order([hit(1, 0.8, days=9), hit(2, 0.8 * margin - 0.001)], recency)) == [1, 2]


@pytest.mark.parametrize("recency", [0, 0.3, 1])
def test_nothing_to_weigh_is_no_fault(recency: float) -> None:
    """No hit, one hit and hits without a score are put in order."""
    assert in_order([], recency) == []
    assert keys(in_order([hit(1, 0.3)], recency)) == [1]
    assert keys(in_order([hit(1, 0.0, days=3), hit(2, 0.0)], recency)) == [2, 1]


@given(
    scores=st.lists(st.floats(0.01, 1), min_size=2, max_size=80),
    recency=st.floats(0, 1),
    limit=st.integers(1, 20),
    seed=st.randoms(use_true_random=False),
)
def test_what_is_not_loaded_could_not_be_shown(scores: list[float], recency: float, limit: int, seed: Random) -> None:
    """Leaving out the weak ones before they are read changes nothing."""
    hits = [hit(key, score, days=seed.uniform(0, 4_000)) for key, score in enumerate(sorted(scores, reverse=True))]
    loaded = set(worth_loading({found.memory.key: found.ranked.score for found in hits}, limit, recency))
    first = in_order([found for found in hits if found.memory.key in loaded], recency)[:limit]
    assert first == in_order(hits, recency)[:limit]


NOTE = "The plumber comes on Friday to fix the kitchen sink, and we should be home before he rings the bell at noon"
SAME = "the plumber comes on Friday to fix the kitchen sink -- and we should be home before he rings the bell at NOON!"


@pytest.mark.parametrize(
    ("content", "alike"),
    [
        (SAME, True),
        (NOTE.replace("fix", "fix"), True),
        (NOTE + " sharp", True),
        (NOTE.replace("Friday", "Monday").replace("kitchen", "bath room").replace("noon", "one"), False),
        ("The plumber comes", False),
    ],
)
def test_near_duplicates_are_shown_once(content: str, alike: bool) -> None:  # noqa: FBT001 - a parameter
    """Case, punctuation and a word in ten make no difference, and the first says whom it stands for."""
    found = collapsed([hit(1, 0.9, NOTE), hit(2, 0.8, content), hit(3, 0.7, "else")], 5)
    assert keys(found) == ([1, 3] if alike else [1, 2, 3])
    assert found[0].duplicates == (("m2",) if alike else ())


def test_other_numbers_are_other_facts() -> None:
    """What differs in a number alone is not the same."""
    assert len(collapsed([hit(1, content=f"{NOTE} at 12"), hit(2, content=f"{NOTE} at 11")], 5)) == 2


def test_other_vowels_are_other_words() -> None:
    """Contents of an abugida that differ in vowel signs are no duplicates; pointed and plain Arabic are."""
    assert len(collapsed([hit(1, content="किताब कम"), hit(2, content="कताब काम")], 5)) == 2
    assert len(collapsed([hit(1, content="كِتَابٌ جَدِيد"), hit(2, content="كتاب جديد")], 5)) == 1
    assert len(collapsed([hit(1, content="I like C++"), hit(2, content="I like C")], 5)) == 2


def test_duplicates_beyond_the_limit_are_counted() -> None:
    """The first hits stand for all their duplicates, however far down."""
    hits = [hit(1, content="a b"), hit(2, content="c d"), hit(3, content="e f"), hit(4, content="A B")]
    found = collapsed(hits, 2)
    assert [(one.memory.key, one.duplicates) for one in found] == [(1, ("m4",)), (2, ())]


def test_long_contents_are_compared_as_a_whole() -> None:
    """Of long texts only equal ones are duplicates."""
    long = "word " * 5_000
    hits = [hit(1, content=long), hit(2, content=long.upper()), hit(3, content=long + "end")]
    assert keys(collapsed(hits, 5)) == [1, 3]


def test_near_misses_are_told_when_nothing_passes() -> None:
    """How many results there would have been, and how good the best is; nothing where something passes or fits."""
    ranked = [0.4, 0.3, 0.0]
    assert near_misses(ranked, 0.5, 10) == NearMisses(2, 0.4)
    assert near_misses(ranked, 0.5, 1) == NearMisses(1, 0.4)
    assert near_misses(ranked, 0.35, 10) is None
    assert near_misses([], 0.5, 10) is None
