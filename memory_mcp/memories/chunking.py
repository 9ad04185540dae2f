"""Splits long content along its structure (headings, paragraphs, code blocks, sentences, words)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from semantic_text_splitter import MarkdownSplitter

PASSAGE_CHARS: Final = 500
"""Maximum characters of a passage: with its head it fits 256 tokens of English, and it covers one topic. The front has
no tokenizer; if the embedder truncates a passage, the rest becomes another passage."""

HEAD_CHARS: Final = 150
"""Maximum characters of a head."""

_FIRST_LINE: Final = re.compile(rf"\S[^\n]{{0,{HEAD_CHARS - 1}}}")
_SENTENCE_END: Final = re.compile(r"[.!?](?=\s)|[。！？]")

STRETCH_CHARS: Final = 10_000
"""Characters that the splitter gets at a time: without sentences its time grows with their square (1,000,000 Chinese
characters took 68 s at once, 0.9 s in stretches)."""


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of a content: its title, or its first sentence."""

    text: str
    end: int
    """Its end in the content, in characters."""

    def above(self, start: int, passage: str) -> str:
        """Return the text to embed for the passage at `start`: with the head above, unless the passage overlaps it."""
        return f"{self.text}\n{passage}" if self.text and start >= self.end else passage


NO_HEAD: Final = Head("", 0)


def head_of(content: str) -> Head:
    """Return the first sentence or line, cut at 150 characters."""
    line = _FIRST_LINE.search(content)
    if line is None:
        return NO_HEAD
    sentence = _SENTENCE_END.search(line[0])
    text = (line[0][: sentence.end()] if sentence else line[0]).rstrip()
    return Head(text, line.start() + len(text))


@cache
def _splitter() -> MarkdownSplitter:
    from semantic_text_splitter import MarkdownSplitter  # noqa: PLC0415 - an 18 MB library, needed only for long content

    return MarkdownSplitter(PASSAGE_CHARS)


def split(content: str) -> list[tuple[int, int]]:
    """Return the passages of a content as (start, end) in characters, in order, without blank ones."""
    if len(content) <= PASSAGE_CHARS:
        return [(0, len(content))]
    return [
        (first + start, first + start + len(text))
        for first, stretch in _stretches(content)
        for start, text in _splitter().chunk_indices(stretch)
    ]


def _stretches(content: str) -> Iterator[tuple[int, str]]:
    """Yield stretches with their start, cut at the last paragraph, line or word that fits."""
    start = 0
    while start < len(content):
        end = min(len(content), start + STRETCH_CHARS)
        if end < len(content):
            middle = start + STRETCH_CHARS // 2
            cuts = (content.rfind(mark, middle, end) for mark in ("\n\n", "\n", " "))
            end = next((cut + 1 for cut in cuts if cut >= 0), end)
        yield start, content[start:end]
        start = end


def rest_after(text: str, consumed: int) -> int:
    """Return where to continue a text that was truncated after `consumed` characters: at the start of the cut word.

    The result is above 0, so that repeated cutting terminates.
    """
    consumed = max(1, consumed)
    if consumed >= len(text) or text[consumed].isspace():
        return min(consumed, len(text))
    word = 1 + max(text.rfind(blank, 1, consumed) for blank in " \n\t")
    return word or consumed
