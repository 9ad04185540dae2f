"""Estimates the tokens of a text without a tokenizer, and shares a token budget.

Every model has its own tokenizer, so the estimate errs on the high side of one that splits finely: the vocabulary of
65,536 tokens in the PyPI package `anthropic` 0.28. Each byte of the UTF-8 text has a weight; the first byte of
a character carries its whole cost. Estimate divided by that tokenizer's count: English 1.5, source code 1.5,
German 1.2, Chinese 1.1, Thai 1.2, emoji 1.1, base64 and hexadecimal digits 0.9, Vietnamese and Greek 0.85,
random small letters 0.7.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Final

UNITS: Final = 20
"""Weight units per token."""

LIMIT: Final = 9_700
"""Maximum tokens of an answer's text, and of its structured result: less than 10,000 with the protocol's envelope."""

CAUTION: Final = 0.85
"""Share of the room that contents may use, because the estimate may be too low."""

LIGHTEST: Final = 5
"""Minimum weight of a character in units."""

MOST_CHARS: Final = LIMIT * UNITS // LIGHTEST
"""Maximum characters of an answer."""


def _weights() -> bytes:
    """Return the weight of each byte in units, as JSON: quotes and control characters include their escapes."""
    by_range = {
        (0x00, 0x20): 100,  # \u0000
        (0x20, 0x21): LIGHTEST,
        (0x21, 0x7F): 14,  # punctuation; letters, digits and the escaped ones follow
        (0x30, 0x3A): 13,
        (0x41, 0x5B): 18,
        (0x61, 0x7B): 7,
        (0x7F, 0x80): 30,
        (0xC2, 0xE0): 22,  # accents, Greek, Cyrillic, Hebrew, Arabic
        (0xE0, 0xE2): 44,  # the scripts of India and South-East Asia, Georgian, Ethiopic
        (0xE2, 0xE3): 40,  # typographic punctuation and symbols
        (0xE3, 0xEE): 24,  # Chinese, Japanese, Korean
        (0xEE, 0xF0): 50,
        (0xF0, 0xF5): 55,  # emoji and rare scripts
    }
    table = bytearray(256)
    for (first, end), weight in by_range.items():
        table[first:end] = bytes([weight]) * (end - first)
    for characters, weight in ((b"\b\f\n\r\t\\", 40), (b'"', 32)):
        for byte in characters:
            table[byte] = weight
    return bytes(table)


_WEIGHTS: Final = _weights()


def tokens(text: str) -> int:
    """Estimate the tokens of a text; texts longer than any answer get only a lower bound above LIMIT."""
    start = text[: MOST_CHARS + 1]
    return -(-sum(start.encode().translate(_WEIGHTS)) // UNITS)


def fitting(text: str, limit: int) -> int:
    """Return how many leading characters of a text cost at most `limit` tokens."""
    start = text[: min(limit, LIMIT) * UNITS // LIGHTEST].encode()
    spent = list(accumulate(start.translate(_WEIGHTS)))
    return len(start[: bisect_right(spent, limit * UNITS)].decode())


def count_fitting(texts: Iterable[str], limit: int, *, each: int = 1) -> int:
    """Return how many leading texts cost at most `limit` tokens, with `each` tokens for a separator."""
    return bisect_right(list(accumulate(each + tokens(text) for text in texts)), limit)


def shared(wanted: Sequence[int], budget: int) -> list[int]:
    """Share a budget: requests below an equal share are met in full; the others share the rest equally."""
    shares = [0] * len(wanted)
    left = max(0, budget)
    for done, index in enumerate(sorted(range(len(wanted)), key=wanted.__getitem__)):
        shares[index] = min(wanted[index], left // (len(wanted) - done))
        left -= shares[index]
    return shares
