"""Where content is cut."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from memory_mcp.memories.chunking import DEFAULT_CHUNKS, STRETCH_CHARS, ChunkPolicy, head_of, rest_after, split

PROSE = st.text(alphabet="ab .\n#`-*1字é", max_size=3 * DEFAULT_CHUNKS.chars)


@given(PROSE)
@example("x" * 25_000)
@example("字" * 25_000)
@example(" " * 2_500)
@example("word " * 5_000)
def test_passages_cover_everything_that_is_not_blank(content: str) -> None:
    """Passages lie in order, do not overlap, are no longer than the bound, and leave out blanks alone."""
    passages = split(content, DEFAULT_CHUNKS)
    end = 0
    for start, stop in passages:
        assert end <= start < stop or content == ""
        assert stop - start <= DEFAULT_CHUNKS.chars
        assert content[end:start].strip() == ""
        end = stop
    assert content[end:].strip() == ""


def test_structure_is_kept() -> None:
    """Headings begin a passage, and sentences are not torn where they fit."""
    sections = [f"# Heading {i}\n\n" + f"A sentence of section {i}. " * 20 for i in range(6)]
    content = "\n\n".join(sections)
    texts = [content[start:stop] for start, stop in split(content, DEFAULT_CHUNKS)]
    assert [text.startswith("# Heading") for text in texts].count(True) == 6
    assert all(text.endswith(".") or text.startswith("# Heading") for text in texts)


def test_a_million_characters_are_cut_in_linear_time() -> None:
    """Text without sentences is handed to the splitter in stretches, whose boundaries are cuts too."""
    content = "字" * 1_000_000
    passages = split(content, DEFAULT_CHUNKS)
    assert len(passages) == 1_000_000 / DEFAULT_CHUNKS.chars
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
    assert head_of(content, DEFAULT_CHUNKS).text == head


@given(PROSE)
def test_a_passage_stands_under_its_head_or_holds_it(content: str) -> None:
    """Only what begins after the head is put under it, and the passage is the end of what is embedded."""
    head = head_of(content, DEFAULT_CHUNKS)
    assert len(head.text) <= DEFAULT_CHUNKS.head_chars
    assert content[head.end - len(head.text) : head.end] == head.text
    for start, end in split(content, DEFAULT_CHUNKS):
        above = head.above(start, content[start:end])
        assert above.endswith(content[start:end])
        assert (above != content[start:end]) == (bool(head.text) and start >= head.end)


def test_another_policy_cuts_elsewhere() -> None:
    """Longer passages are fewer, and heads can be left out; a policy that makes none is refused."""
    content = "The trip to Rome. " + "We saw the forum. " * 100
    longer = split(content, ChunkPolicy(chars=1_000))
    assert len(longer) < len(split(content, DEFAULT_CHUNKS))
    assert max(end - start for start, end in longer) > DEFAULT_CHUNKS.chars
    assert head_of(content, ChunkPolicy(head_chars=0)).above(600, "forum") == "forum"
    with pytest.raises(ValueError, match=r"ChunkPolicy\.chars must be 1 or more"):
        ChunkPolicy(chars=0)
