"""A block of context, from a real store and sources that answer, hang, fail, or are open."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from memory_mcp.app import make_services
from memory_mcp.context.models import ContextBlock, ContextRequest, Evidence
from memory_mcp.context.packing import Candidates, pack
from memory_mcp.context.states import ENDS, NEXT, ContextState, Requests
from memory_mcp.context.tokens import bound
from memory_mcp.domain.errors import InvalidArgumentError, StoreError
from memory_mcp.domain.models import Change, Filters, NewMemory
from memory_mcp.domain.principal import Principal, Reach, local_user
from memory_mcp.domain.sources import SourceError, SourceItem
from memory_mcp.settings import defaults
from memory_mcp.storage.sqlite.store import SqliteStore
from memory_mcp.tools.base import Call
from memory_mcp.tools.context import ContextArguments, memory_context
from memory_mcp.tools.services import Services
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.sources import FakeSource, FakeSources, open_breaker

NOON = datetime(2026, 5, 3, 12, tzinfo=UTC)
WIKI = SourceItem("The boat was built in 1960.", title="Boat", uri="https://wiki.test/boat", at=NOON, score=7.0)
LOCAL = local_user("n")

Start = Callable[..., Services]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Give what makes the services over one store, beside any sources."""
    store = SqliteStore(tmp_path / "memory.db")

    def make(*sources: FakeSource) -> Services:
        return make_services(defaults(), store, FakeEmbedder(), sources=FakeSources(sources))

    yield make
    await store.close()


def memory(content: str, day: int = 0, **more: Any) -> NewMemory:
    """Make a memory of a day in May 2026."""
    return NewMemory(content, more.pop("namespace", "n"), created_at=NOON + timedelta(days=day), **more)


async def stored(services: Services, *memories: NewMemory) -> None:
    """Store memories, one after the other."""
    for each in memories:
        await services.memories.store(each)


async def ask(services: Services, query: str = "boat", **more: Any) -> ContextBlock:
    """Ask for a block, with time enough for a busy machine."""
    filters = more.pop("filters", Filters("n"))
    principal = more.pop("principal", LOCAL)
    return await services.context.assemble(ContextRequest(query, filters, principal, **{"budget_ms": 20_000} | more))


def texts(block: ContextBlock) -> list[str]:
    """Return the lines between the frame."""
    return block.text.split("\n")[1:-1]


def states(block: ContextBlock) -> dict[str, str]:
    """Return what became of each source."""
    return {state.name: state.state for state in block.sources}


async def test_a_start_is_told_what_matters_in_order(start: Start) -> None:
    """What is pinned, open tasks, decisions and facts by date, the last session; each once, nothing else."""
    services = start()
    await stored(
        services,
        memory("An old note that nobody needs.", 0),
        memory("Never push to main.", 1, tags=("pinned",), type="fact"),
        memory("Write the release notes.", 2, type="task", metadata={"status": "open"}),
        memory("Renew the certificate.", 3, type="task"),
        memory("Buy the domain.", 3, type="task", metadata={"status": "done"}),
        memory("The office is in Hamburg.", 4, type="fact"),
        memory("We use SQLite.", 5, type="decision"),
        memory("The office is in Berlin.", 6, type="fact"),
        memory("Ann: Did the tests pass?", 7, conversation_id="last"),
        memory("Bob: All but one.", 7, conversation_id="last"),
    )
    assert texts(await ask(services, "")) == [
        "§ pinned, 4 May 2026",
        "[1] Never push to main.",
        "§ open tasks, 6 May 2026",
        "[2] Renew the certificate.",
        "§ open tasks, 5 May 2026",
        "[3] Write the release notes.",
        "§ decisions and facts, 9 May 2026",
        "[4] The office is in Berlin.",
        "§ decisions and facts, 8 May 2026",
        "[5] We use SQLite.",
        "§ decisions and facts, 7 May 2026",
        "[6] The office is in Hamburg.",
        "§ last session, 10 May 2026",
        "[7] Ann: Did the tests pass?",
        " Bob: All but one.",
    ]


async def test_two_statements_of_one_fact_are_both_shown_the_newest_first(start: Start) -> None:
    """They differ in a word: which is right is not ours to say."""
    services = start()
    await stored(services, memory("The boat lies in Kiel harbour.", 1), memory("The boat lies in Rostock harbour.", 2))
    assert texts(await ask(services)) == [
        "§ 5 May 2026",
        "[1] The boat lies in Rostock harbour.",
        "§ 4 May 2026",
        "[2] The boat lies in Kiel harbour.",
    ]


