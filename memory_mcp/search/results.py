"""From ranked memories to the hits of an answer: what is strong enough, in order, each thing once."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice, takewhile

from memory_mcp.domain import spelling
from memory_mcp.domain.models import DOCUMENT, Memory
from memory_mcp.domain.ports import Snapshot
from memory_mcp.search.models import Hit, JoinedRanking, NearMisses, Ranked, SearchQuery
from memory_mcp.search.policy import SelectionPolicy


@dataclass(frozen=True, slots=True)
class Selection:
    """What is left of a ranking, step by step."""

    considered: Sequence[Hit]
    """Those that may be shown, best first."""
    in_order: Sequence[Hit]
    """The same, the newer before the older where age decides."""
    hits: Sequence[Hit]
    """Those that are shown."""
    is_thinned: bool
    """Whether some may have been left out for what they hold, so that further candidates might take their places."""
    is_barred: bool = False
    """Whether some candidates score less than what was asked for."""


def select(
    snapshot: Snapshot, query: SearchQuery, quoted: Sequence[str], ranking: JoinedRanking, policy: SelectionPolicy
) -> Selection:
    """Load the ranked memories and keep those that hold what is quoted; near duplicates once, if that is asked for."""
    strong = {key: score for key, score in ranking.scores.items() if score >= query.min_score}
    thinned = query.collapse or bool(quoted)
    likely = list(strong) if thinned else worth_loading(strong, query.limit, query.recency, policy)
    selection = _selected(snapshot, query, quoted, ranking.ranked(likely), policy)
    if len(selection.hits) < query.limit and len(likely) < len(strong):  # others take the places of boilerplate
        selection = _selected(snapshot, query, quoted, ranking.ranked(strong), policy)
    return replace(selection, is_barred=len(strong) < len(ranking.scores))


def _selected(
    snapshot: Snapshot, query: SearchQuery, quoted: Sequence[str], likely: Sequence[Ranked], policy: SelectionPolicy
) -> Selection:
    memories = snapshot.fetch([hit.key for hit in likely])
    loaded = [Hit(memories[hit.key], hit) for hit in likely if hit.key in memories]
    fitting = [hit for hit in loaded if holds_all(hit.memory, quoted)] if quoted else loaded
    ordered = in_order(fitting, query.recency, policy)
    if query.collapse:
        return Selection(fitting, ordered, collapsed(ordered, query.limit, policy), is_thinned=True)
    if any(_is_section(hit) for hit in ordered[: query.limit]):
        return Selection(fitting, ordered, without_boilerplate(ordered, query.limit, policy), is_thinned=True)
    return Selection(fitting, ordered, ordered[: query.limit], is_thinned=bool(quoted))


def near_misses(scores: Collection[float], min_score: float, limit: int) -> NearMisses | None:
    """Return how many results a search would have had without its bar, when none passes it."""
    below = [score for score in scores if 0 < score < min_score]
    if not below or any(score >= min_score for score in scores):
        return None
    return NearMisses(min(limit, len(below)), max(below))


def worth_loading(scores: Mapping[int, float], limit: int, recency: float, policy: SelectionPolicy) -> list[int]:
    """Leave out what could not come among the first `limit` however new it is; `scores` are best first, by key."""
    if len(scores) <= limit:
        return list(scores)
    last = next(islice(scores.values(), limit - 1, None))
    bar = last * _least_share(recency, policy) - 10**-policy.equal_digits
    return list(takewhile(lambda key: scores[key] >= bar, scores))


def in_order(hits: Sequence[Hit], recency: float, policy: SelectionPolicy) -> list[Hit]:
    """Put the best first, of equal ones the newer; the more `recency` (0-1), the more the newer come first.

    Age is a matter of order, so that it works alike for minutes and for years: a memory loses rank by how many of its
    rivals are newer. The rivals are the hits near enough to the best that age could reorder them; the better one is,
    the more it counts. Of two, the newer is first if its score is at least half of the older's at 1, three quarters at
    0.5. The scores that are shown do not change.
    """
    least = _least_share(recency, policy)
    newer = _share_newer(hits, least, policy.focus)

    def rank(hit: Hit) -> tuple[float, datetime, int]:
        share = 1 - newer.get(hit.memory.key, 0.0) * (1 - least)
        return round(hit.ranked.score * share, policy.equal_digits), hit.memory.created_at, hit.memory.key

    return sorted(hits, key=rank, reverse=True)


def _share_newer(hits: Sequence[Hit], least_share: float, focus: int) -> dict[int, float]:
    """Return for each hit the share of its rivals that are newer, 0-1, each counted by how good it is."""
    best = max((hit.ranked.score for hit in hits), default=0.0)
    last = best * least_share
    if last >= best:
        return {}
    weights = {hit.memory.key: (max(0.0, hit.ranked.score - last) / (best - last)) ** focus for hit in hits}
    total = math.fsum(weights.values())
    shares: dict[int, float] = {}
    newer = 0.0
    for hit in sorted(hits, key=lambda hit: (hit.memory.created_at, hit.memory.key), reverse=True):
        weight = weights[hit.memory.key]
        rivals = total - weight
        shares[hit.memory.key] = min(1.0, newer / rivals) if rivals > 0 else 0.0
        newer += weight
    return shares


def _least_share(recency: float, policy: SelectionPolicy) -> float:
    """Return what is left of the oldest rival's rank."""
    return 1 - recency * policy.most_for_age


