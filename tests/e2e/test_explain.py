"""What `explain` says of a search: through the tool, and on the command line."""

from __future__ import annotations

import pytest

from tests.e2e.answers import ask
from tests.e2e.client import Json, RawClient
from tests.e2e.conftest import Command
from tests.e2e.test_bounds import assert_bounded
from tests.fakes.daemon import FakeDaemon

TALK = ("Which violin teacher do you recommend?", "Mrs Lindqvist, she is patient", "Now the weather")


async def store(client: RawClient, *contents: str, **fields: object) -> None:
    """Store memories, each a minute after the one before."""
    items = [
        {"content": content, "created_at": f"2024-05-17T{10 + minute // 60}:{minute % 60:02}:00Z"} | fields
        for minute, content in enumerate(contents)
    ]
    await client.tool("memory_store_many", items=items)


async def explained(client: RawClient, query: str, **more: object) -> list[tuple[Json, Json]]:
    """Search, and return each result with what explains it."""
    answer = await client.tool("memory_search", query=query, explain=True, **more)
    return list(zip(answer["results"], answer["explain"], strict=True))


@pytest.mark.parametrize("mode", ["auto", "semantic", "keyword", "hybrid"])
async def test_the_steps_add_up_to_the_score(daemon: FakeDaemon, client: RawClient, mode: str) -> None:
    """In every mode each result has its explanation, in the same order, and the parts make the whole."""
    del daemon
    await store(client, *TALK, conversation_id="c")
    await store(client, *(f"something else {n}" for n in range(20)))
    found = await explained(client, "violin teacher", mode=mode)
    assert found
    for place, (result, steps) in enumerate(found, 1):
        semantic, keyword, weight = steps["semantic"], steps["keyword"], steps["weight"]
        assert (steps["id"], steps["rank"]) == (result["id"], place)
        assert steps["fused_rank"] == 1 + sum(other["score"] > result["score"] for other, _ in found)
        assert (semantic, keyword) == (result["semantic"], result["keyword"])
        assert steps["fused"] == pytest.approx(weight * (semantic or 0) + (1 - weight) * (keyword or 0), abs=2e-4)
        assert result["score"] == steps["fused"]
        if keyword is not None:
            assert keyword == pytest.approx(steps["own"] + steps["neighbours"], abs=2e-4)
        if steps["context"] is not None:
            assert semantic == pytest.approx((steps["cosine"] + max(0, steps["context"])) / 2, abs=2e-4)
    weights = {steps["weight"] for _, steps in found}
    assert weights == {"semantic": {1}, "keyword": {0}, "hybrid": {0.5}}.get(mode, weights)


async def test_a_turn_that_its_neighbour_found_says_so(daemon: FakeDaemon, client: RawClient) -> None:
    """Its own words score nothing; those of the turn before do."""
    del daemon
    await store(client, *TALK, conversation_id="c")
    steps = {result["content"]: steps for result, steps in await explained(client, "violin teacher")}
    assert steps[TALK[1]]["own"] == 0 < steps[TALK[1]]["neighbours"]
    assert steps[TALK[0]]["neighbours"] == 0 < steps[TALK[0]]["own"]
    assert (steps[TALK[0]]["cosine_rank"], steps[TALK[0]]["keyword_rank"]) == (1, 1)


async def test_a_tag_and_age_say_what_they_moved(daemon: FakeDaemon, client: RawClient) -> None:
    """A browse lifts half of the way to 1; recency moves the newer up and the older down."""
    del daemon
    await store(client, "we went to Rome", "boots and socks", tags=["travel"])
    await store(client, "travel travel travel")
    lifted = await explained(client, "#travel")
    assert [steps["tag_lift"] > 0 for _, steps in lifted] == [True, True, False]
    for result, steps in lifted:
        assert result["score"] == pytest.approx(steps["fused"] + steps["tag_lift"], abs=2e-4)
    await store(client, "violin lesson at noon", "violin lesson at noon in the old town hall")
    shifts = [steps["age_shift"] for _, steps in await explained(client, "violin lesson at noon", recency=1.0)]
    assert shifts[:2] == [1, -1]
    assert "carry travel" in lifted[0][1]["fit"]


async def test_it_says_why_an_answer_is_weak(daemon: FakeDaemon, client: RawClient) -> None:
    """By the best scores, or by the spelling of a name."""
    del daemon
    await store(client, *TALK)
    fits = {query: (await explained(client, query))[0][1]["fit"] for query in ("which quarterback won", "PROJ-17")}
    assert fits["which quarterback won"].endswith("below 0.43 is weak")
    assert fits["PROJ-17"] == "none of the first 3 spells PROJ-17"


async def test_nothing_is_explained_unless_asked_for(client: RawClient) -> None:
    """The member is absent, the results are those of a search with it; without vectors the words explain all."""
    await store(client, *TALK, conversation_id="c")
    plain = await client.tool("memory_search", query="violin teacher")
    answer = await client.tool("memory_search", query="violin teacher", explain=True)
    assert "explain" not in plain
    steps = answer.pop("explain")
    assert answer == plain
    assert [(one["semantic"], one["weight"], one["prominence"]) for one in steps] == [(None, 0, None)] * len(steps)


@pytest.mark.parametrize("limit", [40, 100])
async def test_explanations_leave_room_for_the_results(daemon: FakeDaemon, client: RawClient, limit: int) -> None:
    """The answer still costs a model less than 10,000 tokens: as many are there, and the first are explained."""
    del daemon
    await store(client, *(f"violin lesson {n}" for n in range(limit)))
    answer = await ask(client, "memory_search", query="violin lesson", limit=limit, explain=True)
    assert_bounded(answer)
    results, reasons = ([one["id"] for one in answer.data[name]] for name in ("results", "explain"))
    assert len(results) == limit
    assert 5 < len(reasons) < limit
    assert reasons == results[: len(reasons)]


async def test_the_text_of_the_answer_explains_too(daemon: FakeDaemon, client: RawClient) -> None:
    """For clients that show text alone: why it fits, and a line for each result."""
    del daemon
    await store(client, *TALK, conversation_id="c")
    answer = await client.request(
        "tools/call", {"name": "memory_search", "arguments": {"query": "violin teacher", "explain": True, "limit": 1}}
    )
    *_, fit, line = answer["result"]["content"][0]["text"].splitlines()
    assert fit.startswith("Fit: the best scores (semantic ")
    assert line.startswith("1. 0.")
    assert "x semantic 0." in line
    assert "x keyword 0." in line


async def test_the_command_prints_it(daemon: FakeDaemon, client: RawClient, command: Command) -> None:
    """With `--json` what a client gets; for a script ten more columns; what decided the weight is a note."""
    del daemon
    await store(client, *TALK, conversation_id="c")
    asked = await client.tool("memory_search", query="violin teacher", explain=True)
    assert (await command("search", "violin teacher", "--explain", "--json")).data == asked
    piped = await command("search", "violin teacher", "--explain")
    cells = piped.out.splitlines()[0].split("\t")
    first = asked["explain"][0]
    assert cells[5:7] == [f"{first['cosine']:.2f} #{first['cosine_rank']}", f"{first['context']:.2f}"]
    assert cells[9:] == [f"{first['neighbours']:.2f}", *cells[10:13], "-", "-"]
    assert cells[11:13] == [f"{first['weight']:.2f}", f"{first['fused']:.2f} #1"]
    assert piped.err.startswith(f"semantic counts {first['weight']:.2f}, keyword ")
    assert f"\nfit: {first['fit']}\n" in piped.err
