"""The same words twice: a retry is one memory, everything else is two, through client and command line."""

from __future__ import annotations

import pytest

from tests.e2e.client import Json, RawClient, ToolError
from tests.e2e.conftest import Command

TEXT = "Backup finished without errors."


async def test_every_night_is_kept(client: RawClient) -> None:
    """Seven nights are seven memories, one by one or at once; stored again they are known."""
    nights = [{"content": TEXT, "created_at": f"2024-05-0{day}T03:00:00Z"} for day in range(1, 8)]
    one_by_one = [await client.tool("memory_store", **night) for night in nights]
    assert all(stored["created"] for stored in one_by_one)
    again = (await client.tool("memory_store_many", items=nights))["items"]
    assert [item["id"] for item in again] == [stored["id"] for stored in one_by_one]
    assert not any(item["created"] for item in again)
    there = (await client.tool("memory_store_many", items=[night | {"namespace": "there"} for night in nights]))[
        "items"
    ]
    assert all(item["created"] for item in there)
    assert (await client.tool("memory_list"))["total"] == 7


async def test_what_differs_is_not_dropped(client: RawClient) -> None:
    """Type, metadata and id of its own make another memory; defaults that were not given do not."""
    first = await client.tool("memory_store", content=TEXT, type="fact", metadata={"host": "a", "n": 1})
    others: list[Json] = [
        {"type": "note", "metadata": {"x": 0}},
        {"metadata": {}},
        {"metadata": {"host": "b", "n": 1}},
        {"id": "mine"},
    ]
    for other in others:
        assert (await client.tool("memory_store", content=TEXT, **other))["created"] is True, other
    for same in ({}, {"type": "fact"}, {"metadata": {"n": 1.0, "host": "a"}}, {"tags": ["x"]}):
        again = await client.tool("memory_store", content=TEXT, **same)
        assert (again["id"], again["created"]) == (first["id"], False), same
    assert (await client.tool("memory_list"))["total"] == 5


async def test_a_retry_says_what_was_merged(client: RawClient) -> None:
    """In the result and in the text."""
    stored = await client.tool("memory_store", content=TEXT, tags=["work"])
    assert stored["merged"] == []
    call = {"name": "memory_store", "arguments": {"content": TEXT, "tags": ["WORK", "night", "b"]}}
    result = (await client.request("tools/call", call))["result"]
    assert result["structuredContent"]["merged"] == ["b", "night"]
    assert result["content"][0]["text"].startswith(f"Already known as {stored['id']}; tags added: b, night")
    assert (await client.tool("memory_get", id=stored["id"]))["tags"] == ["b", "night", "work"]


async def test_an_id_that_is_used_otherwise_is_a_conflict(client: RawClient) -> None:
    """The sentence names what differs; a retry as it was is none."""
    given = {"content": TEXT, "id": "mine", "type": "fact", "created_at": "2024-05-01T03:00:00+02:00"}
    assert (await client.tool("memory_store", **given))["created"] is True
    assert (await client.tool("memory_store", **given | {"created_at": "2024-05-01T01:00:00Z"}))["created"] is False
    assert (await client.tool("memory_store", content=TEXT, id="mine"))["created"] is False
    with pytest.raises(ToolError, match=r"'mine' already exists with another type and metadata; .* memory_update"):
        await client.tool("memory_store", content=TEXT, id="mine", type="note", metadata={"a": 1})
    with pytest.raises(ToolError, match="belongs to a memory with other content"):
        await client.tool("memory_store", content="other", id="mine")


async def test_yes_is_said_again(client: RawClient) -> None:
    """Within a conversation only an immediate repetition is one memory."""
    for content, created in (("Yes.", True), ("Yes.", False), ("Sure?", True), ("Yes.", True)):
        stored = await client.tool("memory_store", content=content, conversation_id="talk")
        assert stored["created"] is created
    assert (await client.tool("memory_list", conversation_id="talk"))["total"] == 3


async def test_the_command_line_tells_a_retry_from_another(client: RawClient, command: Command) -> None:
    """Its default type is none that was given; an export of equal texts comes back whole."""
    await client.tool("memory_store", content=TEXT, type="fact")
    assert (await command("store", TEXT, "--json")).data["created"] is False
    for own in (["--type", "note"], ["--created-at", "2024-05-01T03:00:00Z"], ["--metadata", '{"a": 1}']):
        assert (await command("store", TEXT, *own, "--json")).data["created"] is True
    exported = (await command("export", "-")).out
    assert (await command("import", "-", "--json", stdin=exported)).data["known"] == 4
    any_namespace = exported.replace('"namespace": "default"', '"namespace": "there"')
    assert (await command("import", "-", "--json", stdin=any_namespace)).data["created"] == 4
    assert (await client.tool("memory_list", namespace="there"))["total"] == 4
