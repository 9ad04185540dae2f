"""The policy of search: what its numbers may be."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import fields, is_dataclass, replace
from operator import attrgetter
from pathlib import Path

import pytest

from memory_mcp.domain.models import Filters, NewMemory
from memory_mcp.memories.indexing import Indexer
from memory_mcp.memories.service import Memories
from memory_mcp.search import policy
from memory_mcp.search.models import SearchQuery
from memory_mcp.search.pipeline import SearchPipeline
from memory_mcp.search.policy import DEFAULT_POLICY, NOT_MEASURED, SearchPolicy
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.fakes.embedder import FakeEmbedder

PARTS = [field.name for field in fields(SearchPolicy)]


def numbers() -> Iterator[tuple[str, str]]:
    """Yield each number's part and name."""
    for part in PARTS:
        for field in fields(getattr(DEFAULT_POLICY, part)):
            if type(getattr(getattr(DEFAULT_POLICY, part), field.name)) in {int, float}:
                yield part, field.name


@pytest.mark.parametrize(("part", "name"), [place for place in numbers() if place != ("fusion", "midpoint")])
def test_a_number_outside_its_range_is_refused(part: str, name: str) -> None:
    """The error names the field, its range and what was given; no field is left out."""
    chosen = getattr(DEFAULT_POLICY, part)
    with pytest.raises(ValueError, match=rf"{type(chosen).__name__}\.{name} must be .*, not -1"):
        replace(chosen, **{name: -1})
    with pytest.raises(ValueError, match=name):
        replace(chosen, **{name: float("nan")})


@pytest.mark.parametrize(
    ("part", "changes", "message"),
    [
        ("fusion", {"min": 7}, r"FusionPolicy\.min must be from 0 to 1, not 7"),
        ("fusion", {"min": 0.9, "span": 0.2}, r"FusionPolicy\.span must be from 0 to 0\.1, not 0\.2"),
        ("candidates", {"growth": 1}, r"CandidatePolicy\.growth must be 2 or more, not 1"),
        ("conversation", {"keyword_shares": (0.5, 0.25, 0.125)}, r"keyword_shares must be at most two shares"),
        ("conversation", {"keyword_shares": (1.5,)}, r"keyword_shares must be .* each from 0 to 1, not \(1\.5,\)"),
        (
            "conversation",
            {"dense_shares": (0.3,)},
            r"dense_shares must be .* a multiple of 1/16 up to 1, not \(0\.3,\)",
        ),
        ("conversation", {"dense_shares": (0.0,)}, r"dense_shares"),
    ],
)
def test_what_would_be_dropped_or_rounded_is_refused(part: str, changes: dict[str, object], message: str) -> None:
    """Nothing that a policy says is ignored in silence."""
    with pytest.raises(ValueError, match=message):
        replace(getattr(DEFAULT_POLICY, part), **changes)


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("fusion", {"min": 0.9, "span": 0.1}),
        ("conversation", {"dense_shares": (), "keyword_shares": ()}),
        ("conversation", {"dense_shares": (1, 1 / 16), "keyword_shares": (0, 1)}),
        ("phrasing", {"common_share": 2}),
    ],
)
def test_the_ends_of_a_range_are_in_it(part: str, changes: dict[str, object]) -> None:
    """What the docstrings allow is taken."""
    assert is_dataclass(replace(getattr(DEFAULT_POLICY, part), **changes))


def test_what_was_never_measured_is_a_number_of_the_policy() -> None:
    """Each is named once, and none says beside it what it was measured to do."""
    assert len(set(NOT_MEASURED)) == len(NOT_MEASURED)
    text = Path(policy.__file__).read_text(encoding="utf-8")
    for place in NOT_MEASURED:
        attrgetter(place)(DEFAULT_POLICY)
        about = text.split(f"\n    {place.rpartition('.')[2]}: ", 1)[1].split('"""')[1]
        assert "instead:" not in about, place


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """Give a store with a German memory."""
    store = SqliteStore(tmp_path / "memory.db")
    memories = Memories(
        store, Indexer(FakeEmbedder(), interactive_budget_s=1, bulk_budget_s=1), on_pending=lambda: None
    )
    await memories.store(NewMemory("Die Waschmaschine ist kaputt und der Techniker kommt nicht vor Montag", "n"))
    await memories.store(NewMemory("Wir haben die Maschine nicht bestellt, und das ist auch gut so", "n"))
    yield store
    await store.close()


async def test_a_share_of_a_words_form_is_the_policys(store: SqliteStore) -> None:
    """A compound that ends with the word is found by its end, which counts as much as the policy says."""

    async def scores(share: float) -> list[float | None]:
        changed = replace(DEFAULT_POLICY, lexical=replace(DEFAULT_POLICY.lexical, form_share=share))
        search = SearchPipeline(store, FakeEmbedder(), budget_s=1, policy=changed)
        answer = await search.run(SearchQuery("Maschine", Filters("n"), mode="keyword"))
        return [hit.ranked.keyword for hit in answer.hits]

    assert len(await scores(0.5)) == 2
    assert await scores(0.5) != await scores(0.25)
