"""What speaks for or against a memory besides its words and its meaning: its time, its length, its part in a talk."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from memory_mcp.domain.models import Neighbours, Outline
from memory_mcp.domain.ports import Snapshot
from memory_mcp.domain.spelling import plain_words
from memory_mcp.search.models import Adjustment, Ranked, Ranking
from memory_mcp.search.named_times import NamedTime
from memory_mcp.search.policy import AdjustmentPolicy

_SPEAKER: Final = re.compile(r"([^\W\d_][\w .'-]{0,39}): ")
"""Who speaks, at the beginning of a turn: "Caroline: Hey Mel!"."""
_ASKING: Final = ("?", "？", "؟", "\u037e")
"""The last is Greek."""


def adjust(
    snapshot: Snapshot, text: str, times: Sequence[NamedTime], ranking: Ranking, policy: AdjustmentPolicy
) -> Ranking:
    """Adjust the best of a ranking.

    Args:
        snapshot: what the ranking is of.
        text: the query's.
        times: what it names.
        ranking: of the fused scores.
        policy: how much.
    """
    best = {hit.key: hit for hit in ranking.ranked[: policy.adjusted]}
    outlines = snapshot.outlines(list(best), policy.short_bytes)
    turns = _Turns(plain_words(text), outlines, snapshot.neighbours(list(outlines)), policy)
    adjustments: dict[int, Adjustment] = {}
    for key, outline in outlines.items():
        score = best[key].score
        length = -score * min(1.0, _length_loss(outline, policy))
        turn = turns.bonus(key, best) - (score + length) * turns.loss(key)
        time = (1 - score - length - turn) * policy.time_bonus * _time_fit(outline, times, policy)
        adjustments[key] = Adjustment(length, turn, time)
    changed = [
        hit._replace(score=hit.score + adjustments[hit.key].total) if hit.key in adjustments else hit
        for hit in ranking.ranked
    ]
    ranked = sorted(changed, key=lambda hit: (-hit.score, -hit.key))
    return replace(ranking, ranked=ranked, adjustments=adjustments)


def _length_loss(outline: Outline, policy: AdjustmentPolicy) -> float:
    return policy.length_loss * max(0.0, math.log(max(1, outline.size) / policy.long_from))


def _time_fit(outline: Outline, times: Sequence[NamedTime], policy: AdjustmentPolicy) -> float:
    """Return how well a memory's time fits the nearest of those that are named, 0-1."""
    days = min((time.days_from(outline.created_at) for time in times), default=policy.days_near + 1)
    return max(0.0, 1 - days / (policy.days_near + 1))


class _Turns:
    """The candidates that lie in conversations."""

    def __init__(
        self,
        query: Sequence[str],
        outlines: Mapping[int, Outline],
        around: Mapping[int, Neighbours],
        policy: AdjustmentPolicy,
    ) -> None:
        self._query = f" {' '.join(query)} "
        self._contents = {key: outlines[key].content or "" for key in around}
        self._policy = policy
        self._asking = {key for key, content in self._contents.items() if self._only_asks(content)}
        self._asked_before = {after: key for key in self._asking for after in around[key].after[:1]}

    def loss(self, key: int) -> float:
        """Return the share of its score that a memory loses."""
        return self._policy.asks_loss if key in self._asking else 0.0

    def bonus(self, key: int, best: Mapping[int, Ranked]) -> float:
        """Return what a memory's score gains."""
        policy, question = self._policy, self._asked_before.get(key)
        answers = policy.answers_share * best[question].score if question is not None else 0.0
        speaks = policy.speaker_bonus if self._is_by_whom_the_query_names(key) else 0.0
        return (1 - best[key].score) * min(1.0, answers + speaks)

    def _only_asks(self, content: str) -> bool:
        return content.rstrip().endswith(_ASKING) and len(content.split()) <= self._policy.short_words

    def _is_by_whom_the_query_names(self, key: int) -> bool:
        speaker = _SPEAKER.match(self._contents.get(key, ""))
        return speaker is not None and f" {' '.join(plain_words(speaker[1]))} " in self._query
