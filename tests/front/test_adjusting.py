"""What adjusts a score besides words and meaning, through the tool, over the real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_mcp.app import make_services
from memory_mcp.domain.models import Memory, NewMemory
from memory_mcp.domain.ports import Snapshot
from memory_mcp.domain.principal import local_user
from memory_mcp.search.adjusting import adjust
from memory_mcp.search.models import Ranking
from memory_mcp.search.named_times import named_times
from memory_mcp.search.policy import DEFAULT_POLICY, AdjustmentPolicy
from memory_mcp.settings import load
from memory_mcp.storage.sqlite.store import SqliteStore
from memory_mcp.tools.base import Call
from memory_mcp.tools.search import SearchArguments, SearchHit, SearchResult, memory_search
from tests.contracts.shelf import put
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.store import FakeStore

NOON = datetime(2024, 5, 17, 12, tzinfo=UTC)
UNADJUSTED = AdjustmentPolicy(adjusted=0)
PLAIN = replace(DEFAULT_POLICY, background=replace(DEFAULT_POLICY.background, narrow_from=1.0))
"""Scores as they are, although all that is put on a desk is alike."""


class Desk:
    """A store, what is put into it and what is asked of it."""

    def __init__(self, path: Path) -> None:
        self.store = SqliteStore(path)

    async def put(self, *contents: str, conversation: str | None = None, begun: datetime = NOON) -> None:
        """Store memories, each a minute after the one before."""
        services = make_services(load(), self.store, FakeEmbedder())
        news = [
            NewMemory(content, "n", conversation_id=conversation, created_at=begun + timedelta(minutes=minute))
            for minute, content in enumerate(contents)
        ]
        await services.memories.store_many(news, _unheard)

    async def ask(self, query: str, policy: AdjustmentPolicy = DEFAULT_POLICY.adjustment, **more: Any) -> SearchResult:
        """Call the tool, with explanations."""
        searched = replace(PLAIN, adjustment=policy)
        services = make_services(load(), self.store, FakeEmbedder(), searched)
        arguments = SearchArguments(query=query, explain=True, **more)
        return await memory_search(Call(services, local_user("n"), _unheard, is_bounded=False), arguments)

    async def first(self, query: str, policy: AdjustmentPolicy = DEFAULT_POLICY.adjustment) -> SearchHit:
        """Return the best hit."""
        return (await self.ask(query, policy)).results[0]


async def _unheard(*_: int) -> None:
    """Hear how far a store is."""


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """Give an empty desk."""
    desk = Desk(tmp_path / "memory.db")
    yield desk
    await desk.store.close()


DAYS = ("2022-05-10", "2023-05-20", "2023-07-10", "2023-10-10", "2024-01-10")


@pytest.mark.parametrize(
    ("query", "day"),
    [
        ("planted tomatoes in May 2022", "2022-05-10"),
        ("planted tomatoes in May", "2023-05-20"),
        ("planted tomatoes on 10 July 2023", "2023-07-10"),
        ("planted tomatoes around 2023-07-08", "2023-07-10"),
        ("planted tomatoes in summer", "2023-07-10"),
        ("planted tomatoes in autumn 2023", "2023-10-10"),
        ("planted tomatoes in 2022", "2022-05-10"),
        ("May I say who planted tomatoes?", "2024-01-10"),
        ("planted tomatoes", "2024-01-10"),
    ],
)
async def test_of_equal_memories_that_of_the_named_time_is_first(desk: Desk, query: str, day: str) -> None:
    """The newest where no time is named; of an open year the newest of the fitting ones."""
    for each in DAYS:
        await desk.put("We planted tomatoes.", begun=datetime.fromisoformat(f"{each}T12:00:00+00:00"))
    assert f"{(await desk.first(query)).created_at:%Y-%m-%d}" == day


async def test_an_open_year_lifts_every_year_alike(desk: Desk) -> None:
    """Both Mays come before all others, with the same score."""
    for each in DAYS:
        await desk.put("We planted tomatoes.", begun=datetime.fromisoformat(f"{each}T12:00:00+00:00"))
    hits = (await desk.ask("planted tomatoes in May")).results
    assert [f"{hit.created_at:%Y-%m}" for hit in hits[:2]] == ["2023-05", "2022-05"]
    assert hits[0].score == hits[1].score > hits[2].score


TALK = ("Do you know a violin teacher?", "Mrs Lindqvist is a violin teacher of my sister", "Now the weather")


async def test_a_turn_that_asks_gives_way_to_its_answer(desk: Desk) -> None:
    """It has the words of the query, and not the answer; what follows the answer gains nothing."""
    await desk.put(*TALK, conversation="c")
    answer = await desk.ask("violin teacher")
    assert (await desk.first("violin teacher", UNADJUSTED)).content == TALK[0]
    assert [hit.content for hit in answer.results] == [TALK[1], TALK[0], TALK[2]]
    assert [(steps.turn > 0) - (steps.turn < 0) for steps in answer.explain or ()] == [1, -1, 0]


async def test_a_question_outside_of_a_conversation_keeps_its_score(desk: Desk) -> None:
    """A note may be a question, and nothing answers it."""
    await desk.put(TALK[0])
    assert [steps.turn for steps in (await desk.ask("violin teacher")).explain or ()] == [0]


async def test_who_is_named_and_speaks_gains(desk: Desk) -> None:
    """A speaker is a turn's first words; to be spoken of is another thing."""
    await desk.put("Caroline: the lake was cold", "Mel: Caroline saw the lake", "Carol: the lake", conversation="c")
    answer = await desk.ask("What did Caroline say of the lake?")
    assert answer.explain is not None
    gains = {
        hit.content.partition(":")[0]: steps.turn for hit, steps in zip(answer.results, answer.explain, strict=True)
    }
    assert gains["Caroline"] > 0 == gains["Mel"] == gains["Carol"]