async def test_near_duplicates_are_shown_once(start: Start) -> None:
    """The newest stands for all of them; none counts as left out."""
    services = start()
    await stored(
        services,
        memory("The boat lies in Kiel harbour near the old mill.", 1),
        memory("the boat lies in kiel harbour, near the  OLD mill", 2, conversation_id="c", id="newest"),
        memory("The boat does not lie in Kiel harbour near the old mill.", 3),
        memory("The boat lies in Kiel harbour near the old mill 2.", 4),
    )
    block = await ask(services)
    assert len(block.items) == 3
    assert block.items[-1].id == "newest"
    assert block.left_out == 0


async def test_only_the_latest_revision_is_shown(start: Start) -> None:
    """A corrected memory has replaced what it was."""
    services = start()
    await stored(services, memory("The boat is red.", 1, id="boat"))
    await services.memories.update("boat", LOCAL.reach, Change(content="The boat is blue."), None)
    assert [line for line in texts(await ask(services)) if "red" in line] == []


async def test_neighbours_make_one_span(start: Start) -> None:
    """From 800 tokens on, the first hits bring what was said before and after, under one number."""
    services = start()
    turns = ["Ann: Hello.", "Ann: Where is it moored?", "Bob: The boat is in Kiel.", "Ann: Thanks.", "Bob: Bye."]
    await stored(services, *(memory(turn, conversation_id="c") for turn in turns))
    block = await ask(services, "boat Kiel", max_tokens=2_000, filters=Filters("n", conversation_id="c"))
    assert "[1] " + "\n ".join(turns[1:4]) in block.text or "[1] " + "\n ".join(turns) in block.text
    assert {item.number for item in block.items} == {1}


@pytest.mark.parametrize(
    "filters", [Filters("n", tags=("public",)), Filters("n", type="fact"), Filters("n", after=NOON)]
)
async def test_neighbours_that_were_filtered_out_do_not_come_along(start: Start, filters: Filters) -> None:
    """Whatever the filter; nor does what the assistant has seen already."""
    services = start()
    await stored(
        services,
        memory("Ann: The PIN is 4711.", -1, conversation_id="c", tags=("private",), id="seen"),
        memory("Bob: The boat is in Kiel.", 2, conversation_id="c", tags=("public",), type="fact"),
    )
    assert "4711" in (await ask(services, "boat Kiel")).text
    assert "4711" not in (await ask(services, "boat Kiel", filters=filters)).text
    assert "4711" not in (await ask(services, "boat Kiel", omitted={"n": frozenset({"seen"})})).text


async def test_a_long_memory_gives_its_best_passage(start: Start) -> None:
    """Never all of it."""
    services = start()
    filler = "Nothing of note happened that day. " * 40
    await stored(services, memory(f"{filler}The boat sank at noon. {filler}"))
    block = await ask(services, "when did the boat sink", max_tokens=500)
    assert "The boat sank at noon." in block.text
    assert block.tokens < 200


@pytest.mark.parametrize("query", ["when did the boat sink", "BOAT sank_at"])
async def test_a_very_long_memory_gives_its_best_passage(start: Start, query: str) -> None:
    """It stands far from the beginning; only what is around it is read closely."""
    services = start()
    filler = "Nothing of note happened that day. " * 4_000
    await stored(services, memory(f"{filler}The boat sank at noon. {filler}"))
    assert "The boat sank at noon." in (await ask(services, query, max_tokens=500)).text


async def test_what_does_not_fit_is_skipped_and_counted(start: Start) -> None:
    """Smaller parts further down take the room."""
    services = start()
    await stored(services, *(memory(f"boat {number} " + "ahoy there " * 25, number) for number in range(9)))
    block = await ask(services, max_tokens=300)
    assert 0 < len(block.items) < 9
    assert block.left_out == 9 - len(block.items)
    assert block.tokens <= 300


async def test_sources_stand_beside_memories(start: Start) -> None:
    """Each part says where it is from; a source is asked for the question itself."""
    wiki = FakeSource("wiki", items=[WIKI])
    services = start(wiki)
    await stored(services, memory("The boat lies in Kiel.", 1))
    block = await ask(services, request_id="r1")
    assert texts(block) == [
        "§ 4 May 2026",
        "[1] The boat lies in Kiel.",
        "§ source wiki, 3 May 2026: Boat",
        "[2] The boat was built in 1960.",
    ]
    assert [(item.source, item.uri, item.title, item.score) for item in block.items][1] == (
        "wiki",
        "https://wiki.test/boat",
        "Boat",
        7.0,
    )
    assert states(block) == {"memory": "ok", "wiki": "ok"}
    assert [(query.text, query.request_id) for query in wiki.asked] == [("boat", "r1")]


