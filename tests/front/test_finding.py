"""What a search makes of conversations, tags, quotes, filters and bars, over the real store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from memory_mcp.domain.errors import EmbedderError
from memory_mcp.domain.models import Filters, NewMemory
from memory_mcp.memories.indexing import Indexer
from memory_mcp.memories.service import Memories
from memory_mcp.search.fusion import stretched
from memory_mcp.search.models import SearchAnswer, SearchMode, SearchQuery
from memory_mcp.search.pipeline import SearchPipeline
from memory_mcp.search.policy import DEFAULT_POLICY
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.fakes.embedder import FakeEmbedder

START = datetime(2024, 5, 17, tzinfo=UTC)
MODES: tuple[SearchMode, ...] = ("auto", "hybrid", "semantic", "keyword")


class Desk:
    """A store, what is put into it and what is asked of it."""

    def __init__(self, path: Path) -> None:
        self.embedder = FakeEmbedder()
        self.store = SqliteStore(path)
        self._memories = Memories(
            self.store, Indexer(self.embedder, interactive_budget_s=1, bulk_budget_s=9), on_pending=lambda: None
        )
        self._search = SearchPipeline(self.store, self.embedder, budget_s=1)

    async def put(self, contents: Sequence[str], **fields: Any) -> None:
        """Store memories, each a minute after the one before."""
        news = [
            replace(NewMemory(content, "n", created_at=START + timedelta(minutes=minute)), **fields)
            for minute, content in enumerate(contents)
        ]
        await self._memories.store_many(news, on_progress=_ignore)

    async def ask(
        self, text: str, mode: SearchMode = "auto", filters: Filters | None = None, **more: Any
    ) -> SearchAnswer:
        """Search."""
        return await self._search.run(SearchQuery(text, filters or Filters("n"), mode=mode, **more))

    async def found(
        self, text: str, mode: SearchMode = "auto", filters: Filters | None = None, **more: Any
    ) -> list[str]:
        """Search and return the contents."""
        return [hit.memory.content for hit in (await self.ask(text, mode, filters, **more)).hits]


async def _ignore(done: int) -> None:
    del done


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """Give an empty desk."""
    desk = Desk(tmp_path / "memory.db")
    yield desk
    await desk.store.close()


TALK = [
    "Hello there",
    "Which violin teacher do you recommend?",
    "Mrs Lindqvist, she is patient",
    "Thanks a lot",
    "Now the weather",
    "Rain again",
]


@pytest.mark.parametrize("mode", MODES)
async def test_a_turn_is_found_through_its_neighbours(desk: Desk, mode: SearchMode) -> None:
    """What was said just before makes the answer come before turns that share as little with the question."""
    await desk.put(TALK, conversation_id="c")
    await desk.put([f"Something about number {n} and she is" for n in range(30)])
    found = await desk.found("violin teacher", mode, limit=3)
    assert found[0] == TALK[1]
    assert TALK[2] in found


async def test_a_memory_without_a_conversation_is_what_it_is(desk: Desk) -> None:
    """Outside of conversations the semantic score is the cosine of the memory alone."""
    await desk.put(["violin teacher", "unrelated words"])
    answer = await desk.ask("violin teacher", "semantic")
    assert answer.hits[0].ranked.score == pytest.approx(1, abs=1e-5)
    await desk.put(["violin teacher", "unrelated words"], conversation_id="c")
    scores = [hit.ranked.score for hit in (await desk.ask("violin teacher", "semantic")).hits[:2]]
    assert scores[0] == pytest.approx(1, abs=1e-5)
    assert 0.6 < scores[1] < 0.99


@pytest.mark.parametrize("mode", MODES)
async def test_neighbours_that_do_not_fit_the_filters_stay_out(desk: Desk, mode: SearchMode) -> None:
    """A neighbour that no search found joins only where the filters allow it."""
    await desk.put(TALK, conversation_id="c")
    await desk.put(["violin teacher with a tag"], conversation_id="c", tags=("t",))
    assert await desk.found("violin teacher", mode, Filters("n", tags=("t",))) == ["violin teacher with a tag"]
    inside = await desk.found("violin teacher", mode, Filters("n", conversation_id="c"))
    assert set(inside) <= {*TALK, "violin teacher with a tag"}
    assert TALK[1] in inside


FILTERS: dict[str, tuple[dict[str, Any], Filters]] = {
    "any tag": ({"tags": ("x", "y")}, Filters("n", tags=("x", "z"))),
    "all tags": ({"tags": ("x", "y")}, Filters("n", tags=("x", "y"), tag_match="all")),
    "type": ({"type": "fact"}, Filters("n", type="fact")),
    "namespace": ({"namespace": "m"}, Filters("m")),
    "conversation": ({"conversation_id": "c"}, Filters("n", conversation_id="c")),
    "time": (
        {"created_at": START - timedelta(days=9)},
        Filters("n", after=START - timedelta(days=10), before=START - timedelta(days=8)),
    ),
    "metadata": ({"metadata": {"v": 1}}, Filters("n", metadata={"v": 1})),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", FILTERS)
async def test_a_filtered_answer_is_full_when_that_many_fit(desk: Desk, name: str, mode: SearchMode) -> None:
    """Every filter is inside both searches: hundreds of better memories push none of the fitting ones out."""
    fields, filters = FILTERS[name]
    await desk.put([f"apple tree {n}" for n in range(400)])
    few = [f"an apple among many other words that have little to do with it {n}" for n in range(12)]
    await desk.put(few, **fields)
    assert set(await desk.found("apple tree", mode, filters, limit=12)) == set(few)
    assert len(await desk.found("apple tree", mode, filters)) == 10


async def test_a_bar_that_nothing_reaches_tells_of_the_best_below(desk: Desk) -> None:
    """The answer says how many there would have been and how good, and nothing of it where some pass."""
    await desk.put(TALK)
    everything = await desk.ask("violin lessons")
    answer = await desk.ask("violin lessons", min_score=0.95)
    assert answer.hits == ()
    assert answer.near_misses
    assert answer.near_misses.best_score == everything.hits[0].ranked.score
    assert answer.near_misses.count == sum(hit.ranked.score > 0 for hit in everything.hits)
    assert (await desk.ask("violin", min_score=0.05)).near_misses is None


async def test_near_duplicates_leave_room_for_others(desk: Desk) -> None:
    """Though copies fill the candidates, as many different memories come as were asked for, when asked to."""
    copies = [f"Violin lesson on Monday{'!' * n}" for n in range(150)]
    others = [f"another violin story {word}" for word in ("one", "two", "three", "four")]
    await desk.put(copies)
    await desk.put(others)
    assert set(await desk.found("violin lesson on Monday", limit=4)) <= set(copies)
    answer = await desk.ask("violin lesson on Monday", limit=4, collapse=True)
    assert len(answer.hits) == 4
    assert len(answer.hits[0].duplicates) == 149
    assert {hit.memory.content for hit in answer.hits[1:]} < set(others)


async def test_newer_memories_come_first_when_asked(desk: Desk) -> None:
    """Equal memories come newest first; with a weight on recency a little better one falls behind a new one."""
    for days in (0, 364, 100):
        await desk.put(["violin lesson"], created_at=START + timedelta(days=days), conversation_id=f"c{days}")
    await desk.put(["violin lesson tomorrow"], created_at=START + timedelta(days=364))
    answer = await desk.ask("violin lesson")
    assert [hit.memory.conversation_id for hit in answer.hits] == ["c364", "c100", "c0", None]
    weighted = await desk.ask("violin lesson", recency=1.0)
    assert [hit.memory.conversation_id for hit in weighted.hits] == ["c364", None, "c100", "c0"]
    assert {hit.memory.id: hit.ranked.score for hit in weighted.hits} == {
        hit.memory.id: hit.ranked.score for hit in answer.hits
    }


async def test_a_word_that_all_memories_hold_does_not_hide_the_one_that_is_meant(desk: Desk) -> None:
    """A name in half of the memories draws the vector to no one of them; without it the query is put once."""
    meant = "novels of the cold sea"
    await desk.put([f"ann {n}" for n in range(12)])
    await desk.put([meant])
    assert (await desk.found("ann novels", "semantic"))[0] == meant
    await desk.found("sea novels", "semantic")
    assert [texts for texts, *_ in desk.embedder.calls[-2:]] == [("ann novels", "novels"), ("sea novels",)]


async def test_a_name_is_found_as_it_is_spelled(desk: Desk) -> None:
    """For an identifier the rare word outweighs a meaning that is much nearer, and the answer says what was seen."""
    spelled = "yesterday the deploy of 3051 failed twice because nobody had told the new colleagues where the keys were"
    await desk.put([f"ticket ops {n}" for n in range(40)])
    await desk.put([spelled])
    answer = await desk.ask("ticket OPS-3051", explain=True)
    assert answer.intent == "identifier"
    assert answer.explanation is not None
    best, second = (hit.ranked for hit in answer.hits[:2])
    assert answer.hits[0].memory.content == spelled
    assert best.keyword is not None
    assert best.semantic is not None
    assert second.semantic is not None
    assert best.semantic < second.semantic
    weight = DEFAULT_POLICY.fusion.identifier
    semantic = stretched(best.semantic, answer.explanation.query.floor)
    assert best.score == pytest.approx(weight * semantic + (1 - weight) * best.keyword)


async def test_a_question_in_another_language_is_left_to_its_meaning(desk: Desk) -> None:
    """The namespace lacks its words but one, which stands in what does not answer: rank and fit are the vectors'."""
    answer = "der schlüssel hängt im flur neben der tür"
    await desk.put([f"wir haben am {day}. mit der familie gegessen und dann geredet" for day in range(30)])
    await desk.put(["in lindau gibt es fisch", answer])
    question = "where in lindau did she leave what opens the door"
    desk.embedder.means[question] = "der schlüssel hängt in lindau"
    answers = []
    for known_half in (DEFAULT_POLICY.fusion.known_half, 0):
        policy = replace(DEFAULT_POLICY, fusion=replace(DEFAULT_POLICY.fusion, known_half=known_half))
        search = SearchPipeline(desk.store, desk.embedder, budget_s=1, policy=policy)
        answers.append(await search.run(SearchQuery(question, Filters("n"), explain=True)))
    assert [found.hits[0].memory.content for found in answers] == [answer] * 2
    assert [found.weak for found in answers] == [False, True]
    seen = [found.explanation.query for found in answers if found.explanation]
    assert [query.known for query in seen] == [0.2, 0.2]
    assert seen[0].weight > 0.95
    assert seen[1].weight < DEFAULT_POLICY.fusion.min + DEFAULT_POLICY.fusion.span


