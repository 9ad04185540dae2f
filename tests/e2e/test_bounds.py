"""No answer costs a model 10,000 tokens unless it was asked to, and none leaves out what was asked for."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.answers import Answer, ask
from tests.e2e.client import RawClient, ToolError
from tests.e2e.conftest import Command

LIMIT = 10_000
NOISE = b"".join(hashlib.sha256(bytes([number])).digest() for number in range(256)) * 60

KINDS: dict[str, tuple[str, float]] = {
    "English": ("The committee decided that the boat house would be painted before summer. ", 0.21),
    "German": ("Die Krankenversicherungsbeiträge werden im nächsten Jahr steigen. ", 0.31),
    "Chinese": ("政府突然宣布从今年七月一日起提高最低工资标准。", 1.15),
    "Thai": ("รัฐบาลประกาศขึ้นค่าแรงขั้นต่ำอย่างกะทันหัน", 1.8),
    "emoji": ("😀🚀🧑‍💻🇩🇪❤️👩‍👩‍👧‍👦🎉🥑", 2.23),
    "code": ('for(let i=0;i<n;i++){\n\tif(r[i]["id"]!=="x"){return {ok:!0};}\n}\n', 0.7),
    "base64": (base64.b64encode(NOISE).decode(), 0.72),
    "hexadecimal": (NOISE.hex(), 0.6),
    "quotes": ('He said "no", and "yes".\n\tThen: "ok\\n"\n', 0.65),
    "controls": ("\x01\x02\x1b[31m\x07a", 2.2),
    "newlines": ("\n \n\n\tx", 1.6),
    "escapes": ("\\u0041\\n\\\\", 1.2),
}
"""A text of each kind and what a character of it costs in JSON, as counted with the tokenizer that `sizes` names."""

CHARS_IN_JSON, CHARS_IN_TEXT = 2.4, 1.8
"""Characters of a token in what stands around contents, counted likewise: ids, times and names."""


def of_kind(kind: str, length: int) -> str:
    """Return so many characters."""
    text = KINDS[kind][0]
    return (text * (length // len(text) + 1))[:length]


def contents_in(data: object) -> Iterator[str]:
    """Yield all contents and passages of a result."""
    if isinstance(data, dict):
        yield from (data[name] for name in ("content", "passage") if isinstance(data.get(name), str))
    if isinstance(data, dict | list):
        for each in data.values() if isinstance(data, dict) else data:
            yield from contents_in(each)


def assert_bounded(answer: Answer, kind: str = "English") -> None:
    """Check that neither the text nor the structured result costs too much."""
    rate, texts = KINDS[kind][1], list(contents_in(answer.data))
    escaped = sum(len(json.dumps(text, ensure_ascii=False)) for text in texts)
    cost = rate * sum(map(len, texts)) + (len(answer.json) - escaped) / CHARS_IN_JSON
    assert cost < LIMIT, (kind, cost)
    shown = [text for text in texts if text in answer.text]
    cost = rate * sum(map(len, shown)) + max(0, len(answer.text) - sum(map(len, shown))) / CHARS_IN_TEXT
    assert cost < LIMIT, (kind, cost)


@pytest.mark.parametrize("kind", KINDS)
async def test_long_memories_are_shortened_whatever_they_are_written_in(client: RawClient, kind: str) -> None:
    """Twelve of 21,000 characters: each is there, in a search, a list and one by one."""
    texts = [f"{number} zebra {of_kind(kind, 21_000)} needle{number}" for number in range(12)]
    await client.tool("memory_store_many", items=[{"content": text, "id": f"m{n}"} for n, text in enumerate(texts)])
    found = await ask(client, "memory_search", query="zebra needle3", limit=12)
    assert_bounded(found, kind)
    assert (len(found.data["results"]), found.data["shortened"], found.data["left_out"]) == (12, 12, 0)
    assert "needle3" in next(hit["content"] for hit in found.data["results"] if hit["id"] == "m3")
    assert all(hit["content"] and hit["content"] in texts[int(hit["id"][1:])] for hit in found.data["results"])
    listed = await ask(client, "memory_list", limit=12)
    assert_bounded(listed, kind)
    assert (len(listed.data["memories"]), listed.data["shortened"]) == (12, 12)
    assert all(texts[int(it["id"][1:])].startswith(it["content"]) for it in listed.data["memories"])
    assert {it["shortened"] for it in listed.data["memories"]} == {True}
    assert_bounded(await ask(client, "memory_get", id="m1"), kind)
    assert_bounded(await ask(client, "memory_update", id="m1", content=of_kind(kind, 50_000)), kind)


PILES: dict[str, dict[str, Any]] = {
    "bare": {},
    "described": {"metadata": {"source": "mail", "n": 1}, "tags": ["alpha", "beta"], "type": "decision"},
    "in conversations": {"conversation_id": "6f1c2a9e-77b1-4a3e-9a61-0d4a5f6c7b8d"},
    "of one huge member": {"metadata": {"blob": "m" * 65_000}},
    "of many members": {"metadata": {f"key{n}": f"value {n}" for n in range(2_000)}},
    "of many tags": {"tags": [f"{'t' * 100}{n}" for n in range(64)], "conversation_id": "c" * 256},
}


@pytest.mark.parametrize("pile", PILES)
async def test_as_many_as_were_asked_for_are_there(client: RawClient, pile: str) -> None:
    """Up to a hundred, however much hangs on each: what is beside the content gives way too."""
    items = [
        {"content": f"zebra {n} " + of_kind("English", 2_000), "id": f"{n:032x}", **PILES[pile]} for n in range(110)
    ]
    await client.tool("memory_store_many", items=items)
    for limit in (1, 7, 50, 51, 100):
        found = await ask(client, "memory_search", query="zebra", limit=limit)
        assert len({hit["id"] for hit in found.data["results"]}) == limit
        assert found.data["left_out"] == 0
        assert all(hit["content"] for hit in found.data["results"])
        listed = await ask(client, "memory_list", limit=limit)
        assert len({it["id"] for it in listed.data["memories"]}) == limit
        for answer in (found, listed):
            assert_bounded(answer)


async def test_short_memories_stay_whole(client: RawClient) -> None:
    """Long ones share what they leave, and what is whole says nothing of being shortened."""
    contents = [f"zebra {number}" for number in range(8)] + [f"zebra {n} " + of_kind("English", 30_000) for n in (8, 9)]
    await client.tool("memory_store_many", items=[{"content": content} for content in contents])
    for answer, name in (
        (await ask(client, "memory_search", query="zebra"), "results"),
        (await ask(client, "memory_list"), "memories"),
    ):
        assert answer.data["shortened"] == 2
        whole = [it["content"] for it in answer.data[name] if "shortened" not in it]
        assert sorted(whole) == contents[:8]
    listed = await ask(client, "memory_list")
    assert min(len(it["content"]) for it in listed.data["memories"] if "shortened" in it) > 8_000


async def test_ids_that_fill_an_answer_end_it(client: RawClient) -> None:
    """Where not even what cannot be shortened fits, a search counts what it left out and a list goes on."""
    ids = [f"{number}{'長' * 120}" for number in range(100)]
    await client.tool("memory_store_many", items=[{"content": f"zebra {n}", "id": each} for n, each in enumerate(ids)])
    found = await ask(client, "memory_search", query="zebra", limit=100)
    assert 0 < len(found.data["results"]) == 100 - found.data["left_out"]
    assert f"{found.data['left_out']} more did not fit" in found.text
    seen: list[str] = []
    cursor = None
    while True:
        page = (await ask(client, "memory_list", limit=100, cursor=cursor)).data
        seen += [memory["id"] for memory in page["memories"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert sorted(seen) == sorted(ids)


async def test_max_chars_is_a_budget_of_its_own(client: RawClient) -> None:
    """It may be less or more than an answer has by itself; each result is there either way."""
    contents = [f"zebra {number} " + of_kind("English", 20_000) for number in range(10)]
    await client.tool("memory_store_many", items=[{"content": content} for content in contents])
    for budget in (1, 7, 1_000, 50_000):
        found = (await ask(client, "memory_search", query="zebra", max_chars=budget)).data
        assert sum(len(hit["content"]) for hit in found["results"]) == budget
        assert (len(found["results"]), found["shortened"]) == (10, 10)
    found = (await ask(client, "memory_search", query="zebra", max_chars=10_000_000)).data
    assert sorted(hit["content"] for hit in found["results"]) == contents
    assert found["shortened"] == 0


async def test_max_chars_bounds_contents_alone(client: RawClient) -> None:
    """However many characters of content are wanted, what hangs on a memory costs no more than without."""
    piles: list[dict[str, Any]] = [
        {"metadata": {"blob": "m" * 60_000}},
        {"tags": [f"{'t' * 100}{n}" for n in range(64)], "conversation_id": "c" * 256},
    ]
    items = [{"content": f"zebra {n}", "id": f"m{n}", **piles[n % 2]} for n in range(60)]
    await client.tool("memory_store_many", items=items)
    for limit in (2, 60):
        assert_bounded(await ask(client, "memory_search", query="zebra", limit=limit, max_chars=10_000_000))


async def test_no_member_is_missing_unless_the_budget_demands_it(client: RawClient) -> None:
    """Members that say nothing are there while they fit, those that matter most the longest."""
    items = [{"content": f"zebra {n} runs", "id": f"{n:032x}", "tags": ["t"]} for n in range(100)]
    await client.tool("memory_store_many", items=items)
    complete = {"semantic", "keyword", "passage", "conversation_id", "updated_at", "type", "tags", "metadata"}
    for limit in (1, 50, 51, 65):
        found = await ask(client, "memory_search", query="zebra", limit=limit)
        listed = await ask(client, "memory_list", limit=limit)
        assert all(complete <= set(hit) for hit in found.data["results"])
        assert all(complete - {"semantic", "keyword", "passage"} <= set(it) for it in listed.data["memories"])
        assert_bounded(found)
    found = await ask(client, "memory_search", query="zebra", limit=85)
    assert all({"tags", "type", "metadata", "passage", "updated_at"} <= set(hit) for hit in found.data["results"])
    assert_bounded(found)


async def test_each_old_revision_is_read_whole(client: RawClient, command: Command) -> None:
    """By its number, piece by piece, with what it was; a number that is none is told which there are."""
    contents = [f"{number} " + of_kind("English", 90_000) for number in range(4)]
    await client.tool("memory_store", content=contents[0], id="k", tags=["old"], metadata={"n": 0}, type="fact")
    for number, content in enumerate(contents[1:], 1):
        await client.tool("memory_update", id="k", content=content, tags=["new"], metadata={"n": number})
    for number, content in enumerate(contents):
        got = await ask(client, "memory_get", id="k", revision=number + 1)
        pieces = [got.data["content"]]
        while (offset := got.data["next_offset"]) is not None:
            got = await ask(client, "memory_get", id="k", revision=number + 1, offset=offset)
            assert_bounded(got)
            pieces.append(got.data["content"])
        assert "".join(pieces) == content
        assert (got.data["revision"], got.data["metadata"]) == (number + 1, {"n": number})
        assert got.data["tags"] == ["new" if number else "old"]
    whole = (await ask(client, "memory_get", id="k", revision=2, max_chars=1_000_000)).data
    assert (whole["content"], whole["revisions"]) == (contents[1], None)
    history = await ask(client, "memory_get", id="k", history=True)
    assert "call again with revision=N" in history.text
    with pytest.raises(ToolError, match=r"^revision: there is no revision 5; choose one from 1 to 4"):
        await client.tool("memory_get", id="k", revision=5)
    assert contents[0] in (await command("get", "k", "--revision", "1")).out


@pytest.mark.parametrize("kind", KINDS)
async def test_a_long_memory_is_read_piece_by_piece(client: RawClient, kind: str) -> None:
    """The pieces, of the default size or another, are together what was stored."""
    content = of_kind(kind, 60_000) + "."
    await client.tool("memory_store", content=content, id="k", metadata={"n": 1})
    for more in ({}, {"max_chars": 7_001}, {"max_chars": "59999"}):
        pieces: list[str] = []
        offset: int | None = 0
        while offset is not None:
            answer = await ask(client, "memory_get", id="k", offset=offset, **more)
            assert answer.data["content"] in answer.text
            pieces.append(answer.data["content"])
            offset = answer.data["next_offset"]
        assert "".join(pieces) == content
    whole = (await ask(client, "memory_get", id="k", max_chars=1_000_000)).data
    assert (whole["content"], whole["next_offset"], "shortened" in whole) == (content, None, False)
    assert (await ask(client, "memory_get", id="k", offset=60_001)).data["content"] == ""
    with pytest.raises(ToolError, match="offset: must be at most 60001"):
        await client.tool("memory_get", id="k", offset=60_002)
    for wrong, named in (
        ({"offset": -1}, "offset"),
        ({"max_chars": 0}, "max_chars"),
        ({"max_chars": 1_000_001}, "max_c"),
    ):
        with pytest.raises(ToolError, match=f"^{named}"):
            await client.tool("memory_get", id="k", **wrong)


async def test_a_history_is_bounded(client: RawClient) -> None:
    """The latest revisions are shown, each by its beginning where it is long, and the older ones are counted."""
    for number in range(60):
        content, metadata = f"{number} " + of_kind("English", 9_000), {"blob": "m" * 2_000}
        if number == 0:
            await client.tool("memory_store", content=content, id="k", metadata=metadata)
        else:
            await client.tool("memory_update", id="k", content=content, metadata=metadata)
    got = await ask(client, "memory_get", id="k", history=True)
    assert_bounded(got)
    revisions = got.data["revisions"]
    assert [was["revision"] for was in revisions] == list(range(60 - len(revisions), 60))
    assert got.data["older_revisions"] == 59 - len(revisions) > 0
    assert all(was["content"].startswith(f"{was['revision'] - 1} The committee") for was in revisions)
    assert f"({got.data['older_revisions']} older revisions are not shown: call again" in got.text
    few = (await ask(client, "memory_get", id="k", history=True, max_chars=1)).data
    assert (few["content"], few["next_offset"]) == ("5", 1)


async def test_large_metadata_is_whole_when_it_is_asked_for(client: RawClient) -> None:
    """By default what does not fit is counted in its place; `max_chars` brings it."""
    metadata = {"small": 1, "blob": "m" * 60_000}
    await client.tool("memory_store", content="apples", id="k", metadata=metadata)
    got = await ask(client, "memory_get", id="k")
    assert_bounded(got)
    assert got.data["metadata"] == {"small": 1, "…": "1 more"}
    assert got.data["shortened"] is True
    assert "call again with max_chars=65536" in got.text
    for tool, change in (
        ("memory_update", {"id": "k", "metadata": got.data["metadata"]}),
        ("memory_update", {"id": "k", "tags": ["a", "…"]}),
        ("memory_store", {"content": "pears", "tags": "a,…"}),
        ("memory_store", {"content": "pears", "metadata": {"…": 1}}),
    ):
        with pytest.raises(ToolError, match=r"^(metadata|tags): '…' marks what an answer left out"):
            await client.tool(tool, **change)
    assert (await ask(client, "memory_get", id="k", max_chars=65_536)).data["metadata"] == metadata


async def test_an_update_returns_no_content_that_it_did_not_change(client: RawClient) -> None:
    """And of a changed one as much as a reading would, with where it goes on."""
    await client.tool("memory_store", content=of_kind("English", 50_000), id="k")
    for change in ({"tags": ["x"]}, {"type": "fact"}, {"metadata": {"n": 1}}):
        updated = (await ask(client, "memory_update", id="k", **change)).data
        assert (updated["content"], updated["next_offset"], updated["id"]) == (None, None, "k")
    updated = (await ask(client, "memory_update", id="k", content="short")).data
    assert (updated["content"], updated["revision"]) == ("short", 5)
    long = of_kind("English", 60_000)
    updated = (await ask(client, "memory_update", id="k", content=long)).data
    assert updated["content"] == long[: updated["next_offset"]]


async def test_bulk_writes_are_told_within_the_bound(client: RawClient) -> None:
    """The text of a thousand items; the ids of a thousand deleted memories, whose rest is counted."""
    items = [{"content": f"number {number}", "tags": ["all"]} for number in range(1_000)]
    stored = await ask(client, "memory_store_many", items=items)
    assert len(stored.data["items"]) == 1_000  # one for each that was sent
    assert_bounded(Answer(stored.text, {}))
    assert re.search(r"\(\d+ more, up to item 999, are in the structured result; memory_list also lists", stored.text)
    assert all(set(item) == {"id", "created", "embedded"} for item in stored.data["items"])
    again = await ask(client, "memory_store_many", items=[*items[:900], {"content": ""}, *items[:1]])
    assert [line.split(":")[0] for line in again.text.splitlines()[1:3]] == ["item 900", "item 0"]
    gone = await ask(client, "memory_delete", tags=["all"])
    assert_bounded(gone)
    assert len(gone.data["ids"]) + gone.data["left_out"] == 1_000
    assert gone.text.startswith("Deleted 1000 memories")


async def test_near_duplicates_do_not_fill_an_answer(client: RawClient) -> None:
    """Of one that stands for very many, the ids of some are told."""
    items = [{"content": f"The zebra is back{'!' * number}"} for number in range(900)]
    await client.tool("memory_store_many", items=items)
    found = await ask(client, "memory_search", query="zebra", collapse=True, limit=2)
    assert_bounded(found)
    [hit] = found.data["results"]
    assert hit["duplicates"][-1] == "…"
    assert f"{len(hit['duplicates']) - 1} or more near duplicates" in found.text


async def test_resources_and_prompts_are_bounded(client: RawClient) -> None:
    """They show as many memories as they say, shortened like those of the tools."""
    items = [{"content": f"zebra {n} " + of_kind("Chinese", 20_000), "tags": ["t"]} for n in range(100)]
    stored = (await client.tool("memory_store_many", items=items))["items"]
    for uri, count in (("memory://recent/100", 100), ("memory://tag/t", 100), ("memory://recent/3", 3)):
        [content] = (await client.request("resources/read", {"uri": uri}))["result"]["contents"]
        data = json.loads(content["text"])
        assert_bounded(Answer("", data), "Chinese")
        assert (len(data["memories"]), data["shortened"], data["total"]) == (count, count, 100)
    [content] = (await client.request("resources/read", {"uri": f"memory://memory/{stored[0]['id']}"}))["result"][
        "contents"
    ]
    data = json.loads(content["text"])
    assert_bounded(Answer("", data), "Chinese")
    assert data["content"] == items[0]["content"][: data["next_offset"]]
    for name, arguments, count in (("recall", {"topic": "zebra"}, 10), ("review", {"period": "today"}, 50)):
        answer = await client.request("prompts/get", {"name": name, "arguments": arguments})
        text = answer["result"]["messages"][0]["content"]["text"]
        assert KINDS["Chinese"][1] * len(text) < LIMIT
        assert text.count("zebra") >= count
        assert "memory_get returns one in full" in text


async def test_subscribers_hear_of_what_is_not_shown(client: RawClient) -> None:
    """A change beyond the end of what a resource shows is a change."""
    await client.tool("memory_store", content="apples", id="k", metadata={"blob": "m" * 60_000})
    await client.request("resources/subscribe", {"uri": "memory://recent/1"})
    await client.tool("memory_update", id="k", metadata={"blob": "n" * 60_000})
    while not any(note["method"] == "notifications/resources/updated" for note in client.notifications):
        client.notifications.append(await client.next_message())


async def test_the_command_line_prints_all_of_it(client: RawClient, command: Command) -> None:
    """Nobody's context has to hold it, so that a script loses nothing; its own bounds hold."""
    contents = [f"zebra {number} " + of_kind("English", 20_000) for number in range(5)]
    for number, content in enumerate(contents):
        await client.tool("memory_store", content=content, id=f"m{number}", metadata={"blob": "m" * 60_000})
    for name, arguments in (("results", ["search", "zebra"]), ("memories", ["list"])):
        data = (await command(*arguments, "--json")).data
        assert sorted(it["content"] for it in data[name]) == contents
        assert {len(it["metadata"]["blob"]) for it in data[name]} == {60_000}
        assert data["shortened"] == 0
    for number, content in enumerate(contents):
        assert content in (await command("get", f"m{number}")).out
    assert (await command("get", "m1", "--json")).data["content"] == contents[1]
    piece = await command("get", "m1", "--offset", "8", "--max-chars", "12")
    assert piece.out.endswith("\n\nThe committe\n")
    assert "--offset 20" in piece.err
    part = (await command("get", "m1", "--json", "--max-chars", "5")).data
    assert (part["content"], len(part["metadata"]["blob"])) == (contents[1][:5], 60_000)
    part = (await command("search", "zebra", "--json", "--max-chars", "5")).data
    assert {len(hit["metadata"]["blob"]) for hit in part["results"]} == {60_000}
    updated = (await command("update", "m1", "--content", contents[2], "--json")).data
    assert updated["content"] == contents[2]
    await client.tool("memory_store_many", items=[{"content": f"n {n}", "tags": ["all"]} for n in range(600)])
    assert len((await command("delete", "--tag", "all", "--json")).data["ids"]) == 600