async def test_what_fails_costs_its_own_part(start: Start) -> None:
    """What arrived is in; what hangs, fails or is open is named with its cause and what fixes it."""
    sources = (
        FakeSource("good", items=[WIKI]),
        FakeSource("slow", hangs=True),
        FakeSource("slower", hangs=True),
        FakeSource("broken", error=SourceError("it answered HTML", "check the url")),
        FakeSource("tired", error=open_breaker(7)),
    )
    services = start(*sources)
    await stored(services, memory("The boat lies in Kiel.", 1))
    block = await ask(services, budget_ms=1_000)
    assert states(block) == {
        "memory": "ok",
        "good": "ok",
        "slow": "late",
        "slower": "late",
        "broken": "failed",
        "tired": "open",
    }
    assert {item.source for item in block.items} == {"memory", "good"}
    assert "slow: did not answer in time (1000 ms); allow more with budget_ms, or leave it out" in str(block.degraded)
    assert "broken: it answered HTML; check the url" in str(block.degraded)
    assert [state.retry_after_s for state in block.sources if state.name == "tired"] == [7]
    assert [source.cancelled for source in sources] == [0, 1, 1, 0, 0]
    assert services.context.requests.ended == {ContextState.LATE: 1}


async def test_cancelling_stops_the_sources(start: Start) -> None:
    """Who gives up leaves nothing running."""
    slow = FakeSource("slow", hangs=True)
    services = start(slow)
    asking = asyncio.create_task(ask(services))
    await slow.begun.wait()
    assert services.context.requests.active[ContextState.GATHERING] == 1
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.sleep(0)
    assert slow.cancelled == 1
    assert services.context.requests.ended == {ContextState.CANCELLED: 1}
    assert services.context.requests.active.total() == 0


async def test_a_caller_names_configured_sources_within_its_reach(start: Start) -> None:
    """Others are unknown to it, whether they exist or not."""
    secret = FakeSource("secret", items=[WIKI], reachable_by=frozenset({"boss"}))
    services = start(FakeSource("wiki", items=[WIKI]), secret)
    await stored(services, memory("The boat lies in Kiel.", 1))
    guest = Principal("g", "guest", LOCAL.scopes, Reach.bound_to("n"))
    assert set(states(await ask(services, principal=guest))) == {"memory", "wiki"}
    assert set(states(await ask(services, sources=()))) == {"memory"}
    with pytest.raises(InvalidArgumentError, match=r"unknown name 'secret'; choose one of: wiki"):
        await ask(services, principal=guest, sources=["secret"])
    assert secret.asked == []
    assert services.context.requests.ended[ContextState.FAILED] == 1


async def test_another_namespace_joins_and_is_marked(start: Start) -> None:
    """It is read beside the request's own; what was seen already is left out."""
    services = start()
    await stored(
        services,
        memory("The boat lies in Kiel.", 1, id="seen"),
        memory("The boat is ours.", 1),
        memory("All boats need paint.", 1, namespace="default"),
    )
    block = await ask(services, "boat boats", joined=["default"], omitted={"n": frozenset({"seen"})})
    assert sorted(texts(block)) == [
        "[1] All boats need paint.",
        "[2] The boat is ours.",
        "§ 4 May 2026",
        "§ from default, 4 May 2026",
    ]


async def test_a_source_may_answer_though_the_store_cannot(start: Start, tmp_path: Path) -> None:
    """Without any source the store's error is the answer."""
    (tmp_path / "memory.db").write_bytes(b"no database " * 1_000)
    block = await ask(start(FakeSource("wiki", items=[WIKI])))
    assert states(block)["memory"] == "failed"
    assert {item.source for item in block.items} == {"wiki"}
    with pytest.raises(StoreError):
        await ask(start())


async def test_long_memories_and_a_large_budget_keep_the_deadline(start: Start) -> None:
    """Each look at the clock is 100 ms later here: what has not been packed by then is left out, and that is said."""
    services = start()
    hour = "Nothing of note happened that day. " * 20
    await stored(services, *(memory(f"{hour}The boat sank at noon {number}. {hour}", number) for number in range(20)))
    looks = itertools.count()
    services.context.requests = Requests(clock=lambda: next(looks) / 10)
    block = await ask(services, "when did the boat sink", max_tokens=32_000, budget_ms=1_000)
    assert 0 < len(block.items) < 10
    assert block.left_out == 20 - len(block.items)
    assert block.tokens == bound(block.text)
    assert "allow more with budget_ms" in str(block.degraded)
    assert services.context.requests.ended == {ContextState.LATE: 1}


