"""Arrays and objects that clients send as JSON text, through a real client and the command line."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.client import Json, RawClient, ToolError
from tests.e2e.conftest import Command

TAGS: list[tuple[Any, list[str]]] = [
    ('["alpha","beta"]', ["alpha", "beta"]),
    (' [ "alpha" , "beta" ] ', ["alpha", "beta"]),
    ('"alpha"', ["alpha"]),
    ('"alpha", "beta"', ["alpha", "beta"]),
    ('"[\\"alpha\\",\\"beta\\"]"', ["alpha", "beta"]),
    ('["[\\"alpha\\"]"]', ["alpha"]),
    (['["alpha","beta"]'], ["alpha", "beta"]),
    (['["alpha"]', "beta"], ["alpha", "beta"]),
    ("[]", []),
    ("null", []),
    ("alpha, beta", ["alpha", "beta"]),
    ("a[1],{b}", ["a[1]", "{b}"]),
    (["[draft]"], ["[draft]"]),
    (["x, y"], ["x, y"]),
    (["{1}"], ["{1}"]),
    ("true", ["true"]),
    (['["alpha"', '"beta"]'], ["alpha", "beta"]),
    (["x", ' ["alpha"', ' "beta"', ' "c d"]', "y"], ["alpha", "beta", "c d", "x", "y"]),
    ('x, ["alpha", "beta"]', ["alpha", "beta", "x"]),
    (["[draft", "a]"], ["[draft", "a]"]),
    (["[1]", "{x}", "[draft] x"], ["[1]", "[draft] x", "{x}"]),
]
METADATA: list[tuple[Any, Json]] = [
    ('{"a":1}', {"a": 1}),
    (' {"a": {"b": [1, "x"]}} ', {"a": {"b": [1, "x"]}}),
    ('"{\\"a\\": 1}"', {"a": 1}),
    ("{}", {}),
    ("null", {}),
    ({"a": '{"b": 1}', "c": "[1]"}, {"a": '{"b": 1}', "c": "[1]"}),
]
NO_TAGS: list[Any] = [
    *('["alpha"', "[alpha, beta]", "['alpha']", "[draft] x", '["a",]', '{"a": 1}', "{}", "{", "[]]", '["\\ud800"]'),
    *("[" * 100_000, '[{"a": 1}]', "[1]", "[null]", {"a": 1}, 5, True, [1], [["a"]]),
    *(['["alpha"'], ['["alpha"', "beta"], ["x", '["a", b]'], ['["a"', "1]"], ['{"a": 1}'], ['{ "a"', "x"]),
    *('x,["a"', 'x,{"a":1}', '["[\\"a\\""]', ['["a", 1]']),
]
NO_METADATA: list[Any] = [
    *("[]", '[{"a": 1}]', '{"a": 1', "{a: 1}", "hello", "1", '"x"', "true", '{"a": NaN}', '{"a": 1}{}', "{" * 100_000),
    *('{"a":' * 5_000 + "1" + "}" * 5_000, '{"a": "\\ud800"}', [], 5, True, ["a"]),
]
CONTENTS = ['{"a": 1}', "null", '["a"]', '"x"', "[", "true", "{}"]


async def test_tags_and_metadata_may_be_json_text(client: RawClient) -> None:
    """A text that is the array or object is that, encoded twice too; brackets within a tag are its own."""
    for number, (given, expected) in enumerate(TAGS):
        stored = await client.tool("memory_store", content=f"tagged {number}", tags=given)
        assert (await client.tool("memory_get", id=stored["id"]))["tags"] == sorted(expected), given
    for number, (given, about) in enumerate(METADATA):
        stored = await client.tool("memory_store", content=f"described {number}", metadata=given)
        assert (await client.tool("memory_get", id=stored["id"]))["metadata"] == about, given


async def test_what_only_begins_like_json_is_refused_by_name(client: RawClient) -> None:
    """The sentence says what is expected, and nothing is stored."""
    for name, values in (("tags", NO_TAGS), ("metadata", NO_METADATA)):
        for value in values:
            with pytest.raises(ToolError, match=f"^{name}[.:]") as caught:
                await client.tool("memory_store", content="x", **{name: value})
            assert len(str(caught.value)) < 400
    assert (await client.tool("memory_list"))["total"] == 0


async def test_every_tool_takes_them(client: RawClient) -> None:
    """As filters and in updates, with numbers and truth values as text beside them."""
    stored = await client.tool("memory_store", content="red apples", tags='["fruit"]', metadata='{"n": 1}')
    await client.tool("memory_store", content="red roof")
    filters = {"tags": '["fruit", "none"]', "metadata": '{"n": {"gte": 1}}'}
    found = await client.tool("memory_search", query="red", collapse="true", min_score="0.0", k="5", **filters)
    assert [hit["id"] for hit in found["results"]] == [stored["id"]]
    assert (await client.tool("memory_list", limit="5", **filters))["total"] == 1
    assert (await client.tool("memory_delete", dry_run="true", **filters))["ids"] == [stored["id"]]
    await client.tool("memory_update", id=stored["id"], tags='["new"]', metadata='{"m": 2}', expected_revision="1")
    updated = await client.tool("memory_get", id=stored["id"], history="false")
    assert (updated["tags"], updated["metadata"]) == (["new"], {"m": 2})
    await client.tool("memory_update", id=stored["id"], tags="[]")
    assert (await client.tool("memory_get", id=stored["id"]))["tags"] == []


async def test_items_may_be_json_text(client: RawClient) -> None:
    """A list, one object, objects as text in a list; within an item its tags and metadata too."""
    for given in (
        '[{"content": "one", "tags": "[\\"a\\"]", "metadata": "{\\"n\\": 1}"}]',
        {"content": "two", "tags": '["a"]', "metadata": '{"n": 1}'},
        '{"content": "three", "tags": ["a"], "metadata": {"n": 1}}',
        ['{"content": "four", "tags": "a", "metadata": {"n": 1}}'],
    ):
        [item] = (await client.tool("memory_store_many", items=given))["items"]
        memory = await client.tool("memory_get", id=item["id"])
        assert (memory["tags"], memory["metadata"]) == (["a"], {"n": 1}), given
    for wrong in ("x", "[", "5", "null", "", "[]", 5, '"x"'):
        with pytest.raises(ToolError, match=r"^items: "):
            await client.tool("memory_store_many", items=wrong)
    mixed = await client.tool("memory_store_many", items=["x", 5, None, '{"content": "five"}', {"content": "six"}, "{"])
    errors = [item.get("error", "") for item in mixed["items"]]
    assert [error.startswith("item: must be an object") for error in errors] == [True, True, True, False, False, True]


async def test_content_is_text_whatever_it_looks_like(client: RawClient) -> None:
    """It is stored, updated and looked for as it stands, one by one and many at once."""
    for content in CONTENTS:
        stored = await client.tool("memory_store", content=content)
        assert (await client.tool("memory_get", id=stored["id"]))["content"] == content
        [item] = (await client.tool("memory_store_many", items=[{"content": f"{content} "}]))["items"]
        updated = await client.tool("memory_update", id=item["id"], content=f" {content}")
        assert updated["content"] == f" {content}"
        await client.tool("memory_search", query=content)


async def test_options_may_be_json_text(command: Command) -> None:
    """`--tag` and `--metadata` mean on the command line what they mean for clients."""
    await command("store", "apples", "--id", "a", "--tag", '["x","y"]', "--tag", "z,[w]", "--metadata", '{"n": 1}')
    memory = (await command("get", "a", "--json")).data
    assert (memory["tags"], memory["metadata"]) == (["[w]", "x", "y", "z"], {"n": 1})
    assert (await command("list", "--tag", '["x"]', "--metadata", '{"n": 1}', "--json")).data["total"] == 1
    await command("update", "a", "--tags", "[]")
    assert (await command("get", "a", "--json")).data["tags"] == []
    for option, value, named in (
        ("--tag", '["x"', "--tag"),
        ("--tag", '{"a": 1}', "--tag"),
        ("--metadata", "[1]", "metadata"),
        ("--metadata", '{"a"', "metadata"),
    ):
        refused = await command("store", "pears", option, value)
        assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1), value
        assert named in refused.err
        assert "such as" in refused.err
