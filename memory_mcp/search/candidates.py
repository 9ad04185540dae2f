"""What speaks for each memory: its words, its meaning, and those of its neighbours in the conversation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from memory_mcp.domain.models import Filters, Match, Neighbours, Space
from memory_mcp.domain.ports import Snapshot
from memory_mcp.search import fusion, weighing

SHARING: Final = 15
"""The best hits of each kind whose neighbours are looked at though no search found them."""
MIN_WORDED: Final = 300
"""Memories that share their words with their neighbours, at least."""


@dataclass(frozen=True, slots=True)
class Vector:
    """A query's vector and its space."""

    row: bytes
    space: Space


@dataclass(frozen=True, slots=True)
class Words:
    """The keyword scores, 0-1, the best first."""

    scores: dict[int, float]
    is_all: bool
    """Whether no memory holds a word of the query but these."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """The semantic scores, and how far the best of them stands out (None where that cannot be said)."""

    scores: dict[int, Match]
    prominence: float | None
    is_all: bool
    """Whether no memory has a vector but these."""


NO_WORDS: Final = Words({}, is_all=True)


class Evidence:
    """Asks a store about one query, at one moment."""

    def __init__(self, moment: Snapshot, filters: Filters, candidates: int) -> None:
        self._moment = moment
        self._filters = filters
        self._candidates = candidates

    def words(self, text: str) -> Words:
        """Score what holds words of the query, and its neighbours."""
        limit = max(MIN_WORDED, self._candidates)
        found = self._moment.keyword_search(text, self._filters, limit)
        keys = [match.key for match in found.matches]
        around = self._moment.neighbours(keys[: self._candidates])
        around |= self._moment.neighbours(self._newcomers(keys, around))
        scores = sorted(fusion.keyword_scores(found, around).items(), key=lambda entry: -entry[1])
        return Words(dict(scores), is_all=len(found.matches) < limit)

    def meaning(self, vector: Vector, words: Words) -> Meaning:
        """Score what is near the query, its neighbours, and what words found.

        Raises:
            SpaceMismatchError: the store's vectors are of another space.
        """
        nearest = self._moment.nearest(vector.row, vector.space, self._filters, self._candidates)
        found = [match.key for match in nearest]
        newcomers = self._newcomers(found, self._moment.neighbours(found[:SHARING]))
        worded = list(words.scores)[: self._candidates]  # the others cannot come before these by their words alone
        others = sorted({*worded, *newcomers} - set(found))
        compared = self._moment.compare(vector.row, vector.space, others)
        among = self._moment.contextual_similarity(vector.row, vector.space, [*found, *others])
        scores = fusion.contextual_similarity([*nearest, *compared], among)
        return Meaning(scores, self._prominence(vector, nearest), is_all=len(nearest) < self._candidates)

    def _newcomers(self, keys: Sequence[int], around: Mapping[int, Neighbours]) -> list[int]:
        """Return the neighbours of the best ones that are not among `around`; keys are best first."""
        if self._is_narrow:
            return []
        best = [around[key] for key in keys[:SHARING] if key in around]
        return sorted({key for of in best for key in (*of.before, *of.after)} - around.keys())

    @property
    def _is_narrow(self) -> bool:
        """Whether a neighbour may be what the filters leave out; one of the same conversation is not."""
        return replace(self._filters, conversation_id=None).is_narrow

    def _prominence(self, vector: Vector, nearest: Sequence[Match]) -> float | None:
        if not nearest:
            return None
        namespace = self._filters.namespace
        sample = self._moment.background_scores(vector.row, vector.space, namespace, weighing.SAMPLE)
        few = self._filters.is_narrow and len(nearest) < self._candidates
        return weighing.prominence(nearest[0].score, sample, len(nearest) if few else sample.chunks)
