"""One name in two forms of Unicode, and one tag in upper and lower case, are one through every door."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from urllib.parse import quote

import pytest

from tests.e2e.client import RawClient, ToolError
from tests.e2e.conftest import Command

COMPOSED = "caf\u00e9"
APART = unicodedata.normalize("NFD", COMPOSED)


def _named(name: str) -> dict[str, object]:
    metadata = {name: {"deep": [name, {name: name}]}}
    return {"id": name, "tags": [name], "type": name, "conversation_id": name, "metadata": metadata, "namespace": name}


@pytest.mark.parametrize(("written", "asked"), [(APART, COMPOSED), (COMPOSED, APART)])
async def test_every_name_is_found_in_either_form(client: RawClient, written: str, asked: str) -> None:
    """Tag, type, conversation, namespace, id, and metadata's names and values at any depth; content stays as it is."""
    await client.tool("memory_store", content=written, **_named(written))
    got = await client.tool("memory_get", id=asked)
    assert got["content"] == written
    assert (got["id"], got["tags"], got["type"], got["conversation_id"]) == (COMPOSED, [COMPOSED], COMPOSED, COMPOSED)
    assert got["metadata"] == {COMPOSED: {"deep": [COMPOSED, {COMPOSED: COMPOSED}]}}
    filters = {name: value for name, value in _named(asked).items() if name != "id"}
    for name, value in filters.items():
        asked_for = {"namespace": asked, name: value}
        assert (await client.tool("memory_list", **asked_for))["total"] == 1, name
        found = await client.tool("memory_search", query=asked, mode="keyword", **asked_for)
        assert len(found["results"]) == 1, name
    assert (await client.tool("memory_store", content=asked, **_named(asked)))["created"] is False
    await client.tool("memory_update", id=asked, tags=[written, asked], metadata={asked: 1})
    got = await client.tool("memory_get", id=written)
    assert (got["tags"], got["metadata"]) == ([COMPOSED], {COMPOSED: 1})
    assert (await client.tool("memory_delete", id=asked))["ids"] == [COMPOSED]


async def test_resources_and_completions_know_either_form(start: Callable[..., RawClient]) -> None:
    """Addresses, prefixes, and the namespace of the settings."""
    client = start(MCP_MEMORY_NAMESPACE=APART)
    await client.initialize()
    await client.tool("memory_store", content="text", id=APART, tags=[APART], namespace=COMPOSED)
    for form in (APART, COMPOSED, APART.upper(), COMPOSED.upper()):
        read = await client.request("resources/read", {"uri": f"memory://tag/{quote(form)}"})
        assert '"total":1' in read["result"]["contents"][0]["text"]
    for form in (APART, COMPOSED):
        read = await client.request("resources/read", {"uri": f"memory://memory/{quote(form)}"})
        assert '"text"' in read["result"]["contents"][0]["text"]
        for kind in ("tag", "namespace"):
            asked = {"ref": {"type": "ref/prompt", "name": "review"}, "argument": {"name": kind, "value": form}}
            done = await client.request("completion/complete", asked)
            assert done["result"]["completion"]["values"] == [COMPOSED]


async def test_the_command_line_knows_either_form(client: RawClient, command: Command) -> None:
    """Options, ids and lines of an import."""
    stored = await command("store", "text", "--id", APART, "--tag", APART, "--namespace", APART, "--json")
    assert stored.data["id"] == COMPOSED
    assert (await command("list", "--namespace", COMPOSED, "--tag", COMPOSED, "--json")).data["total"] == 1
    exported = (await command("export", "-")).out
    await command("delete", APART)
    assert (await command("undelete", APART, "--namespace", APART)).code == 3
    apart = unicodedata.normalize("NFD", exported)
    assert (await command("import", "-", "--json", stdin=apart)).data["known"] == 1
    assert (await client.tool("memory_get", id=COMPOSED))["content"] == "text"


async def test_one_member_in_two_forms_is_refused(client: RawClient) -> None:
    """One of them would be lost."""
    with pytest.raises(ToolError, match="metadata: has the same key twice"):
        await client.tool("memory_store", content="text", metadata={APART: 1, COMPOSED: 2})


TAGS = [
    ("Work", "WORK"),
    ("Stra\u00dfe", "STRASSE"),
    ("\u039b\u03cc\u03b3\u03bf\u03c2", "\u039b\u038c\u0393\u039f\u03a3"),
]


@pytest.mark.parametrize(("given", "asked"), [*TAGS, *[(asked, given) for given, asked in TAGS]])
async def test_a_tag_is_one_in_upper_and_lower_case(client: RawClient, given: str, asked: str) -> None:
    """In filters, in queries, in completions, in counts, in deletions; it is shown as it was given."""
    await client.tool("memory_store", content="something else", id="a", tags=[given, asked, "kept"])
    await client.tool("memory_store", content="words alone", tags=["other"])
    assert (await client.tool("memory_get", id="a"))["tags"] == sorted([given, "kept"])
    for match in ("any", "all"):
        assert (await client.tool("memory_list", tags=[asked, given], tag_match=match))["total"] == 1
    for query in (f"#{asked}", f"tag:{asked}", asked):
        found = await client.tool("memory_search", query=query)
        assert (found["intent"], found["results"][0]["id"]) == ("browse", "a"), query
    asking = {"ref": {"type": "ref/prompt", "name": "review"}, "argument": {"name": "tag", "value": asked[:3]}}
    assert (await client.request("completion/complete", asking))["result"]["completion"]["values"] == [given]
    await client.tool("memory_store", content="a third", tags=[asked])
    stats = await client.request("resources/read", {"uri": "memory://stats"})
    assert f'"{given}":2' in stats["result"]["contents"][0]["text"]
    assert (await client.tool("memory_delete", tags=[asked], dry_run=True))["ids"] != []
    assert len((await client.tool("memory_delete", tags=[asked]))["ids"]) == 2


async def test_a_subscriber_to_a_tag_hears_of_every_spelling(client: RawClient) -> None:
    """A write under the tag in other letters or in the other form changes what the resource shows."""
    uri = f"memory://tag/{quote(APART.upper())}"
    await client.request("resources/subscribe", {"uri": uri})
    await client.tool("memory_store", content="text", tags=[COMPOSED])
    while not any(each["method"] == "notifications/resources/updated" for each in client.notifications):
        client.notifications.append(await client.next_message())
    assert client.notifications[-1]["params"]["uri"] == uri
