"""What `explain` says of a search: through the tool, and on the command line."""

from __future__ import annotations

import re

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


async def explained(client: RawClient, query: str, **more: object) -> tuple[Json, list[tuple[Json, Json]]]:
    """Search, and return what is said of the query, and each result with what explains it."""
    answer = await client.tool("memory_search", query=query, explain=True, **more)
    return answer["explain_query"], list(zip(answer["results"], answer["explain"], strict=True))


@pytest.mark.parametrize("mode", ["auto", "semantic", "keyword", "hybrid"])
async def test_the_steps_add_up_to_the_score(daemon: FakeDaemon, client: RawClient, mode: str) -> None:
    """In every mode each result has its explanation, in the same order, and the parts make the whole."""
    del daemon
    await store(client, *TALK, conversation_id="c")
    await store(client, *(f"something else {n}" for n in range(20)))
    query, found = await explained(client, "violin teacher", mode=mode)
    weight = query["weight"]
    assert found
    for place, (result, steps) in enumerate(found, 1):
        semantic, keyword = steps["semantic"], steps["keyword"]
        assert (steps["id"], steps["rank"]) == (result["id"], place)
        assert steps["fused_rank"] == 1 + sum(other["fused"] > steps["fused"] for _, other in found)
        assert (semantic, keyword) == (result["semantic"], result["keyword"])
        assert steps["fused"] == pytest.approx(weight * (semantic or 0) + (1 - weight) * (keyword or 0), abs=2e-4)
        moved = steps["time"] + steps["length"] + steps["turn"]
        assert result["score"] == pytest.approx(steps["fused"] + moved, abs=2e-4)
        if keyword is not None:
            assert keyword == pytest.approx(steps["own"] + steps["neighbours"], abs=2e-4)
        if steps["context"] is not None:
            assert semantic == pytest.approx((steps["cosine"] + max(0, steps["context"])) / 2, abs=2e-4)
    assert weight == {"semantic": 1, "keyword": 0, "hybrid": 0.5}.get(mode, weight)
    assert query["mode"] == {"auto": "hybrid"}.get(mode, mode)
    assert query["phrasings"] == ([] if mode == "keyword" else ["violin teacher"])
    assert query["terms"] == ({} if mode == "semantic" else {"violin": 1, "teacher": 1, "violinteach": 0.5})


async def test_the_first_step_says_what_was_made_of_the_query(daemon: FakeDaemon, client: RawClient) -> None:
    """Its intent, the days that it names, what was embedded, and what each of its words counts."""
    del daemon
    await store(client, *(f"Ann said {n} things" for n in range(10)), "Ann has a violin teacher")
    query, _ = await explained(client, "Who is Ann's violin teacher since May?")
    assert (query["intent"], query["times"]) == ("time", ["05-01/05-31"])
    assert query["phrasings"] == ["Who is Ann's violin teacher since May?", "Who is violin teacher since May?"]
    assert {query["terms"][word] for word in ("who", "is")} == {0.25}
    assert {query["terms"][word] for word in ("ann", "violin", "teacher")} == {1}
    assert (query["names"], query["quoted"], query["tags"]) == ([], [], [])
    query, _ = await explained(client, "PROJ-17")
    assert (query["intent"], query["names"], query["weight"]) == ("identifier", ["PROJ-17"], 0.2)
    assert (await explained(client, '"violin teacher"'))[0]["quoted"] == ["violin teacher"]


async def test_a_turn_that_its_neighbour_found_says_so(daemon: FakeDaemon, client: RawClient) -> None:
    """Its own words score nothing; those of the turn before do."""
    del daemon
    await store(client, *TALK, conversation_id="c")
    _, found = await explained(client, "violin teacher")
    steps = {result["content"]: steps for result, steps in found}
    assert steps[TALK[1]]["own"] == 0 < steps[TALK[1]]["neighbours"]
    assert steps[TALK[0]]["neighbours"] == 0 < steps[TALK[0]]["own"]
    assert (steps[TALK[0]]["cosine_rank"], steps[TALK[0]]["keyword_rank"]) == (1, 1)


