"""Sections: what is packed together, what is cut, and that an edit changes the sections around it alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory_mcp.documents.readers.model import TextBlock
from memory_mcp.documents.readers.sectioning import LEAST, MOST, MOST_REPEATED, USUAL, Section, sections


def _random(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - words, no secrets


def _text(chance: Random, words: int) -> str:
    return " ".join(f"word{chance.randrange(1000)}" for _ in range(words)) + "."


def _paragraphs(seed: int, count: int, words: int = 40) -> list[TextBlock]:
    chance = _random(seed)
    return [TextBlock(_text(chance, words)) for _ in range(count)]


def _texts(blocks: list[TextBlock]) -> list[str]:
    return [section.text for section in sections(blocks)]


def test_packs() -> None:
    """Blocks of one heading share a section; another heading begins another."""
    blocks = [
        TextBlock("one", ("A",), 1),
        TextBlock("two", ("A",), 2),
        TextBlock("three", ("A", "B"), 2),
        TextBlock("four", ("A",), 3),
    ]
    assert list(sections(blocks)) == [
        Section("one\n\ntwo", ("A",), 1, None),
        Section("three", ("A", "B"), 2, None),
        Section("four", ("A",), 3, None),
    ]


def test_pages() -> None:
    """Without a heading that goes on, a page begins a section."""
    assert _texts([TextBlock("one", (), 1), TextBlock("two", (), 2)]) == ["one", "two"]


def test_lists_and_tables() -> None:
    """Rows and list items stand in lines; the header row stands once above the rows of a section."""
    blocks = [
        TextBlock("Prices:"),
        TextBlock("- bread"),
        TextBlock("- milk"),
        TextBlock("bread | 2", repeated="what | price"),
        TextBlock("milk | 1", repeated="what | price"),
        TextBlock("Tove | keeper", repeated="who | does"),
    ]
    assert _texts(blocks) == [
        "Prices:\n\n- bread\n- milk\n\nwhat | price\nbread | 2\nmilk | 1\n\nwho | does\nTove | keeper"
    ]


def test_long_table() -> None:
    """Each section of a long table begins with the header row, however long that is."""
    blocks = [TextBlock(f"row {number} | {'x' * 50}", repeated="h" * 5_000) for number in range(500)]
    texts = _texts(blocks)
    assert len(texts) > 10
    assert all(text.startswith("h" * MOST_REPEATED + "\nrow ") for text in texts)
    assert "\n".join(text.partition("\n")[2] for text in texts).split("\n") == [block.text for block in blocks]


def test_turns() -> None:
    """What stands alone shares a section with none, keeps its time, and is whole up to thousands of characters."""
    at = datetime(2025, 3, 1, tzinfo=UTC)
    long = _text(_random(1), 700)
    blocks = [
        TextBlock("Tom: hi", created_at=at, stands_alone=True),
        TextBlock(long, stands_alone=True),
        TextBlock("more"),
    ]
    assert list(sections(blocks)) == [
        Section("Tom: hi", (), None, at),
        Section(long, (), None, None),
        Section("more", (), None, None),
    ]


def test_long_block() -> None:
    """A long paragraph is cut at sentences, code at lines with its indentation kept."""
    chance = _random(3)
    paragraph = " ".join(_text(chance, 12) for _ in range(200))
    texts = _texts([TextBlock(paragraph)])
    assert all(LEAST <= len(text) <= USUAL and text.endswith(".") for text in texts[:-1])
    assert " ".join(texts) == paragraph
    code = "def f():\n" + "".join(f"    call({number})\n" for number in range(2_000))
    parts = _texts([TextBlock(code, stands_alone=True)])
    assert "\n".join(parts) == code.rstrip("\n")
    assert all(part.startswith("    call(") for part in parts[1:])


@pytest.mark.parametrize("text", ["x" * 50_000, "字" * 50_000, "word " * 20_000, "\n" * 9_000 + "x", ". " * 9_000])
def test_without_structure(text: str) -> None:
    """A text without sentences, lines or blanks is cut all the same, and loses no letter."""
    texts = _texts([TextBlock(text)])
    assert all(0 < len(part) <= USUAL + MOST_REPEATED for part in texts)
    assert "".join("".join(texts).split()) == "".join(text.split())


def test_lazy() -> None:
    """Sections come while the blocks are read: no more is held than the next cut needs."""
    read = 0

    def endless() -> Iterator[TextBlock]:
        nonlocal read
        while True:
            read += 1
            yield TextBlock(f"paragraph {read} " + "x" * 500)

    next(iter(sections(endless())))
    assert read * 500 < 3 * MOST


BLOCKS = st.builds(
    TextBlock,
    text=st.text(min_size=1, max_size=60).map(lambda text: text + "."),
    heading=st.sampled_from([(), ("A",), ("A", "B")]),
    page=st.sampled_from([None, 1, 2]),
    repeated=st.sampled_from(["", "a | b", "h" * 3_000]),
    stands_alone=st.booleans(),
)


@given(st.lists(BLOCKS, max_size=60), st.integers(1, 300))
@settings(max_examples=60)
def test_bounds(blocks: list[TextBlock], times: int) -> None:
    """No section is empty or beyond the bound, and all text is there, whatever the blocks."""
    grown = [TextBlock(b.text * times, b.heading, b.page, b.repeated, None, b.stands_alone) for b in blocks]
    found = list(sections(grown))
    assert all(section.text and len(section.text) <= MOST for section in found)
    kept = "".join("".join(section.text.split()) for section in found)
    if not any(block.repeated for block in grown):
        assert kept == "".join("".join(block.text.split()) for block in grown)


@given(
    seed=st.integers(0, 10_000),
    place=st.integers(0, 120),
    words=st.integers(1, 300),
    size=st.sampled_from([8, 40, 90, 130]),
)
@settings(max_examples=30, derandomize=True)
def test_insertion(seed: int, place: int, words: int, size: int) -> None:
    """An insertion into a run without headings changes a few sections, not those far behind it."""
    before = _paragraphs(seed, 120, size)
    inserted = TextBlock(_text(_random(seed + 1), words))
    after = [*before[:place], inserted, *before[place:]]
    old, new = _texts(before), _texts(after)
    changed = [text for text in old if text not in set(new)]
    assert len(changed) <= 12


@given(seed=st.integers(0, 10_000), place=st.integers(0, 300))
@settings(max_examples=40, derandomize=True)
def test_insertion_into_a_paragraph(seed: int, place: int) -> None:
    """The same holds within one long paragraph, and where sentences are taken out."""
    chance = _random(seed)
    sentences = [_text(chance, 12) for _ in range(300)]
    old = _texts([TextBlock(" ".join(sentences))])
    longer = _texts([TextBlock(" ".join([*sentences[:place], "Another one.", *sentences[place:]]))])
    shorter = _texts([TextBlock(" ".join([*sentences[:place], *sentences[place + 3 :]]))])
    for new in (longer, shorter):
        assert len([text for text in old if text not in set(new)]) <= 12


def test_headings_shield() -> None:
    """What is added under one heading changes no section of another."""
    parts = {name: _paragraphs(number, 6) for number, name in enumerate("ABC")}
    blocks = [TextBlock(block.text, (name,)) for name, part in parts.items() for block in part]
    added = [*blocks[:8], TextBlock("Another paragraph.", ("B",)), *blocks[8:]]
    old, new = list(sections(blocks)), list(sections(added))
    assert [s for s in old if s.heading != ("B",)] == [s for s in new if s.heading != ("B",)]
