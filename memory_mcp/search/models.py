"""What a search is asked, what it answers, and what stands between."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from memory_mcp.domain.documents import SectionPlace
from memory_mcp.domain.models import Filters, KeywordMatches, Match, Memory
from memory_mcp.search.intent import Intent

SearchMode = Literal["auto", "semantic", "keyword", "hybrid"]
RankedBy = Literal["semantic", "keyword", "hybrid"]
Part = Literal["memories", "documents"]
"""What is searched with statistics of its own: memories of type `document`, and all others."""


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What is looked for."""

    text: str
    filters: Filters
    limit: int = 10
    mode: SearchMode = "auto"
    min_score: float = 0.0
    recency: float = 0.0
    """How much newer memories come before older ones, 0-1; at 0 only among equal ones."""
    collapse: bool = False
    """Whether a near duplicate of a hit is only counted."""
    explain: bool = False
    """Whether the answer says what each step contributed to each hit."""
    embed_budget_s: float | None = None
    """Seconds that its vector may take at most, if that is less than any search's."""


class Ranked(NamedTuple):
    """A memory with its scores, 0-1; None where that kind of search did not find it."""

    key: int
    score: float
    semantic: float | None = None
    keyword: float | None = None
    passage: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class KeywordScores:
    """The keyword scores, 0-1, the best first."""

    scores: Mapping[int, float]
    is_all: bool
    """Whether no memory holds a word of the query but these."""
    matches: KeywordMatches
    """What words found, without neighbours."""
    divisor: float
    """The BM25 score that counts as 1."""


@dataclass(frozen=True, slots=True)
class DenseScores:
    """The semantic scores, 0-1, and how far the best of them stands out (None where that cannot be said)."""

    scores: Mapping[int, float]
    prominence: float | None
    is_all: bool
    """Whether no memory has a vector but these."""
    own: Sequence[Match]
    """The cosines of the best chunks, without context."""
    context: Mapping[int, float]
    """The cosines in context, of memories that lie in a conversation."""
    floor: float = 0.0
    """The semantic score that counts as 0 in a fused one."""
    fit_floor: float = 0.0
    """The semantic score that counts as 0 where the fit is judged."""


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What was added to a score, or taken from it, by cause."""

    length: float = 0.0
    turn: float = 0.0
    """For asking, answering or being said by whom the query names."""
    time: float = 0.0

    @property
    def total(self) -> float:
        """Return the sum."""
        return self.length + self.turn + self.time


@dataclass(frozen=True, slots=True)
class Ranking:
    """The candidates, best first, and what ranked them."""

    scores: Mapping[int, float]
    """By key, best first. A search has hundreds, and shows few of them: those are made to `ranked`."""
    mode: RankedBy
    weight: float
    """The share of the semantic scores, 0-1."""
    dense: DenseScores | None = None
    keywords: KeywordScores | None = None
    foreign: float = 0.0
    """How far words cannot tell what fits, 0-1, because the namespace has few of the query's."""
    degraded: str | None = None
    adjustments: Mapping[int, Adjustment] = field(default_factory=dict)
    """By key; a memory that is missing had none. `scores` has them in it."""

    def ranked(self, keys: Iterable[int]) -> list[Ranked]:
        """Return these candidates with all their scores."""
        semantic = self.dense.scores if self.dense else {}
        keyword = self.keywords.scores if self.keywords else {}
        chunks = {match.key: match.passage for match in self.dense.own} if self.dense else {}
        return [Ranked(key, self.scores[key], semantic.get(key), keyword.get(key), chunks.get(key)) for key in keys]

    @property
    def is_all(self) -> bool:
        """Whether asking for more candidates would find no more."""
        return all(scores.is_all for scores in (self.dense, self.keywords) if scores is not None)


@dataclass(frozen=True, slots=True)
class JoinedRanking:
    """The rankings of a search's parts as one.

    Their scores are of one scale, because each part's have the share of the best that is possible there for words, and
    a cosine for meaning.
    """

    parts: Mapping[Part, Ranking]
    """At least one."""
    scores: Mapping[int, float]
    """Of all, by key, best first."""

    @classmethod
    def of(cls, parts: Mapping[Part, Ranking]) -> JoinedRanking:
        """Join them."""
        first, *others = (ranking.scores for ranking in parts.values())
        if not any(others):
            return cls(parts, first)
        scores: dict[int, float] = {}
        for score, key in sorted(
            ((score, key) for each in (first, *others) for key, score in each.items()), reverse=True
        ):
            scores.setdefault(key, score)  # a conversation of both kinds may bring a memory into both rankings
        return cls(parts, scores)

    def ranked(self, keys: Iterable[int]) -> list[Ranked]:
        """Return these candidates with all their scores, in this order."""
        chosen = list(keys)
        found: dict[int, Ranked] = {}
        for ranking in self.parts.values():
            mine = [key for key in chosen if key not in found and ranking.scores.get(key) == self.scores[key]]
            found |= {ranked.key: ranked for ranked in ranking.ranked(mine)}
        return [found[key] for key in chosen]

    @property
    def mode(self) -> RankedBy:
        """What ranked them."""
        return next(iter(self.parts.values())).mode

    @property
    def degraded(self) -> str | None:
        """Why one of them has no vectors."""
        return next((ranking.degraded for ranking in self.parts.values() if ranking.degraded), None)

    @property
    def is_all(self) -> bool:
        """Whether asking for more candidates would find no more."""
        return all(ranking.is_all for ranking in self.parts.values())


