"""How a query is put to the model: as it is, and without the words that say nothing about which memory is meant."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Collection, Sequence
from typing import Final

from memory_mcp.domain import spelling
from memory_mcp.domain.models import DocumentFrequencies
from memory_mcp.search.policy import PhrasingPolicy

_GENITIVE: Final = re.compile(r"['’]s\b")


def phrasings(text: str, frequencies: DocumentFrequencies, policy: PhrasingPolicy) -> list[str]:
    """Return the query and, where some of its words stand in half of the memories or more, the query without them.

    A name that all memories of a conversation hold draws the query's vector to each of them alike. From half on, a
    word speaks for no memory (Robertson and Spärck Jones, Relevance Weighting of Search Terms, 1976). Function words
    stay: they make the question one. A query of nothing but such words stays as it is.
    """
    bar = policy.common_share * frequencies.memories
    common = [word for word, held in frequencies.counts.items() if held >= bar]
    if frequencies.memories < policy.fewest_memories or len(common) in {0, len(frequencies.counts)}:
        return [text]
    return [text, " ".join(_without(text, frozenset(common)).split())]


def _without(text: str, common: Collection[str]) -> str:
    """Return the text without these words and the 's behind them."""
    kept, place = "", 0
    for start, end in spelling.word_spans(text):
        if spelling.normal(text[start:end]) in common:
            kept += text[place:start]
            genitive = _GENITIVE.match(text, end)
            place = genitive.end() if genitive else end
    return kept + text[place:]


def between(rows: Sequence[bytes]) -> bytes:
    """Return the vector of length 1 in the middle of vectors of length 1 (float32, little-endian)."""
    if len(rows) == 1:
        return rows[0]
    form = f"<{len(rows[0]) // 4}f"
    sums = [math.fsum(values) for values in zip(*(struct.unpack(form, row) for row in rows), strict=True)]
    length = math.hypot(*sums)
    return struct.pack(form, *(value / length for value in sums)) if length else rows[0]
