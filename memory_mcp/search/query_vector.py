"""How a query is put to the model, and the vector that it gets, or why it gets none."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from memory_mcp.domain import spelling
from memory_mcp.domain.errors import EmbedderError
from memory_mcp.domain.models import DocumentFrequencies, EmbeddedText, Lane, Space, Task
from memory_mcp.domain.ports import Embedder
from memory_mcp.search.models import Part
from memory_mcp.search.policy import PhrasingPolicy

_GENITIVE: Final = re.compile(r"['’]s\b")


@dataclass(frozen=True, slots=True)
class QueryVector:
    """A query's vector and its space."""

    row: bytes
    space: Space
    phrasings: tuple[str, ...]
    """The texts between whose vectors it lies."""


@dataclass(frozen=True, slots=True)
class NoVector:
    """Why a search does without vectors."""

    cause: str

    @property
    def sentence(self) -> str:
        """Say it to the caller."""
        return f"found by keywords only: {self.cause}"


class QueryEmbedder:
    """Asks the embedder for the vectors of queries."""

    def __init__(self, embedder: Embedder, budget_s: float) -> None:
        self._embedder = embedder
        self._budget_s = budget_s

    async def embed(
        self, phrasings: Mapping[Part, Sequence[str]], space: Space | None, budget_s: float | None = None
    ) -> dict[Part, QueryVector | NoVector]:
        """Return for each part the vector between its phrasings in the space, or why there is none.

        Args:
            phrasings: of one query, for each part.
            space: the store's.
            budget_s: the most that it may take, if that is less than usual.
        """
        texts = list(dict.fromkeys(chain.from_iterable(phrasings.values())))
        try:
            embedding = await self._embedder.embed(
                texts,
                task=Task.QUERY,
                lane=Lane.INTERACTIVE,
                budget_s=self._budget_s if budget_s is None else min(budget_s, self._budget_s),
                expected_space=space.id if space else None,
            )
        except EmbedderError as error:
            return dict.fromkeys(phrasings, NoVector(error.with_fix()))
        items = dict(zip(texts, embedding.items, strict=True))
        return {
            part: _vector([items[text] for text in each], embedding.space, each) for part, each in phrasings.items()
        }


def _vector(items: Sequence[EmbeddedText], space: Space, phrasings: Sequence[str]) -> QueryVector | NoVector:
    rows = [item.vector for item in items if item.vector is not None]
    if not rows:
        return NoVector(f"the query got no vector ({items[0].error})")
    return QueryVector(between(rows), space, tuple(phrasings))


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
