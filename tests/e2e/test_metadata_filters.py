"""Filters on metadata: each is right or refused by name, on every tool and command that takes one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pytest

from tests.e2e.client import RawClient, ToolError
from tests.e2e.conftest import Command

TOOLS: Sequence[tuple[str, Mapping[str, object]]] = [
    ("memory_list", {}),
    ("memory_search", {"query": "word", "mode": "keyword"}),
    ("memory_search", {"query": "unheard of", "namespace": "empty"}),
    ("memory_delete", {"dry_run": True}),
    ("memory_delete", {}),
]
UNKNOWN: Sequence[tuple[object, str]] = [
    ({"$gte": 5}, "unknown operator '$gte'"),
    ({"gte": 1, "foo": 2}, "unknown operator 'foo'"),
    ({"$and": [{"gte": 1}]}, "unknown operator '$and'"),
    ({"eq": 5}, "unknown operator 'eq'"),
    ({"GTE": 5}, "unknown operator 'GTE'"),
    ({">=": 5}, "unknown operator '>='"),
    ({" gte ": 5}, "unknown operator ' gte '"),
    ({"__gte": 5}, "unknown operator '__gte'"),
    ({"Not_In_": [5]}, "unknown operator 'Not_In_'"),
    (
        {"equals": 5},
        "unknown operator 'equals'; choose one of: gte, gt, lte, lt, ne, in; to match an object itself, use",
    ),
    ({"Starts_With": "x"}, "unknown operator 'Starts_With'"),
    ({"min": 5}, "unknown operator 'min'"),
    ({"all": [5]}, "unknown operator 'all'"),
]
UNFIT: Sequence[tuple[object, str]] = [
    ({}, "{} has no operator"),
    ({"in": 5}, "'in' needs a list"),
    ({"in": "abc"}, "'in' needs a list"),
    ({"in": {"a": 1}}, "'in' needs a list"),
    ({"gte": None}, "'gte' needs a number or a string"),
    ({"gt": True}, "'gt' needs a number or a string"),
    ({"lt": [1]}, "'lt' needs a number or a string"),
    ({"lte": {}}, "'lte' needs a number or a string"),
    (2**63, "9223372036854775808 does not fit into 64 bits"),
    (-(2**63) - 1, "-9223372036854775809 does not fit into 64 bits"),
    ({"gte": 10**30}, "does not fit into 64 bits"),
    ({"ne": 10**30}, "does not fit into 64 bits"),
    ({"in": [1, 10**4000]}, "does not fit into 64 bits"),
]
HELD: Mapping[str, object] = {
    "one": 1,
    "real one": 1.0,
    "text one": "1",
    "true": True,
    "null": None,
    "half": 0.5,
    "huge": 1e300,
    "least": -(2**63),
    "most": 2**63 - 1,
    "beyond": 2**63,
    "below": -(2**63) - 1,
    "far": 10**30,
    "list": [10**30, {"$x": None}],
    "object": {"a": {"$b": 10**30}},
    "empty": {},
    "like ours": {"gte": 1},
}
RIGHT: Sequence[tuple[object, set[str]]] = [
    (1, {"one", "real one"}),
    ("1", {"text one"}),
    (True, {"true"}),
    (None, {"null"}),
    (-(2**63), {"least"}),
    (2**63 - 1, {"most"}),
    (1e300, {"huge"}),
    ([10**30, {"$x": None}], {"list"}),
    ({"a": {"$b": 10**30}}, {"object"}),
    ({"a": 1}, set()),
    ({"min": 1, "max": 5}, set()),
    ({"in": [{}]}, {"empty"}),
    ({"in": [{"gte": 1}]}, {"like ours"}),
    ({"in": []}, set()),
    ({"in": [1, "1", True, None]}, {"one", "real one", "text one", "true", "null"}),
    ({"gt": 1}, {"huge", "most", "beyond", "far"}),
    ({"gt": 2**63 - 1}, {"huge", "beyond", "far"}),
    ({"lt": 0.5}, {"least", "below"}),
    ({"gte": "0"}, {"text one"}),
    ({"gte": 1, "lt": "2"}, set()),
    ({"in": [1, 2], "ne": 1}, set()),
]


async def test_what_cannot_be_compared_is_refused_by_name(client: RawClient) -> None:
    """An operator that is none, and an operand that does not fit, is named with the member and what is known."""
    await client.tool("memory_store", content="word", metadata={"v": 1})
    for wanted, problem in (*UNKNOWN, *UNFIT):
        for tool, arguments in TOOLS:
            try:
                await client.tool(tool, metadata={"v": wanted}, **arguments)
            except ToolError as error:
                said = str(error)
                assert said.startswith("metadata.v: ")
                assert problem in said
                assert "unknown" not in problem or "choose one of: gte, gt, lte, lt, ne, in" in said
                assert len(said) < 300
            else:
                raise AssertionError((tool, wanted))
    assert (await client.tool("memory_list"))["total"] == 1


async def test_values_are_kept_and_compared_exactly(client: RawClient) -> None:
    """Numbers of any size are read as they were stored, and equal only what they are."""
    for name, value in HELD.items():
        stored = await client.tool("memory_store", content=f"word {name}", metadata={"v": value})
        assert (await client.tool("memory_get", id=stored["id"]))["metadata"] == {"v": value}
    for wanted, names in RIGHT:
        expected = {f"word {name}" for name in names}
        listed = await client.tool("memory_list", metadata={"v": wanted}, limit=50)
        assert {memory["content"] for memory in listed["memories"]} == expected, wanted
        found = await client.tool("memory_search", query="word", mode="keyword", metadata={"v": wanted}, limit=50)
        assert {hit["content"] for hit in found["results"]} == expected, wanted
        to_delete = await client.tool("memory_delete", metadata={"v": wanted}, dry_run=True)
        assert len(to_delete["ids"]) == len(expected), wanted


async def test_the_command_line_refuses_the_same(command: Command) -> None:
    """Each command says what is wrong in one line and exits with 2; what is nested too deep is not stored."""
    deep = json.dumps({"v": json.loads("[" * 150 + "]" * 150)})
    stored = await command("store", "word", "--metadata", '{"v": 12345678901234567890123}')
    assert stored.code in {0, 3}
    for arguments in (("list",), ("search", "word"), ("delete", "--dry-run")):
        ended = await command(*arguments, "--metadata", '{"v": {"$gte": 5}}')
        assert ended.code == 2
        assert ended.err.startswith("memory-mcp: metadata.v: unknown operator '$gte'; choose one of: gte,")
    refused = await command("store", "deep", "--metadata", deep)
    assert refused.code == 2
    assert "metadata: may be nested at most 100 levels deep" in refused.err
    listed = await command("list", "--json")
    assert [memory["metadata"] for memory in listed.data["memories"]] == [{"v": 12345678901234567890123}]


async def test_an_operator_is_no_member(client: RawClient) -> None:
    """What joins conditions elsewhere is refused by name; a member that only begins alike is one."""
    for name in ("$or", "$and", "$NOT", "$gte", "$any"):
        with pytest.raises(ToolError, match=f"metadata\\.\\{name}: unknown operator '\\{name}'"):
            await client.tool("memory_list", metadata={name: [{"a": 1}]})
    await client.tool("memory_store", content="kept", metadata={"$ref": "x", "or": 1})
    for wanted in ({"$ref": "x"}, {"or": 1}):
        assert (await client.tool("memory_list", metadata=wanted))["total"] == 1