async def test_what_no_search_found_is_found_by_its_neighbour(desk: Desk) -> None:
    """The turn after the best one shares nothing with the question and comes before many that share a word."""
    await desk.put(["violin teacher", "Mrs Lindqvist"], conversation_id="c")
    await desk.put([f"a violin among {' '.join(f'w{n}x{i}' for i in range(40))}" for n in range(80)])
    for mode in MODES:
        assert (await desk.found("violin teacher", mode))[:2] == ["violin teacher", "Mrs Lindqvist"]


async def test_quoted_words_must_stand_there(desk: Desk) -> None:
    """Only memories that hold the quoted words side by side are found, however many others hold each of them."""
    await desk.put([f"moon and blue and more {n}" for n in range(350)])
    await desk.put(["Once in a Blue  Moon, and then never again in a long long time until today"])
    assert await desk.found('"blue moon"') == [
        "Once in a Blue  Moon, and then never again in a long long time until today"
    ]
    assert await desk.found('"moon blue"') == []
    assert len(await desk.found('who sang "blue moon"?')) == 10


async def test_a_browse_shows_the_tag_first(desk: Desk) -> None:
    """What carries the tag comes before what only speaks of it, with or without vectors, and no bar of 0.4 hides it."""
    await desk.put(["we went to Rome", "boots and socks"], tags=("travel",))
    await desk.put(["travel travel travel", "nothing of it"])
    for failure in (None, EmbedderError("down")):
        desk.embedder.failure = failure
        for query, mode in product(("#travel", "travel"), MODES[::3]):
            answer = await desk.ask(query, mode)
            assert answer.intent == "browse"
            found = [hit.memory.content for hit in answer.hits]
            assert set(found[:2]) == {"we went to Rome", "boots and socks"}
            assert found[2] == "travel travel travel"
    assert len(await desk.found("#travel", min_score=0.4)) >= 2
    assert await desk.found("#travel", filters=Filters("n", tags=("other",))) == []


