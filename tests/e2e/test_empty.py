"""Blank arguments, by which models and scripts mean that they want none, through a real client and the command line."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.client import Json, RawClient, ToolError
from tests.e2e.conftest import Command

FILTERS = ("tags", "tag_match", "type", "metadata", "conversation_id", "after", "before", "time_expr", "namespace")
SEARCHING = ("limit", "k", "mode", "min_score", "recency", "collapse", "max_chars")
STORING = ("tags", "type", "metadata", "namespace", "conversation_id", "created_at", "id")
CLEARING: list[Any] = [[], "[]"]
BLANKS = ("", "  ", "\n\t")


async def test_blank_is_left_out_where_nothing_is_deleted(client: RawClient) -> None:
    """For every optional argument of every tool, all of them at once and one by one."""
    for blank in (*BLANKS, None):
        stored = await client.tool("memory_store", content=f"red apples {blank!r}", **dict.fromkeys(STORING, blank))
        memory = await client.tool("memory_get", id=stored["id"], history=blank, offset=blank, max_chars=blank)
        assert (memory["type"], memory["tags"], memory["metadata"], memory["conversation_id"]) == ("note", [], {}, None)
        assert memory["id"]
        assert memory["revisions"] is None
    for blank in BLANKS:
        for names in (FILTERS + SEARCHING, *[(name,) for name in FILTERS + SEARCHING]):
            found = await client.tool("memory_search", query="red apples", **dict.fromkeys(names, blank))
            assert len(found["results"]) == 4, (names, blank)
        for names in ((*FILTERS, "limit", "cursor"), ("cursor",), ("after",)):
            assert (await client.tool("memory_list", **dict.fromkeys(names, blank)))["total"] == 4
    items = [{"content": "pears", **dict.fromkeys(STORING, "")}]
    assert (await client.tool("memory_store_many", items=items))["items"][0]["created"] is True


async def test_blank_is_refused_where_something_is_required(client: RawClient) -> None:
    """The content, the query and the id of what is read or changed."""
    for tool, name in (("memory_store", "content"), ("memory_search", "query"), ("memory_get", "id")):
        for blank in ("", None):
            with pytest.raises(ToolError, match=f"^{name}: "):
                await client.tool(tool, **{name: blank})
    with pytest.raises(ToolError, match=r"^content: must not be blank"):
        await client.tool("memory_store", content="  ")
    with pytest.raises(ToolError, match=r"^query: must not be blank"):
        await client.tool("memory_search", q=" \n")


async def test_a_blank_alias_does_not_stand_in_the_way(client: RawClient) -> None:
    """Who sends both names of an argument means the one that says something."""
    await client.tool("memory_store", content="", text="red apples")
    assert (await client.tool("memory_list"))["memories"][0]["content"] == "red apples"
    for names in ({"limit": "", "k": 1}, {"limit": 1, "top_k": ""}, {"limit": None, "n_results": "1"}):
        assert len((await client.tool("memory_search", query="apples", **names))["results"]) == 1
    with pytest.raises(ToolError, match="is an alias of"):
        await client.tool("memory_search", query="apples", limit=1, k=2)


async def test_a_blank_guard_is_refused(client: RawClient, command: Command) -> None:
    """Who gives an expected revision, even an empty one, does not want to overwrite another."""
    await client.tool("memory_store", content="apples", id="a")
    for blank in BLANKS:
        with pytest.raises(ToolError, match=r"^expected_revision: is empty"):
            await client.tool("memory_update", id="a", content="pears", expected_revision=blank)
    refused = await command("update", "a", "--content", "pears", "--expected-revision", "")
    assert (refused.code, "expected_revision: is empty" in refused.err) == (2, True)
    assert (await client.tool("memory_get", id="a"))["content"] == "apples"


async def test_blank_changes_nothing_in_an_update(client: RawClient) -> None:
    """Blank tags are none given; an empty list, also as JSON text, clears them."""
    await client.tool("memory_store", content="apples", id="a", tags=["x"], type="fact", metadata={"n": 1})
    blanks: list[Json] = [{"tags": ""}, {"tags": [""]}, {"tags": '[""]'}, {"tags": " , "}, {"tags": "null"}]
    blanks += [{"type": " "}, {"content": ""}, {"content": "  "}, {"metadata": ""}, {"metadata": "null"}]
    for blank in blanks:
        with pytest.raises(ToolError, match="give at least one of"):
            await client.tool("memory_update", id="a", **blank)
        await client.tool("memory_update", id="a", **{"type": "fact", "content": "apples", **blank})
    memory = await client.tool("memory_get", id="a")
    assert (memory["content"], memory["tags"], memory["type"], memory["metadata"]) == (
        "apples",
        ["x"],
        "fact",
        {"n": 1},
    )
    for clear in CLEARING:
        await client.tool("memory_update", id="a", tags=["x"])
        await client.tool("memory_update", id="a", tags=clear, metadata={})
        memory = await client.tool("memory_get", id="a")
        assert (memory["tags"], memory["metadata"]) == ([], {})


EMPTY_METADATA: list[Any] = [{}, "{}", "null"]
EMPTY_FILTERS: list[tuple[str, Any]] = [
    *((name, blank) for name in (*FILTERS, "id", "dry_run") for blank in ("", "  ")),
    *(("tags", tags) for tags in ([], [""], ["fruit", ""], "[]", '[""]', "fruit,", "null", ",", '["fruit", " "]')),
    *(("metadata", about) for about in EMPTY_METADATA),
]


async def test_an_empty_filter_deletes_nothing(client: RawClient) -> None:
    """It is refused by name, alone and beside a filter that would then select more; null is none."""
    await client.tool("memory_store", content="precious", id="a", tags=["fruit"], type="fact")
    for name, value in EMPTY_FILTERS:
        for others in ({}, {"type": "fact"}, {"tags": ["fruit"]}):
            if name in others:
                continue
            with pytest.raises(ToolError, match=f"^{name}: is empty"):
                await client.tool("memory_delete", **{**others, name: value})
    for nothing in ({}, {"id": None}, {"namespace": "default"}, {"tags": None, "type": None}):
        with pytest.raises(ToolError, match="at least one filter"):
            await client.tool("memory_delete", **nothing)
    with pytest.raises(ToolError, match="not both"):
        await client.tool("memory_delete", id="a", tags=["fruit"])
    assert (await client.tool("memory_list"))["total"] == 1


async def test_beside_an_id_empty_filters_select_nothing_more(client: RawClient) -> None:
    """That memory is deleted and no other, unless it is not said whether it shall be."""
    for memory_id in ("a", "b"):
        await client.tool("memory_store", content=f"apples {memory_id}", id=memory_id)
    with pytest.raises(ToolError, match=r"^dry_run: is empty"):
        await client.tool("memory_delete", id="a", dry_run="")
    empty = {**dict.fromkeys(FILTERS, ""), "tags": [], "metadata": {}}
    assert (await client.tool("memory_delete", id="a", **empty))["ids"] == ["a"]
    assert (await client.tool("memory_list"))["total"] == 1


async def test_prompts_take_blank_for_left_out(client: RawClient) -> None:
    """An optional argument that is blank is none; a required one is asked for."""
    await client.tool("memory_store", content="red apples", tags=["x"])
    for arguments in ({"period": "", "tag": ""}, {"period": "today", "tag": "  "}):
        answer = await client.request("prompts/get", {"name": "review", "arguments": arguments})
        assert "review" in answer["result"]["messages"][0]["content"]["text"].lower()
    review = await client.request("prompts/get", {"name": "review", "arguments": {"period": "today", "tag": " "}})
    assert "red apples" in review["result"]["messages"][0]["content"]["text"]
    recall = await client.request("prompts/get", {"name": "recall", "arguments": {"topic": " "}})
    assert "topic: is required" in recall["error"]["message"]


async def test_empty_options_are_left_out(command: Command) -> None:
    """On the command line too, and refused by `delete`."""
    nothing = ["--type", "", "--namespace", " ", "--created-at", "", "--tag", "", "--metadata", "", "--id", ""]
    assert (await command("store", "red apples", *nothing)).code == 3
    options = ["--type", "", "--after", "", "--before", " ", "--limit", "", "--metadata", "", "--tag", ""]
    assert (await command("list", *options, "--cursor", "", "--json")).data["total"] == 1
    searching = [
        "--mode",
        "",
        "--min-score",
        "",
        "--recency",
        "",
        "--max-chars",
        "",
        "--tag-match",
        "",
        "--time-expr",
        "",
    ]
    found = await command("search", "apples", *options, *searching, "--json")
    assert len(found.data["results"]) == 1
    memory_id = found.data["results"][0]["id"]
    assert (await command("update", memory_id, "--type", "", "--tags", "", "--content", "")).code == 2
    for options in (
        ["--type", ""],
        ["--tag", ""],
        ["--tag", "x", "--tag", ""],
        ["--type", "note", "--after", " "],
        [""],
    ):
        refused = await command("delete", *options)
        assert (refused.code, refused.err.count("\n"), "is empty" in refused.err) == (2, 1, True), options
    assert (await command("list", "--json")).data["total"] == 1
    assert (await command("delete", memory_id, "--type", "", "--tag", "")).code == 0