@dataclass(frozen=True, slots=True)
class Hit:
    """A memory that was found, and how."""

    memory: Memory
    ranked: Ranked
    duplicates: tuple[str, ...] = ()
    """The ids of the near duplicates that it stands for."""
    place: SectionPlace | None = None
    """Where it lies in a document."""
    namespace: str | None = None
    """Where it lies, if that is not the namespace that was asked for."""

    @property
    def passage(self) -> str | None:
        """The best passage's text, where the memory has more than one."""
        span = self.ranked.passage
        return None if span is None else self.memory.content[slice(*span)]


@dataclass(frozen=True, slots=True)
class NearMisses:
    """What would have been found with a lower `min_score`."""

    count: int
    best_score: float


@dataclass(frozen=True, slots=True)
class HitExplanation:
    """What each step contributed to one hit. Scores are 0-1, ranks count from 1; None where a step did not see it.

    score = fused + time + length + turn + tag_lift
    """

    id: str
    rank: int
    cosine: float | None
    """Of the best chunk."""
    cosine_rank: int | None
    context: float | None
    """The cosine in context, in a conversation."""
    semantic: float | None
    """Both joined."""
    semantic_rank: int | None
    own: float | None
    """The part of the keyword score that its own words make."""
    neighbours: float | None
    """The part that its neighbours' words make."""
    keyword: float | None
    """Their sum, 1 at most."""
    keyword_rank: int | None
    fused: float
    """weight * (semantic - floor) / (1 - floor) + (1 - weight) * keyword; see `QueryExplanation`."""
    fused_rank: int | None
    time: float
    """What the time that the query names added to the fused score."""
    length: float
    """What a long content took from it (below 0)."""
    turn: float
    """What its part in the conversation added, or took: a question, an answer, a speaker that the query names."""
    tag_lift: float
    """What the tags of a browse added to all this."""
    age_shift: int
    """Places that it gained by being newer, or lost (below 0)."""


@dataclass(frozen=True, slots=True)
class QueryExplanation:
    """What was made of a query: what holds for all hits of a part alike."""

    intent: Intent
    quoted: tuple[str, ...]
    """What a hit must hold as it is."""
    names: tuple[str, ...]
    """What a hit must spell for the answer not to be weak."""
    tags: tuple[str, ...]
    """What comes first carries them."""
    times: tuple[str, ...]
    """The days that the query names: "2024-05-01/2024-05-31", without the year where that is left open."""
    mode: RankedBy
    phrasings: tuple[str, ...]
    """What was embedded; the query's vector lies between theirs."""
    terms: Mapping[str, float]
    """What keyword search looks for, with what each counts, 0-1, times its rarity; "a*" is all that begins with a."""
    prominence: float | None
    """By how many standard deviations the best chunk of all stands out; it decides the weight."""
    known: float | None
    """The share of the query's words that the part has; where it is low, as in another language, the weight is
    higher and the words count less in the fit. None where words were not looked for."""
    weight: float
    """The share of the semantic score in the fused one, the keyword score's being the rest."""
    floor: float
    """The semantic score that counts as 0 in the fused one, for a model that gives unrelated texts a high cosine."""
    tagged_weight: float | None
    """The same weight among what carries the tags of a browse."""
    fit: str
    """Why something fits, or why the answer is weak."""


@dataclass(frozen=True, slots=True)
class SearchExplanation:
    """Why an answer is what it is."""

    query: QueryExplanation
    """Of the first part that was searched."""
    documents: QueryExplanation | None
    """Of documents, where others were searched as well."""
    hits: tuple[HitExplanation, ...]
    """Of each hit, in their order."""


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """What a search found, and what it did without."""

    hits: tuple[Hit, ...]
    mode: RankedBy
    intent: Intent
    degraded: str | None
    pending: int
    weak: bool
    """Whether nothing fits well."""
    near_misses: NearMisses | None = None
    explanation: SearchExplanation | None = None
    """Where it was asked for."""