LIFE = [
    "The spare key of the boat house hangs behind the clock",
    "Dr Okafor moved the dentist appointment to Thursday",
    "Mira is allergic to peanuts and walnuts",
    "The wifi password of the cabin is on the fridge",
    "Our landlord raises the rent in October",
    "The bicycle needs a new chain before the tour",
    "Grandmother's recipe for plum cake uses rye flour",
    "The violin lesson costs forty euros an hour",
]


async def test_a_model_with_a_narrow_range_finds_and_doubts_alike(tmp_path: Path) -> None:
    """Where every cosine is near 0.9, words count as much as with any model, and what does not fit is weak."""
    answers = []
    for alike in (0.0, 0.9):
        desk = Desk(tmp_path / f"{alike}.db")
        desk.embedder.alike = alike
        await desk.put([f"note {number} on the {word} of the day" for number, word in enumerate(("tide", "wind") * 20)])
        await desk.put(["the spare key of the boat house hangs behind the mirror"])
        fitting, foreign = await desk.ask("spare key of the boat house"), await desk.ask("quarterback championship")
        best = fitting.hits[0].ranked
        assert best.semantic is not None
        answers.append((fitting.hits[0].memory.content, fitting.weak, foreign.weak))
        assert (best.semantic > 0.9, foreign.mode) == (alike > 0, "hybrid")
        await desk.store.close()
    assert answers[0] == answers[1] == ("the spare key of the boat house hangs behind the mirror", False, True)


