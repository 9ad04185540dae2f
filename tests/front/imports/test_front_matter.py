"""Front matter of notes: the YAML that people and programs write, and text that only looks like it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_mcp.imports.peers.front_matter import NotYamlError, parsed, split

WRITTEN = """\
title: "By hand: quoted, with a colon"
plain: it's plain # and a comment
lens:
  mm: 35
  lent:
    to: Priyanka
    until: '2025-11-02'
none: null
ok: true
f: 1.0e-09
big: 9007199254740993
tags:
- garden
- "two words"
aliases: [Hand, 'a, b', [nested]]
date created: 2025-03-14
long: a text that a program
  has folded
block: |
  line one

    line three
people:
  - name: Mari
    age: 45
  - Bo
empty:
"""


def test_what_programs_write_is_read() -> None:
    """Lists of both kinds, nested mappings, quotes, numbers, and texts over several lines."""
    assert parsed(WRITTEN) == {
        "title": "By hand: quoted, with a colon",
        "plain": "it's plain",
        "lens": {"mm": 35, "lent": {"to": "Priyanka", "until": "2025-11-02"}},
        "none": None,
        "ok": True,
        "f": 1e-09,
        "big": 9007199254740993,
        "tags": ["garden", "two words"],
        "aliases": ["Hand", "a, b", ["nested"]],
        "date created": "2025-03-14",
        "long": "a text that a program has folded",
        "block": "line one\n\n  line three",
        "people": [{"name": "Mari", "age": 45}, "Bo"],
        "empty": None,
    }


@pytest.mark.parametrize(
    "written",
    [
        "just a sentence",
        "tags: [unclosed",
        "title: still: wrong: here",
        "created: {{date}}",
        "a: &anchor b",
        "a: 1\na: 2",
        "a: b\n   c: d",
        'a: "unclosed',
        "a: " + "[" * 50 + "]" * 50,
        "\n".join(" " * depth + "a:" for depth in range(50)),
        "a: " + "x" * 20_000,
    ],
)
def test_what_is_beyond_it_is_refused(written: str) -> None:
    """It is not guessed: the note keeps it as text."""
    with pytest.raises(NotYamlError):
        parsed(written)


def test_a_rule_is_no_front_matter() -> None:
    """A line of hyphens that nothing closes stays in the text, as everything after the second one does."""
    assert split("---\na note") == (None, "---\na note")
    assert split("text\n---\na: b\n---\n") == (None, "text\n---\na: b\n---\n")
    assert split("---\na: b\n---\n\nbody\n---\n") == ("a: b", "\nbody\n---\n")


NAMES = st.from_regex(r"[a-z][a-z_ ]{0,8}[a-z]", fullmatch=True)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)


@given(st.dictionaries(NAMES, TEXTS | st.lists(TEXTS, min_size=1, max_size=3), max_size=4))
def test_quoted_texts_come_back(members: dict[str, object]) -> None:
    """JSON's quotes are YAML's too, whatever they hold; so are lists in brackets."""
    assert parsed("\n".join(f"{name}: {json.dumps(value)}" for name, value in members.items())) == members


@given(st.text(alphabet=st.sampled_from("ab:-#\"'[]{}, |>\n\t01."), max_size=60))
def test_any_text_is_read_or_refused(written: str) -> None:
    """Nothing else happens, and what is read is JSON."""
    try:
        members = parsed(written)
    except NotYamlError:
        return
    json.dumps(members, allow_nan=False)
