"""Near duplicates: what says the same, and adds at most a few words.

Two statements that differ in a word, as two answers to one question do, are no near duplicates: both are shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from memory_mcp.domain import spelling

ARTICLES: Final = frozenset({"a", "an", "the"})
TURNING: Final = frozenset({"not", "no", "never", "without", "nicht", "kein", "keine", "nie", "ohne"})
"""Words that turn a statement around; what adds one is no duplicate."""
MOST_ADDED: Final = 0.25
"""The share of the longer one's words that the shorter may lack."""
COMPARED_CHARS: Final = 10_000
"""Characters; of longer texts only equal ones are duplicates."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a text says, whatever its case, accents, blanks, punctuation and articles."""

    text: str
    words: Counter[str]
    total: int
    longest: str
    """Of its words: what holds all of them holds this one."""

    @classmethod
    def of(cls, content: str) -> Fingerprint:
        """Return the fingerprint of a content."""
        words = [word for word in spelling.plain_words(content) if word not in ARTICLES]
        counted = words if len(content) <= COMPARED_CHARS else []
        return cls(" ".join(words), Counter(counted), len(counted), max(counted, key=len, default=""))

    def is_among(self, others: Iterable[Fingerprint]) -> bool:
        """Say whether one of these is like it; most of them lack its longest word, and it lacks theirs."""
        return any(
            (self.longest in other.words or other.longest in self.words or self.text == other.text)
            and self.is_like(other)
            for other in others
        )

    def is_like(self, other: Fingerprint) -> bool:
        """Say whether one of the two says what the other says, and hardly more."""
        if self.text == other.text:
            return True
        shorter, longer = (self, other) if self.total <= other.total else (other, self)
        if shorter.longest not in longer.words or shorter.total < (1 - MOST_ADDED) * longer.total:
            return False
        if any(longer.words[word] < count for word, count in shorter.words.items()):  # mostly at the first word
            return False
        return not any(word in TURNING or _has_digit(word) for word in longer.words - shorter.words)


def _has_digit(word: str) -> bool:
    return any(character.isdigit() for character in word)