@pytest.mark.parametrize("mode", MODES)
async def test_it_is_said_when_nothing_fits_well(desk: Desk, mode: SearchMode) -> None:
    """The nearest are returned all the same, with their scores, in every mode; what fits is not called weak."""
    await desk.put(LIFE)
    fitting = await desk.ask("where is the spare key of the boat house", mode)
    assert not fitting.weak
    foreign = await desk.ask("which quarterback won the championship", mode)
    assert foreign.weak
    assert all(hit.ranked.score < 0.43 for hit in foreign.hits)


@pytest.mark.parametrize("name", ["3f2c9ab", "renderInvoice", "OPS-3051"])
async def test_a_name_fits_by_its_spelling_alone(desk: Desk, name: str) -> None:
    """What the model makes of an identifier says nothing."""
    about = "the cellar light flickers since the storm and the electrician blames the old fuse box"
    assert (await desk.ask(name)).weak
    await desk.put([*LIFE, f"{about} {name}{'41d77e0' if name.isalnum() and name.islower() else ''}"])
    assert not (await desk.ask(name)).weak
    assert (await desk.ask("9e8d7c6b")).weak


HELD = [
    "PROJ-1234: the importer drops the last row",
    "release v1.2.3 fixed the login loop",
    "getUserName returns null for guests",
    "fixed the race in commit 3f2c9ab41d0e8f7766554433221100ffeeddccba",
    "db-prod-01 has 64 GB of memory and the nightly backup",
    "MAX_RETRIES is 5 in production",
    "error E0277 means that a trait bound is missing",
    "src/app/main.py starts the server",
    "the office printer is at 192.168.1.10",
    "call the landlord at 555-123-4567",
    "numpy.linalg.norm was slow on the old machine",
    "run make with --dry-run first",
    "write to ann@example.com about the invoice",
    "std::vector reallocates when it grows",
    "X-Request-Id is logged by the proxy",
]
SPELT = [
    *("PROJ-1234", "proj 1234 PROJ1234", "v1.2.3", "get_user_name", "commit 3f2c9ab", "db-prod-01", "MAX_RETRIES"),
    *("error E0277", "main.py", "192.168.1.10", "555-123-4567", "numpy.linalg.norm", "--dry-run", "ann@example.com"),
    *("std::vector", "X-Request-Id", "DB PROD 01", "PROJ 1234", "5551234567"),
]
UNHELD = [
    *("PROJ-1235", "PROJ-123", "PROJ-12345", "OPS-1234", "ticket PROJ-4321", "v1.2.4", "v1.3.2", "release v2.2.3"),
    *("setUserName", "getUserEmail", "getUsername2", "get_user_email", "commit 9c1d2e3f", "3f2c9bb", "db-prod-02"),
    *("db-test-01", "MAX_TIMEOUT", "MIN_RETRIES", "error E0278", "src/app/util.py", "192.168.1.11", "555-123-4568"),
    *("numpy.linalg.inv", "--dry-install", "bob@example.com", "std::map", "X-Trace-Id"),
]