async def test_a_long_content_loses(desk: Desk) -> None:
    """The longest, which was first by its words and meaning, comes last; a short one keeps its score."""
    short, long, longest = "We planted tomatoes here.", "We planted tomatoes. " * 200, "We planted tomatoes. " * 900
    await desk.put(short, long, longest)
    unadjusted, answer = await desk.ask("planted tomatoes", UNADJUSTED), await desk.ask("planted tomatoes")
    assert [hit.content for hit in unadjusted.results] == [longest, long, short]
    assert [hit.content for hit in answer.results] == [long, short, longest]
    assert [steps.length < 0 for steps in answer.explain or ()] == [True, False, True]


@pytest.mark.parametrize(
    ("query", "mode"),
    [
        ("OPS-3051", "auto"),
        ('"violin teacher"', "auto"),
        ("violin teacher in May?", "semantic"),
        ("violin teacher in May?", "keyword"),
        ("violin teacher in May?", "hybrid"),
    ],
)
async def test_what_is_meant_as_it_is_asked_is_not_adjusted(desk: Desk, query: str, mode: str) -> None:
    """A name or a quotation, and every mode but `auto`."""
    await desk.put(*TALK, "Ticket OPS-3051: the violin teacher", "A violin teacher. " * 300, conversation="c")
    answer = await desk.ask(query, mode=mode)
    assert answer.explain
    assert {(steps.time, steps.length, steps.turn) for steps in answer.explain} == {(0, 0, 0)}


async def test_times_of_the_calendars_ends_are_far_from_all(desk: Desk) -> None:
    """A memory of the year 1 or 9999 is found all the same."""
    for moment in (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 22, tzinfo=UTC)):
        await desk.put("We planted tomatoes.", begun=moment)
    assert len((await desk.ask("planted tomatoes in May")).results) == 2


OTHERS: dict[str, float] = {
    "adjusted": 1,
    "time_bonus": 0.1,
    "days_near": 1,
    "long_from": 500,
    "length_loss": 0.3,
    "short_words": 1,
    "short_bytes": 10,
    "asks_loss": 0.5,
    "answers_share": 0.5,
    "speaker_bonus": 0.5,
}


async def outcome(desk: Desk, policy: AdjustmentPolicy) -> list[tuple[str, float]]:
    """Ask what each number has its part in."""
    answers = [await desk.ask(query, policy) for query in ("violin teacher on 20 May", "What does Ann say of violin?")]
    return [(hit.id, hit.score) for answer in answers for hit in answer.results]


@pytest.mark.parametrize("name", [field.name for field in fields(AdjustmentPolicy)])
async def test_every_number_changes_some_answer(desk: Desk, name: str) -> None:
    """None is without effect, and none comes from elsewhere than the policy that was given."""
    await desk.put(*TALK, "Ann: the violin is out of tune", conversation="c")
    await desk.put("A violin teacher. " * 150)
    usual = DEFAULT_POLICY.adjustment
    changed = replace(usual, **{name: OTHERS[name]})  # type: ignore[arg-type]  # some are whole numbers
    assert await outcome(desk, usual) == await outcome(desk, replace(usual))
    assert await outcome(desk, changed) != await outcome(desk, usual)


SHARE = st.floats(0, 1)
POLICIES = st.builds(
    AdjustmentPolicy,
    adjusted=st.integers(0, 9),
    time_bonus=SHARE,
    days_near=st.integers(0, 30),
    long_from=st.integers(1, 3_000),
    length_loss=SHARE,
    short_words=st.integers(0, 30),
    asks_loss=SHARE,
    answers_share=SHARE,
    speaker_bonus=SHARE,
)
Shelf = tuple[FakeStore, list[Memory]]


async def _filled() -> Shelf:
    store = FakeStore()
    contents = (*TALK, "Ann: what else?", "Ann: nothing", "word " * 1_000)
    talk = [
        await put(store, content, conversation_id="c", created_at=NOON + timedelta(days=9 * day))
        for day, content in enumerate(contents)
    ]
    return store, [*talk, await put(store, "alone?", created_at=NOON)]


FILLED = asyncio.run(_filled())


@given(POLICIES, st.lists(SHARE, min_size=7, max_size=7))
def test_scores_stay_between_0_and_1(policy: AdjustmentPolicy, scores: list[float]) -> None:
    """Whatever the numbers: each memory once, best first, and a score is its parts."""
    store, memories = FILLED
    text = "What did Ann say in May?"
    before = dict(zip((memory.key for memory in memories), sorted(scores, reverse=True), strict=True))
    ranking = Ranking(before, "hybrid", 0.5)
    times = named_times(text, NOON)
    adjusted = asyncio.run(_read(store, lambda it: adjust(it, text, times, ranking, policy)))
    after = list(adjusted.scores.values())
    assert after == sorted(after, reverse=True)
    assert all(-1e-9 <= score <= 1 + 1e-9 for score in after)
    assert adjusted.scores.keys() == before.keys()
    parts = {key: adjustment.total for key, adjustment in adjusted.adjustments.items()}
    assert all(score == pytest.approx(before[key] + parts.get(key, 0)) for key, score in adjusted.scores.items())


async def _read(store: FakeStore, work: Callable[[Snapshot], Ranking]) -> Ranking:
    return await store.read(work)
