"""Splits long content along its structure (headings, paragraphs, code blocks, sentences, words)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from semantic_text_splitter import MarkdownSplitter

_SENTENCE_END: Final = re.compile(r"[.!?](?=\s)|[。！？]")
_NOT_BLANK: Final = re.compile(r"\S")

STRETCH_CHARS: Final = 10_000
"""Characters that the splitter gets at a time: without sentences its time grows with their square (1,000,000 Chinese
characters took 68 s at once, 0.9 s in stretches)."""


@dataclass(frozen=True, slots=True)
class ChunkPolicy:
    """What a content's passages are; its vectors follow from that, so another policy is for a store of its own.

    Figures are recall@10 / nDCG@10; see docs/benchmarks.md.
    """

    chars: int = 500
    """Characters of one passage at most, 1 or more: with its head it fits 256 tokens of English, and it says one thing.
    The front has no tokenizer; where the embedder still cuts, the rest becomes a passage of its own. With 1,000
    instead: XQuAD German +0.003 / -0.013, code -0.010 / -0.012, sessions -0.002 / -0.007, SciFact +0.004 / -0.007."""
    head_chars: int = 150
    """Characters of the head under which each passage is embedded, at most; 0 leaves heads out. They give code
    +0.013 / +0.006, sessions +0.003 / +0.007, SciFact -0.012 / +0.003. Another number was never compared."""

    def __post_init__(self) -> None:
        if self.chars < 1 or self.head_chars < 0:
            raise ValueError(
                f"ChunkPolicy.chars must be 1 or more and head_chars 0 or more, not {self.chars} and {self.head_chars}"
            )


DEFAULT_CHUNKS: Final = ChunkPolicy()


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


def head_of(content: str, policy: ChunkPolicy) -> Head:
    """Return the first sentence or line, cut where it is too long."""
    begun = _NOT_BLANK.search(content)
    if begun is None:
        return NO_HEAD
    line = content[begun.start() : begun.start() + policy.head_chars].partition("\n")[0]
    sentence = _SENTENCE_END.search(line)
    text = (line[: sentence.end()] if sentence else line).rstrip()
    return Head(text, begun.start() + len(text))


@cache
def _splitter(chars: int) -> MarkdownSplitter:
    from semantic_text_splitter import MarkdownSplitter  # noqa: PLC0415 - 18 MB of library, for long content only

    return MarkdownSplitter(chars)


def split(content: str, policy: ChunkPolicy) -> list[tuple[int, int]]:
    """Return the passages of a content as (start, end) in characters, in order; blank stretches are left out."""
    if len(content) <= policy.chars:
        return [(0, len(content))]
    return [
        (first + start, first + start + len(text))
        for first, stretch in _stretches(content)
        for start, text in _splitter(policy.chars).chunk_indices(stretch)
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