@pytest.mark.parametrize("mode", MODES)
async def test_a_name_that_only_looks_alike_is_weak(desk: Desk, mode: SearchMode) -> None:
    """Of a name that is not stored, a neighbour may hold most: the next ticket, another version, one more server."""
    await desk.put([*HELD, *LIFE])
    assert [name for name in UNHELD if not (await desk.ask(name, mode)).weak] == []
    if mode != "semantic":  # which knows no spellings
        assert [name for name in SPELT if (await desk.ask(name, mode)).weak] == []


@pytest.mark.parametrize("mode", MODES)
async def test_a_name_among_thousands_is_weak_or_not(desk: Desk, mode: SearchMode) -> None:
    """However many memories share its words."""
    await desk.put([f"PROJ-{number}: the importer drops row {number % 7}" for number in range(1_000, 1_400)])
    assert not (await desk.ask("PROJ-1234", mode)).weak
    assert (await desk.ask("PROJ-1434", mode)).weak


async def test_nothing_at_all_fits_nothing(desk: Desk) -> None:
    """An empty store, filters that leave nothing and a bar that nothing reaches are weak as well."""
    assert (await desk.ask("boat house")).weak
    await desk.put(LIFE)
    assert (await desk.ask("boat house", filters=Filters("n", tags=("absent",)))).weak
    assert (await desk.ask("boat house", min_score=1.0)).weak


async def test_without_vectors_the_words_alone_say_what_is_weak(desk: Desk) -> None:
    """A degraded answer knows it too."""
    await desk.put(LIFE)
    desk.embedder.failure = EmbedderError("no daemon listens")
    assert not (await desk.ask("spare key of the boat house")).weak
    assert (await desk.ask("quarterback championship")).weak


async def test_what_is_asked_for_by_its_tag_is_not_weak(desk: Desk) -> None:
    """A memory fits by a tag that the query names, whatever it says."""
    await desk.put(LIFE[:4], tags=("errand",))
    assert not (await desk.ask("#errand")).weak
    assert not (await desk.ask("#errand", "keyword")).weak
    assert (await desk.ask("#nonsense")).weak


@pytest.mark.parametrize("limit", [1, 3, 100])
async def test_how_many_are_shown_does_not_decide(desk: Desk, limit: int) -> None:
    """Whether anything fits is a matter of the store, not of the limit."""
    await desk.put(LIFE)
    assert not (await desk.ask("allergic to peanuts", limit=limit)).weak
    assert (await desk.ask("quantum chromodynamics lecture", limit=limit)).weak