async def test_a_tag_and_age_say_what_they_moved(daemon: FakeDaemon, client: RawClient) -> None:
    """A browse lifts half of the way to 1; recency moves the newer up and the older down."""
    del daemon
    await store(client, "we went to Rome", "boots and socks", tags=["travel"])
    await store(client, "travel travel travel")
    query, lifted = await explained(client, "#travel")
    assert [steps["tag_lift"] > 0 for _, steps in lifted] == [True, True, False]
    for result, steps in lifted:
        assert result["score"] == pytest.approx(steps["fused"] + steps["tag_lift"], abs=2e-4)
    assert query["tags"] == ["travel"]
    assert query["tagged_weight"] is not None
    await store(client, "violin lesson at noon", "violin lesson at noon in the old town hall")
    _, aged = await explained(client, "violin lesson at noon", recency=1.0)
    assert [steps["age_shift"] for _, steps in aged[:2]] == [1, -1]
    assert "carry travel" in query["fit"]


async def test_it_says_why_an_answer_is_weak(daemon: FakeDaemon, client: RawClient) -> None:
    """By the best scores, or by the spelling of a name."""
    del daemon
    await store(client, *TALK)
    fits = {query: (await explained(client, query))[0]["fit"] for query in ("which quarterback won", "PROJ-17")}
    fit, _, semantic, _, keyword = map(float, re.findall(r"0\.\d\d", fits["which quarterback won"])[:5])
    assert fits["which quarterback won"] == (
        f"fit {fit:.2f} = 0.50 * best semantic {semantic:.2f} + 0.50 * best keyword {keyword:.2f}; weak below 0.43"
    )
    assert fit == pytest.approx((semantic + keyword) / 2, abs=0.011)
    assert fits["PROJ-17"] == "none of the first 3 spells PROJ-17"


async def test_nothing_is_explained_unless_asked_for(client: RawClient) -> None:
    """The member is absent, the results are those of a search with it; without vectors the words explain all."""
    await store(client, *TALK, conversation_id="c")
    plain = await client.tool("memory_search", query="violin teacher")
    answer = await client.tool("memory_search", query="violin teacher", explain=True)
    assert plain.keys().isdisjoint({"explain", "explain_query"})
    steps, query = answer.pop("explain"), answer.pop("explain_query")
    assert answer == plain
    assert [one["semantic"] for one in steps] == [None] * len(steps)
    assert (query["mode"], query["weight"], query["prominence"], query["phrasings"]) == ("keyword", 0, None, [])


async def test_a_long_query_is_explained_without_its_longest_parts(daemon: FakeDaemon, client: RawClient) -> None:
    """An answer that explains costs a model no more than any other."""
    del daemon
    await store(client, *TALK)
    answer = await ask(client, "memory_search", query="Which teacher? " + "字" * 9_000, explain=True)
    assert_bounded(answer)
    assert (answer.data["explain_query"]["intent"], answer.data["explain_query"]["phrasings"]) == ("question", [])


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
    *_, query, embedded, terms, weight, fit, line = answer["result"]["content"][0]["text"].splitlines()
    assert query == "Query: topic; ranked by hybrid"
    assert embedded == "Embedded: violin teacher"
    assert terms == "Terms: violin 1, teacher 1, violinteach 0.5"
    assert weight.startswith("Weight: semantic 0.")
    assert fit.startswith("Fit 0.")
    assert re.match(r"1\. fused 0\.\d\d of semantic 0\.\d\d \(cosine .*\) and keyword 0\.\d\d \(own words ", line)


async def test_the_command_prints_it(daemon: FakeDaemon, client: RawClient, command: Command) -> None:
    """With `--json` what a client gets; for a script nine more columns with their names; the query is a note."""
    del daemon
    await store(client, *TALK, conversation_id="c")
    asked = await client.tool("memory_search", query="violin teacher", explain=True)
    assert (await command("search", "violin teacher", "--explain", "--json")).data == asked
    piped = await command("search", "violin teacher", "--explain")
    names, *rows = (line.split("\t") for line in piped.out.splitlines())
    best = dict(zip(names, rows[0], strict=True))
    first = asked["explain"][0]
    assert (best["id"], len(rows)) == (first["id"], len(asked["explain"]))
    assert (best["cosine"], best["context"]) == (f"{first['cosine']:.2f} #1", f"{first['context']:.2f}")
    assert (best["near"], best["fused"]) == (f"{first['neighbours']:.2f}", f"{first['fused']:.2f} #1")
    assert (best["more"], best["age"]) == (f"{first['turn']:+.2f}", "-")
    assert piped.err.startswith("Query: topic; ranked by hybrid\nEmbedded: violin teacher\nTerms: violin 1, ")
    assert f"\nF{asked['explain_query']['fit'][1:]}\n" in piped.err