def holds_all(memory: Memory, quoted: Sequence[str]) -> bool:
    """Say whether a memory's content has all these words as they stand, but for their spelling and punctuation."""
    return all(spelling.holds(memory.content, words) for words in quoted)


def _is_section(hit: Hit) -> bool:
    return hit.memory.type == DOCUMENT


def without_boilerplate(hits: Sequence[Hit], limit: int, policy: SelectionPolicy) -> list[Hit]:
    """Let the first of near duplicates among sections of documents stand for the others; return `limit` at most."""
    sections = collapsed([hit for hit in hits if _is_section(hit)], limit, policy)
    kept = {hit.memory.key: hit for hit in sections}
    return [kept.get(hit.memory.key, hit) for hit in hits if not _is_section(hit) or hit.memory.key in kept][:limit]


def placed(snapshot: Snapshot, hits: Sequence[Hit]) -> list[Hit]:
    """Say of sections where they lie in their documents; nothing is asked for where no hit is one."""
    keys = [hit.memory.key for hit in hits if _is_section(hit)]
    if not keys:
        return list(hits)
    places = snapshot.section_places(keys)
    return [replace(hit, place=places.get(hit.memory.key)) for hit in hits]


def collapsed(hits: Sequence[Hit], limit: int, policy: SelectionPolicy) -> list[Hit]:
    """Let each hit stand for its near duplicates further down; the first of them is kept, `limit` at most."""
    kept: list[tuple[_Print, Hit]] = []
    for hit in hits:
        mark = _Print.of(hit.memory.content, policy.compared_chars)
        twin = next((index for index, (other, _) in enumerate(kept) if mark.is_like(other, policy.alike)), None)
        if twin is not None:
            first = kept[twin][1]
            kept[twin] = (kept[twin][0], replace(first, duplicates=(*first.duplicates, hit.memory.id)))
        elif len(kept) < limit:
            kept.append((mark, hit))
    return [hit for _, hit in kept]


@dataclass(frozen=True, slots=True)
class _Print:
    """What a content says, whatever its case, accents, blanks and punctuation."""

    text: str
    words: Counter[str]
    numbers: frozenset[str]

    @classmethod
    def of(cls, content: str, compared_chars: int) -> _Print:
        words = spelling.plain_words(content)
        counted = Counter(words if len(content) <= compared_chars else ())
        return cls(" ".join(words), counted, frozenset(word for word in counted if any(map(str.isdigit, word))))

    def is_like(self, other: _Print, alike: float) -> bool:
        """Say whether they are near duplicates; two that differ in a number never are."""
        if self.text == other.text:
            return True
        mine, yours = self.words.total(), other.words.total()
        if self.numbers != other.numbers or 2 * min(mine, yours) < alike * (mine + yours) or not mine:
            return False
        return 2 * (self.words & other.words).total() >= alike * (mine + yours)
