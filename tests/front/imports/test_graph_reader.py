"""The reader of server-memory, on graphs that its users and their tools have damaged."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from memory_mcp.imports.model import PeerItem, PeerRecord, Remark, Source
from memory_mcp.imports.peers import server_memory, values


def entity(name: object, *observations: object) -> dict[str, object]:
    """Return an entity."""
    return {"type": "entity", "name": name, "entityType": "person", "observations": [*observations]}


def relation(start: object, end: str) -> dict[str, object]:
    """Return a relation."""
    return {"type": "relation", "from": start, "to": end, "relationType": "knows"}


def lines(*things: object) -> str:
    """Write them as the peer does, which escapes nothing beyond ASCII."""
    return "".join(json.dumps(thing, ensure_ascii=False) + "\n" for thing in things)


def found(folder: Path, written: str | bytes) -> tuple[dict[str, PeerRecord], list[Remark]]:
    """Read a file; return the records by their ids there, and what was said."""
    path = folder / "memory.jsonl"
    path.write_bytes(written.encode() if isinstance(written, str) else written)
    return split(server_memory.read(Source(path)))


def split(items: Iterator[PeerItem]) -> tuple[dict[str, PeerRecord], list[Remark]]:
    """Return the records by their ids there, and what was said."""
    every = list(items)
    records = {item.source_id: item for item in every if isinstance(item, PeerRecord)}
    return records, [item for item in every if isinstance(item, Remark)]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85"])
def test_a_text_may_have_other_line_ends(tmp_path: Path, separator: str) -> None:
    """JSON lets them stand as they are; only a newline ends a line."""
    text = f"one{separator}two"
    records, said = found(tmp_path, lines(entity("Amina", text, "sings")).replace("\n", "\r\n"))
    assert [record.content for record in records.values()] == [text, "sings"]
    assert said == [server_memory.NO_TIMES]


def test_what_cannot_be_taken_is_named(tmp_path: Path) -> None:
    """Nothing is left out without a word, and each costs itself alone."""
    half = {"type": "relation", "from": "Amina", "relationType": "knows"}
    written = lines(
        entity("Amina", "sails", 7, "sings"), "a text", {"x": 1}, half, entity(None), relation("Bo", "Amina")
    )
    records, said = found(tmp_path, written)
    assert {name: record.content for name, record in records.items()} == {
        "Amina#0": "sails",
        "Amina#2": "sings",
        "Bo": "Bo: knows Amina",
    }
    bad = [remark.source_id for remark in said if remark.kind == "bad"]
    assert bad == ["line 2", "line 3", "line 4", "line 5", "Amina#1"]
    assert Remark("guessed", server_memory.NO_ENTITY, "Bo") in said


def test_observations_may_be_one_text(tmp_path: Path) -> None:
    """Taken as one; anything else that is no list is named."""
    records, said = found(
        tmp_path, lines(entity("Amina") | {"observations": "sails"}, entity("Bo") | {"observations": 7})
    )
    assert {record.content for record in records.values()} == {"Amina: sails", "Bo (person)"}
    assert Remark("guessed", server_memory.ONE_TEXT, "Amina") in said
    assert Remark("bad", server_memory.NO_TEXT, "Bo#0") in said


def test_a_graph_in_one_piece_says_the_same(tmp_path: Path) -> None:
    """As its tool `read_graph` gives it; its relations may be none."""
    of_lines, _ = found(tmp_path, lines(entity("Amina", "sails", "sings"), relation("Amina", "Bo")))
    whole = {"entities": [entity("Amina", "sails", "sings"), 3], "relations": [relation("Amina", "Bo")]}
    of_graph, said = found(tmp_path, json.dumps(whole))
    told = [[(record.id, record.content, record.metadata) for record in of.values()] for of in (of_lines, of_graph)]
    assert told[0] == told[1]
    assert [remark.source_id for remark in said if remark.kind == "bad"] == ["item 2"]
    _, said = found(tmp_path, json.dumps(whole | {"relations": 7}))
    assert [remark.source_id for remark in said if remark.kind == "bad"] == ["item 2", "item 3"]


def test_bytes_that_are_not_utf8_are_told(tmp_path: Path) -> None:
    """They are replaced; a replacement character that the peer wrote itself is none."""
    _, said = found(tmp_path, lines(entity("Amina", "caf\N{REPLACEMENT CHARACTER}")))
    assert values.REPLACED not in {remark.what for remark in said}
    _, said = found(tmp_path, lines(entity("Amina", "cafX")).encode().replace(b"X", b"\xe9"))
    assert values.REPLACED in {remark.what for remark in said}


def test_a_graph_that_has_grown_keeps_the_ids_of_what_it_said(tmp_path: Path) -> None:
    """An id stands for one text: what is told otherwise now is another memory, and no conflict."""
    before, _ = found(tmp_path, lines(entity("Amina", "sails"), entity("Bo", "a", "b"), relation("Bo", "Amina")))
    after, _ = found(
        tmp_path,
        lines(entity("Amina", "sails", "sings"), entity("Bo", "a", "b"), relation("Bo", "Amina"), relation("Bo", "Cy")),
    )
    texts = {record.id: record.content for record in before.values()}
    assert all(texts.get(record.id, record.content) == record.content for record in after.values())
    kept = [record.content for record in after.values() if record.id in texts]
    assert kept == ["a", "b"]


def test_work_grows_with_the_file(tmp_path: Path) -> None:
    """Twice as many entities and relations, on one line, take about twice the steps."""

    def steps(count: int) -> int:
        things = [each for n in range(count) for each in (entity(f"e{n}", "a", "b"), relation(f"e{n}", "x"))]
        seen = 0

        def count_line(frame: object, event: str, arg: object) -> object:
            nonlocal seen
            del frame, arg
            seen += event == "line"
            return count_line

        before = sys.gettrace()
        sys.settrace(count_line)  # type: ignore[arg-type]  # it returns itself
        try:
            found(tmp_path, lines(*things).replace("\n", " "))
        finally:
            sys.settrace(before)
        return seen

    assert steps(200) < 3 * steps(100)
