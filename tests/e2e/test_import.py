"""What an import takes, what it leaves out and says so, and what it refuses before anything is stored."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.e2e.client import Json
from tests.e2e.conftest import Command

HEADER: Json = {"memory_mcp_export": 1}
APART = unicodedata.normalize("NFD", "\u00e9")


def memory(**fields: object) -> Json:
    """Return a memory as a line of an export has it."""
    at = "2024-05-01T12:00:00+00:00"
    shared = {"revision": 1, "content": "text", "tags": [], "type": "note", "metadata": {}, "updated_at": at}
    place = {"id": "a", "namespace": "default", "conversation_id": None, "created_at": at}
    return {**place, **shared, "revisions": [], **fields}


def export_of(path: Path, memories: Sequence[Json]) -> str:
    """Write an export."""
    lines = [HEADER, *memories, {"memory_mcp_export_end": len(memories)}]
    path.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines))
    return str(path)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{not json", "line 102: the line: Invalid JSON"),
        (json.dumps(memory(id="")), "line 102: id: "),
        (json.dumps(memory(metadata=[])), "line 102: metadata: "),
        (json.dumps({"memory_mcp_export_end": 7}), "line 102: does not match the 100 lines before it"),
    ],
)
async def test_a_file_with_a_wrong_line_stores_nothing(command: Command, folder: Path, line: str, problem: str) -> None:
    """Also where the line is the last of many; the file and the line are named."""
    path = folder / "in.jsonl"
    export_of(path, [memory(id=f"m{number}") for number in range(100)])
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:101], line, *lines[101:]]))
    ended = await command("import", str(path))
    assert (ended.code, ended.out) == (1, "")
    assert f"{path}: {problem}" in ended.err
    assert (await command("list", "--json")).data["total"] == 0
    piped = await command("import", "-", stdin=path.read_text())
    assert (piped.code, f"stdin: {problem}" in piped.err) == (1, True)
    assert (await command("list", "--json")).data["total"] == 100


async def test_a_file_that_ends_early_gives_what_it_has(command: Command, folder: Path) -> None:
    """It may be all that is left; what is missing is told."""
    path = folder / "in.jsonl"
    export_of(path, [memory()])
    path.write_text("\n".join(path.read_text().splitlines()[:-1]))
    ended = await command("import", str(path))
    assert (ended.code, f"{path}: the last line: the file ends early, after 1 lines" in ended.err) == (1, True)
    assert (await command("get", "a")).code == 0


async def test_what_is_left_out_is_named(command: Command, folder: Path) -> None:
    """A memory that was deleted or changed since the export is not called known."""
    await command("store", "first", "--id", "a")
    await command("store", "second", "--id", "b")
    path = str(folder / "out.jsonl")
    assert (await command("export", path)).code == 0
    assert (await command("import", path, "--json")).data["known"] == 2
    await command("delete", "a")
    await command("update", "b", "--type", "fact")
    ended = await command("import", path, "--json")
    assert (ended.code, ended.data["known"], ended.data["conflicts"]) == (1, 0, 2)
    assert "'a' in the namespace 'default' was deleted; `memory-mcp undelete a` restores it" in ended.err
    assert "'b' in the namespace 'default' already exists with another type; skipped" in ended.err
    assert (await command("undelete", "a")).code in {0, 3}
    assert (await command("get", "a", "--json")).data["content"] == "first"


@pytest.mark.parametrize("order", [1, -1])
async def test_names_of_an_earlier_version_that_become_one_are_kept(command: Command, folder: Path, order: int) -> None:
    """Ids, in one namespace or in two that become one, and members of metadata get a number; again it is known."""
    held = {"\u00e9": 1, APART: 2, "deep": [{APART: 3, "\u00e9": 4}]}
    memories = [
        memory(id="\u00e9", content="composed", metadata=held),
        memory(id=APART, content="apart"),
        memory(id="x", namespace="n\u00e9", content="one"),
        memory(id="x", namespace=f"n{APART}", content="other"),
        memory(id="last", content="later"),
    ]
    path = export_of(folder / "in.jsonl", memories[::order])
    ended = await command("import", path, "--json")
    assert (ended.data["created"], ended.data["conflicts"]) == (5, 0)
    assert ended.err.count("was taken; imported that memory as ") == 2
    again = await command("import", path, "--json")
    assert (again.code, again.data["created"], again.data["known"], again.err) == (0, 0, 5, "")
    got = [(await command("get", name, "--json")).data for name in ("\u00e9", "\u00e9-2")]
    assert {one["content"] for one in got} == {"composed", "apart"}
    assert next(one["metadata"] for one in got if one["content"] == "composed") == {
        "\u00e9": 1,
        "\u00e9-2": 2,
        "deep": [{"\u00e9": 4, "\u00e9-2": 3}],
    }


async def test_an_export_replaces_no_file_unless_told(command: Command, folder: Path) -> None:
    """The error says how."""
    (folder / "out.jsonl").write_text("mine")
    ended = await command("export", str(folder / "out.jsonl"))
    assert (ended.code, ended.err) == (
        1,
        f"memory-mcp: {folder}/out.jsonl exists; name another file, or add --force to replace it\n",
    )
    assert (folder / "out.jsonl").read_text() == "mine"
    assert (await command("export", str(folder / "out.jsonl"), "--force")).code == 0
    assert (await command("import", str(folder / "out.jsonl"))).code == 0
