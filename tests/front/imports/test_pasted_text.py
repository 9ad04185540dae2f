"""What a pasted list lists."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_mcp.imports.model import PeerRecord, Remark, Source
from memory_mcp.imports.peers.pasted_text import entries, read

AT = datetime(2024, 5, 1, 12, tzinfo=UTC)
LISTS = {
    "- one\n- two\n": ["one", "two"],
    "1. one\n2) two\n10. ten": ["one", "two", "ten"],
    "\u2022 one\n\u2022 two": ["one", "two"],
    "- one\n  goes on\n  - below\n- two": ["one\n  goes on\n  - below", "two"],
    "- one\nwrapped\n- two": ["one\nwrapped", "two"],
    "a paragraph\nof two lines\n\nanother": ["a paragraph\nof two lines", "another"],
    "They like:\n- tea\n- cake": ["They like:", "tea", "cake"],
    "[2024-05-01] - one\n[unknown] - two\n- [2024-05-02] three": ["one", "two", "three"],
    "```text\n- one\n```\n- two": ["one", "two"],
    "# Home\n- one\n\n## Work ##\ntwo": ["one", "two"],
    "-no bullet\n1.5 litres\n2024 was dry": ["-no bullet\n1.5 litres\n2024 was dry"],
    "-\n\n - \n": ["-", "-"],
    "": [],
    "\r\n- one\r\n- two\r\n": ["one", "two"],
}


@pytest.mark.parametrize("written", LISTS)
def test_each_entry_is_found(written: str) -> None:
    """Bullets, numbers, dates, paragraphs; what is indented belongs to what stands above it."""
    assert [entry.content for entry in entries(written)] == LISTS[written]


def test_headings_are_sections() -> None:
    """Of what follows them."""
    found = [(entry.section, entry.content) for entry in entries("zero\n# Home\n- one\n## Work ##\ntwo")]
    assert found == [("", "zero"), ("Home", "one"), ("Work", "two")]


@given(st.lists(st.from_regex(r"[a-z\u00e9\u6771] [a-z ]{0,9}[a-z]", fullmatch=True)))
def test_a_list_is_read_as_it_was_written(texts: list[str]) -> None:
    """With any bullet, and as paragraphs."""
    for written in ("".join(f"- {text}\n" for text in texts), "\n\n".join(texts)):
        assert [entry.content for entry in entries(written)] == texts


@given(st.text())
def test_no_word_is_lost(written: str) -> None:
    """Whatever the text is: the letters outside headings, fences and dates are in some entry, in order."""
    plain = written.replace("#", "").replace("`", "").replace("~", "").replace("[", "")
    kept = "".join(entry.content for entry in entries(plain))
    letters = [character for character in plain if character.isalpha()]
    assert [character for character in kept if character.isalpha()] == letters


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("- caf\u00e9".encode("utf-8-sig"), "caf\u00e9"),
        ("- caf\u00e9".encode("utf-16"), "caf\u00e9"),
        (b"- caf\xe9", "caf\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_every_encoding_is_read(tmp_path: Path, content: bytes, text: str) -> None:
    """What is not UTF-8 or UTF-16 is replaced, and the plan says so."""
    file = tmp_path / "list.txt"
    file.write_bytes(content)
    os.utime(file, (AT.timestamp(), AT.timestamp()))
    items = list(read(Source(file)))
    [record] = [item for item in items if isinstance(item, PeerRecord)]
    assert (record.content, record.created_at, record.is_dated) == (text, AT, False)
    lost = [item.what for item in items if isinstance(item, Remark) and item.kind == "lost"]
    assert lost == (["bytes that are not UTF-8 were replaced"] if "\N{REPLACEMENT CHARACTER}" in text else [])