def test_time_that_is_over_after_the_room_costs_nothing() -> None:
    """Only what might have fitted is missing."""
    candidates = Candidates([Evidence("memory", f"boat {number} ahoy") for number in range(90)])
    looks, again, less = itertools.count(), itertools.count(), itertools.count()
    whole = pack(candidates, 200, lambda: next(looks) < 0)
    enough = next(looks)
    assert 0 < len(whole.items) <= enough < 90
    assert pack(candidates, 200, lambda: next(again) >= enough) == whole
    assert pack(candidates, 200, lambda: next(less) >= enough - 1).is_late


async def test_packing_does_not_hold_up_others(start: Start) -> None:
    """It waits here until the event loop has done something else."""
    services = start()
    await stored(services, memory("The boat lies in Kiel.", 1))
    loop, packing, others_ran = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def clock() -> float:
        if threading.current_thread() is not threading.main_thread():
            loop.call_soon_threadsafe(packing.set)
            assert others_ran.wait(60)
        return 0.0

    services.context.requests = Requests(clock=clock)
    asking = asyncio.create_task(ask(services))
    async with asyncio.timeout(60):
        await packing.wait()
    others_ran.set()
    assert (await asking).items


async def test_cancelling_ends_the_packing(start: Start) -> None:
    """Its thread stops at the next part."""
    services = start()
    await stored(services, *(memory(f"The boat lies in Kiel {number}.", number) for number in range(9)))
    loop, packing, cancelled = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    looks: list[str] = []

    def clock() -> float:
        if threading.current_thread() is not threading.main_thread():
            looks.append("packing")
            loop.call_soon_threadsafe(packing.set)
            assert cancelled.wait(60)
        return 0.0

    services.context.requests = Requests(clock=clock)
    asking = asyncio.create_task(ask(services))
    async with asyncio.timeout(60):
        await packing.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    cancelled.set()
    await loop.shutdown_default_executor()
    assert looks == ["packing"]


async def _unheard(done: int, total: int) -> None:
    """Let nobody hear of progress."""


async def test_what_is_missing_is_said_within_the_budget(start: Start) -> None:
    """The block leaves room for the note below it; where the note is long, it refers to the structured result."""
    services = start(*(FakeSource(f"wiki{number}", error=SourceError("it fails", "mend it")) for number in range(9)))
    await stored(services, *(memory(f"boat {number} ahoy", number) for number in range(40)))
    for most in (100, 200, 2_000):
        result = await memory_context(
            Call(services, LOCAL, _unheard), ContextArguments.model_validate({"query": "boat", "max_tokens": most})
        )
        said = result.text()
        assert bound(said) <= most
        assert "[1] boat" in said
        assert ("wiki8: it fails; mend it" if most == 2_000 else "`degraded` says why") in said


async def test_nothing_found_is_an_empty_block(start: Start) -> None:
    """It has no frame, and fits nothing."""
    block = await ask(start())
    assert (block.text, block.tokens, block.items, block.weak) == ("", 0, (), True)


async def test_what_a_source_found_is_not_called_weak(start: Start) -> None:
    """Only its own search knows how well that fits; near memories are called so."""
    await stored(services := start(), memory("The boat lies in Kiel.", 1))
    assert (await ask(services, "which painter built houses")).weak
    await stored(services := start(FakeSource("wiki", items=[WIKI])), memory("The boat lies in Kiel.", 1))
    assert not (await ask(services, "which painter built houses")).weak


async def test_each_state_is_told_with_the_request(start: Start) -> None:
    """In their order, to whoever watches."""
    seen: list[tuple[str, ContextState]] = []
    services = start()
    services.context.requests = Requests(lambda request, state, _: seen.append((request, state)))
    await ask(services, request_id="r7")
    order = ["received", "planned", "gathering", "packed", "answered"]
    assert [(request, state.value) for request, state in seen] == [("r7", each) for each in order]
    assert services.context.requests.reached == dict.fromkeys(order, 1)


@pytest.mark.parametrize("state", ContextState)
def test_no_state_follows_that_may_not(state: ContextState) -> None:
    """The table decides; from each state but the last an end can be reached."""
    for following in ContextState:
        progress = Requests().begin("r")
        progress.state = state
        if following in NEXT[state]:
            progress.to(following)
        else:
            with pytest.raises(ValueError, match="may not follow"):
                progress.to(following)
    assert state in ENDS or ContextState.CANCELLED in NEXT[state]
