"""What a client that shows texts alone lets a model see: all that its next step needs."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.e2e.answers import ask
from tests.e2e.client import RawClient
from tests.e2e.conftest import Command
from tests.fakes.daemon import FakeDaemon

FILLER = "The minutes of the meeting were read and nobody had anything to add to them. " * 250
NEEDLE = "The vault opens with the number 4711."
AT = "2026-05-03T12:02:00Z"


async def _texts(client: RawClient) -> tuple[str, str]:
    """Return the texts of one memory in a search and in a list."""
    await client.tool("memory_store", content="The key hangs behind the clock", id="k", created_at=AT)
    found, listed = await ask(client, "memory_search", query="key"), await ask(client, "memory_list")
    return found.text, listed.text


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("Europe/Berlin", "2026-05-03 14:02+02:00"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", "2026-05-03 14:02+02:00"),
        ("JST-9", "2026-05-03 21:02+09:00"),
        ("America/St_Johns", "2026-05-03 09:32-02:30"),
        ("UTC", "2026-05-03 12:02+00:00"),
        ("UTC+3", "2026-05-03 09:02-03:00"),
    ],
)
async def test_times_are_local_with_their_offset(start: Callable[..., RawClient], zone: str, shown: str) -> None:
    """In the texts of every tool; the structured result stays in UTC."""
    client = start(TZ=zone)
    await client.initialize()
    assert all(f"k ({shown}): The key" in text for text in await _texts(client))
    await client.tool("memory_update", id="k", content="The key is with Marta")
    got = await ask(client, "memory_get", id="k", history=True)
    assert f"created: {shown}" in got.text
    assert got.data["created_at"] == AT
    assert len(re.findall(r"\d\d:\d\d[+-]\d\d:\d\d", got.text)) == 3
    recall = await client.request("prompts/get", {"name": "recall", "arguments": {"topic": "key"}})
    assert shown in recall["result"]["messages"][0]["content"]["text"]


async def test_the_first_and_the_last_day_of_the_calendar_are_shown(start: Callable[..., RawClient]) -> None:
    """Where the local time would lie beyond what Python can tell, the time stays in UTC."""
    for zone in ("America/New_York", "Asia/Tokyo"):
        client = start(TZ=zone)
        await client.initialize()
        for moment in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"):
            await client.tool("memory_store", content=f"at {moment}", id=moment, created_at=moment)
        text = (await ask(client, "memory_list")).text
        assert re.search(r"0001-01-01 00:00\+00:00|0001-01-01 09:\d\d\+09:\d\d", text)
        assert re.search(r"9999-12-31 18:59-05:00|9999-12-31 23:59\+00:00", text)


async def test_a_hit_says_what_it_is(daemon: FakeDaemon, client: RawClient) -> None:
    """Score, id, time, tags, conversation, and its type unless that is the usual one."""
    await client.tool("memory_store", content="The key hangs there", id="k", type="fact", tags=["b", "a"])
    await client.tool("memory_store", content="The key was lost", id="l", conversation_id="talk 7")
    text = (await ask(client, "memory_search", query="key")).text
    assert re.search(r"^\d\. \[0\.\d\d\] k \(\S+ \S+; fact\) \[a, b\]: The key hangs there$", text, re.MULTILINE)
    assert re.search(r"^\d\. \[0\.\d\d\] l \(\S+ \S+; conversation talk 7\): The key was lost$", text, re.MULTILINE)
    listed = (await ask(client, "memory_list")).text
    assert re.search(r"^k \(\S+ \S+; fact\) \[a, b\]: The key hangs there$", listed, re.MULTILINE)


@pytest.mark.parametrize("mode", ["auto", "keyword"])
async def test_a_long_hit_is_shown_by_what_is_spelt_otherwise(client: RawClient, mode: str) -> None:
    """Words that a search finds in another spelling stand in what is shown, also without vectors."""
    spellings = {
        "PROJ1234": "PROJ-1234",
        "getUserName": "get_user_name",
        "café": "cafe",
        "Mueller": "Müller",
        "wifi": "Wi-Fi",
        "C#": "C#",
        "किताब": "किताब",
        "كتاب": "كِتَابٌ",
    }
    for query, written in spellings.items():
        stored = await client.tool("memory_store", content=f"{FILLER} {written} {FILLER}")
        [hit] = (found := await ask(client, "memory_search", query=query, mode=mode, max_chars=200)).data["results"]
        assert written in hit["content"]
        assert written in found.text
        await client.tool("memory_delete", id=stored["id"])


@pytest.mark.parametrize("mode", ["auto", "semantic", "keyword", "hybrid"])
async def test_a_long_hit_is_shown_by_what_matched(daemon: FakeDaemon, client: RawClient, mode: str) -> None:
    """Wherever that stands in it, in the text and in the structured result."""
    contents = [f"{number}. {FILLER}{NEEDLE.replace('4711', f'47{number}')} {FILLER}" for number in range(4)]
    await client.tool("memory_store_many", items=[{"content": content} for content in contents])
    await client.until("memory_search", "pending", value=0, query="vault")
    found = await ask(client, "memory_search", query="which number opens the vault", mode=mode)
    assert found.text.count("The vault opens with the number") == 4
    for hit in found.data["results"]:
        assert "The vault opens" in hit["content"]
        assert hit["content"] in contents[int(re.findall(r"number 47(\d)", hit["content"])[0])]
    assert "4 of these are shortened; memory_get" in found.text


async def test_without_vectors_a_long_hit_is_shown_by_its_words(client: RawClient) -> None:
    """Also where the words are not in a row, nor spelled as in the query; and the text says what is missing."""
    for number in range(3):
        await client.tool("memory_store", content=f"{number} {FILLER}{NEEDLE}{FILLER}")
    for query in ("vault number", "VAULTS", "4711", '"opens with the number"'):
        found = await ask(client, "memory_search", query=query)
        assert found.text.count(NEEDLE) == len(found.data["results"]) > 0, query
        assert "found by keywords only: no daemon listens" in found.text


async def test_a_list_says_how_to_go_on(client: RawClient) -> None:
    """The cursor in its text leads on, and its total says how far."""
    for number in range(5):
        await client.tool("memory_store", content=f"number {number}")
    first = await ask(client, "memory_list", limit=2)
    cursor = re.findall(r"cursor=(\S+)$", first.text)[0]
    assert first.text.startswith("2 of 5 memories")
    second = await ask(client, "memory_list", limit=2, cursor=cursor)
    assert [memory["content"] for memory in second.data["memories"]] == ["number 2", "number 1"]
    third = await ask(client, "memory_list", limit=2, cursor=re.findall(r"cursor=(\S+)$", second.text)[0])
    assert "cursor" not in third.text


async def test_get_tells_everything(client: RawClient) -> None:
    """All fields, what the memory was before each update, and where a long content goes on."""
    await client.tool(
        "memory_store", content="first words", id="k", tags=["x"], metadata={"room": 4}, conversation_id="talk"
    )
    await client.tool("memory_update", id="k", content="second words", tags=["y", "z"], type="fact")
    await client.tool("memory_update", id="k", metadata={"room": 5})
    text = (await ask(client, "memory_get", id="k", history=True)).text
    for fact in ("id: k", "revision: 3", "type: fact", "tags: y, z", 'metadata: {"room": 5}', "conversation: talk"):
        assert f"{fact}\n" in text or f"{fact} (" in text, fact
    assert re.search(r"^revision 1 \(\S+ \S+\) \[x\] \{\"room\": 4\}: first words$", text, re.MULTILINE)
    assert re.search(r"^revision 2 \(\S+ \S+; fact\) \[y, z\] \{\"room\": 4\}: second words$", text, re.MULTILINE)
    await client.tool("memory_store", content=FILLER * 5, id="long")
    long = await ask(client, "memory_get", id="long")
    assert f"call again with offset={long.data['next_offset']}" in long.text
    rest = await ask(client, "memory_get", id="long", max_chars=100, offset=10)
    assert FILLER[10:110] in rest.text
    assert "offset=110" in rest.text


async def test_writes_tell_ids_and_revisions(client: RawClient) -> None:
    """Of each item its place and id; of an update the revision; of a deletion the ids, or how many more there are."""
    items = [{"content": f"number {n}", "id": f"n{n}", "tags": ["all"]} for n in range(30)]
    stored = await ask(
        client, "memory_store_many", items=[*items, {"content": " "}, {"content": "number 3", "id": "n3"}]
    )
    lines = stored.text.splitlines()
    assert lines[0] == "30 stored (30 searchable by keywords only until they have vectors), 1 already known, 1 refused."
    assert lines[1].startswith("item 30: Refused: content")
    assert lines[2].startswith("item 31: Already known as n3")
    assert lines[3:] == [f"item {n}: n{n}" for n in range(30)]
    assert (await ask(client, "memory_update", id="n1", type="fact")).text.startswith("n1 is now at revision 2")
    gone = await ask(client, "memory_delete", tags=["all"], dry_run=True)
    assert gone.text.startswith("Would delete 30 memories: n")
    assert gone.text.endswith("and 10 more")
    assert "n1" in (await ask(client, "memory_delete", id="n1")).text


async def test_people_and_scripts_see_times_with_their_zone(command: Command) -> None:
    """On the command line, where nobody looks at a terminal."""
    await command("store", "apples", "--id", "a", "--created-at", AT)
    await command("update", "a", "--content", "pears")
    for arguments in (["list"], ["search", "pears"], ["get", "a", "--history"]):
        out = (await command(*arguments)).out
        assert re.findall(r"\d\d:\d\d:\d\d\S*", out)
        assert all(re.search(r"[+-]\d\d:\d\d$", moment) for moment in re.findall(r"\d\d:\d\d:\d\d\S*", out)), out
