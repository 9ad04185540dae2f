"""Where content is cut."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from memory_mcp.memories.chunking import HEAD_CHARS, PASSAGE_CHARS, STRETCH_CHARS, head_of, rest_after, split

PROSE = st.text(alphabet="ab .\n#`-*1字é", max_size=3 * PASSAGE_CHARS)


@given(PROSE)
@example("x" * 25_000)
@example("字" * 25_000)
@example(" " * 2_500)
@example("word " * 5_000)
def test_passages_cover_everything_that_is_not_blank(content: str) -> None:
    """Passages lie in order, do not overlap, are no longer than the bound, and leave out blanks alone."""
    passages = split(content)
    end = 0
    for start, stop in passages:
        assert end <= start < stop or content == ""
        assert stop - start <= PASSAGE_CHARS
        assert content[end:start].strip() == ""
        end = stop
    assert content[end:].strip() == ""


def test_structure_is_kept() -> None:
    """Headings begin a passage, and sentences are not torn where they fit."""
    sections = [f"# Heading {i}\n\n" + f"A sentence of section {i}. " * 20 for i in range(6)]
    content = "\n\n".join(sections)
    texts = [content[start:stop] for start, stop in split(content)]
    assert [text.startswith("# Heading") for text in texts].count(True) == 6
    assert all(text.endswith(".") or text.startswith("# Heading") for text in texts)


def test_a_million_characters_are_cut_in_linear_time() -> None:
    """Text without sentences is handed to the splitter in stretches, whose boundaries are cuts too."""
    content = "字" * 1_000_000
    passages = split(content)
    assert len(passages) == 1_000_000 / PASSAGE_CHARS
    assert any(start % STRETCH_CHARS == 0 for start, _ in passages[1:])


@given(st.text(alphabet="ab \n字", min_size=1, max_size=200), st.integers(0, 250))
def test_the_rest_begins_at_a_word_and_always_later(text: str, consumed: int) -> None:
    """Cutting again and again ends, and no character is lost between what was read and the rest."""
    cut = rest_after(text, consumed)
    assert 0 < cut <= len(text)
    assert cut <= max(1, consumed)


def test_a_torn_word_goes_to_the_rest() -> None:
    """A cut in the middle of a word moves back to its start."""
    assert rest_after("one two three", 9) == 8
    assert rest_after("one two three", 7) == 7
    assert rest_after("abcdefgh", 3) == 3
    assert rest_after("one", 99) == 3


@pytest.mark.parametrize(
    ("content", "head"),
    [
        ("The trip to Rome. We flew on Monday.", "The trip to Rome."),
        ("\n  # Notes\n\nFirst of all", "# Notes"),
        ("Version 3.11 is out! And more", "Version 3.11 is out!"),
        ("東京へ行った。楽しかった。", "東京へ行った。"),
        ("word " * 100, ("word " * 30).strip()),
        ("short", "short"),
        (" \n ", ""),
    ],
)
def test_the_head_is_the_first_sentence_or_line(content: str, head: str) -> None:
    """A title or a sentence, cut where it is too long."""
    assert head_of(content).text == head


@given(PROSE)
def test_a_passage_stands_under_its_head_or_holds_it(content: str) -> None:
    """Only what begins after the head is put under it, and the passage is the end of what is embedded."""
    head = head_of(content)
    assert len(head.text) <= HEAD_CHARS
    assert content[head.end - len(head.text) : head.end] == head.text
    for start, end in split(content):
        above = head.above(start, content[start:end])
        assert above.endswith(content[start:end])
        assert (above != content[start:end]) == (bool(head.text) and start >= head.end)
