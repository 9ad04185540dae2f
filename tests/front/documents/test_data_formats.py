"""JSON, JSON Lines, notebooks and CSV."""

from __future__ import annotations

import json

import pytest

from memory_mcp.documents.readers.model import Refusal, TextBlock
from tests.front.documents.reading import refused, told


def test_object() -> None:
    """An object's keys are headings where they hold more; values have a line each, with their path."""
    value = {"title": "Boat", "crew": {"captain": {"name": "Tove"}, "size": 3}, "stops": ["Utøya", "Oslo"], "old": None}
    assert told(json.dumps(value)).blocks == [
        TextBlock("title: Boat"),
        TextBlock("captain.name: Tove\nsize: 3", ("crew",)),
        TextBlock("Utøya\nOslo", ("stops",)),
    ]


def test_records() -> None:
    """Each object of an array is a block, with all that is in it; so is each line of JSON Lines."""
    records = [{"id": 1, "who": {"name": "Tove"}, "tags": ["a", "b"]}, {"id": 2, "ok": True, "x": 1.50}]
    texts = ["id: 1\nwho.name: Tove\ntags: a, b", "id: 2\nok: true\nx: 1.5"]
    assert told(json.dumps(records)).texts == texts
    assert told("\n".join(map(json.dumps, records))).texts == texts
    assert [block.heading for block in told(json.dumps({"all": records})).blocks] == [("all",), ("all",)]


def test_no_json() -> None:
    """What is named JSON and is none is read as text: comments, a file that was cut off, a bad line."""
    assert told('// settings\n{"a": 1,}\n', "a.json").texts == ['// settings\n{"a": 1,}']
    assert told('{"a": "b', "a.json").texts == ['{"a": "b']
    assert told('{"a": 1}\n{"b": \n{"c": 3}\n', "a.jsonl").texts == ["a: 1", '{"b":', "c: 3"]


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        ("[" * 100_000, Refusal.TOO_DEEP),
        ('{"a":' * 100_000, Refusal.TOO_DEEP),
        ("[" * 1_000 + "]" * 1_000, Refusal.TOO_DEEP),
        ("{}", Refusal.EMPTY),
        ("[null, {}]", Refusal.EMPTY),
    ],
)
def test_json_refused(content: str, refusal: Refusal) -> None:
    """Nesting without end is refused, whole or cut off, and what holds no value is empty."""
    assert refused(content, "a.json") is refusal
    assert refused(content, "a.jsonl") is refusal


def test_large_json() -> None:
    """A single line of many records streams, in any encoding."""
    records = [{"n": number, "text": f"größer {number}"} for number in range(20_000)]
    found = told(json.dumps(records, ensure_ascii=False).encode("utf-16"), "a.json").texts
    assert len(found) == 20_000
    assert found[-1] == "n: 19999\ntext: größer 19999"


def test_notebook() -> None:
    """Cells come in order under their headings, with what they printed and without pictures."""
    outputs = [
        {"output_type": "stream", "text": ["42\n"]},
        {"output_type": "display_data", "data": {"image/png": "iVBOR" * 200, "text/plain": "<Figure>"}},
    ]
    cells = [
        {"cell_type": "markdown", "source": ["# Trip\n", "\n", "Plan."]},
        {"cell_type": "code", "source": "print(42)", "outputs": outputs},
    ]
    notebook = {"cells": cells, "metadata": {"language_info": {"name": "python"}}, "nbformat": 4}
    page = told(json.dumps(notebook), "trip.ipynb")
    assert page.headers[0].title == "Trip"
    assert page.texts == ["Plan.", "```python\nprint(42)\n```", "42", "<Figure>"]
    assert page.headings == ["Trip"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv(delimiter: str) -> None:
    """The delimiter is found, quoted fields are one, the header is repeated."""
    content = 'name,town,"says, or so"\nTove,Oslo,"a, ""b""\nc"\nTom,,\n'.replace(",", delimiter)
    page = told(content, "people.csv")
    says = f"says{delimiter} or so".replace("\t", " ").replace("  ", " ")
    said = f'a{delimiter} "b" c'.replace("\t", " ").replace("  ", " ")
    assert page.texts == [f"Tove | Oslo | {said}", "Tom"]
    assert {block.repeated for block in page.blocks} == {f"name | town | {says}"}


def test_csv_edges() -> None:
    """A title above the header is no header; one column is rows; an open quotation mark is damage, said by its line."""
    page = told("Prices of May\nwhat,price\nbread,2\n", "a.csv")
    assert [(block.text, block.repeated) for block in page.blocks] == [
        ("Prices of May", ""),
        ("bread | 2", "what | price"),
    ]
    assert told("one\ntwo\n", "a.csv").texts == ["one", "two"]
    assert refused('a,b\n"' + "x\n" * 1_000_000, "a.csv") is Refusal.DAMAGED
    assert refused(",,\n,,\n", "a.csv") is Refusal.EMPTY


def test_long_csv() -> None:
    """100,000 rows stream."""
    page = told("id,text\n" + "".join(f"{number},row {number}\n" for number in range(100_000)), "a.csv")
    assert len(page.blocks) == 100_000
