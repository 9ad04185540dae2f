"""Adjusts fused scores by what words and vectors do not show: time, length, and a turn's part in its conversation."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from memory_mcp.domain.models import Neighbours, Outline
from memory_mcp.domain.ports import Snapshot
from memory_mcp.domain.spelling import plain_words
from memory_mcp.search.models import Adjustment, Ranking
from memory_mcp.search.named_times import NamedTime
from memory_mcp.search.policy import AdjustmentPolicy

_SPEAKER: Final = re.compile(r"([^\W\d_][\w .'-]{0,39}): ")
"""Who speaks, at the beginning of a turn: "Caroline: Hey Mel!"."""
_ASKING: Final = ("?", "？", "؟", "\u037e")
"""The last is Greek."""


def adjust(
    snapshot: Snapshot, text: str, times: Sequence[NamedTime], ranking: Ranking, policy: AdjustmentPolicy
) -> Ranking:
    """Return the ranking with the scores of its best hits adjusted.

    Args:
        snapshot: the one that the ranking comes from.
        text: the query.
        times: the times that the query names.
        ranking: by fused scores.
        policy: how many hits are adjusted, and by how much.
    """
    best = dict(islice(ranking.scores.items(), policy.adjusted))
    outlines = snapshot.outlines(list(best), policy.short_bytes)
    turns = _Turns(plain_words(text), outlines, snapshot.neighbours(list(outlines)), policy)
    adjustments: dict[int, Adjustment] = {}
    for key, outline in outlines.items():
        score = best[key]
        length = -score * _length_loss(outline, policy)
        turn = turns.bonus(key, best) - (score + length) * turns.loss(key)
        time = (1 - score - length - turn) * policy.time_bonus * _time_fit(outline, times, policy) if times else 0.0
        if length or turn or time:
            adjustments[key] = Adjustment(length, turn, time)
    if not adjustments:
        return ranking
    scores = {**ranking.scores, **{key: best[key] + adjustment.total for key, adjustment in adjustments.items()}}
    ordered = sorted(scores, key=scores.__getitem__, reverse=True)  # equal scores stay in their order
    return replace(ranking, scores={key: scores[key] for key in ordered}, adjustments=adjustments)


def _length_loss(outline: Outline, policy: AdjustmentPolicy) -> float:
    """Return the share of its score that a memory loses for its length, 0-1."""
    if outline.size <= policy.long_from:
        return 0.0
    return min(1.0, policy.length_loss * math.log(outline.size / policy.long_from))


def _time_fit(outline: Outline, times: Sequence[NamedTime], policy: AdjustmentPolicy) -> float:
    """Return how well a memory's time fits the nearest named time, 0-1."""
    days = min(time.days_from(outline.created_at) for time in times)
    return max(0.0, 1 - days / (policy.days_near + 1))


class _Turns:
    """The candidates that are turns of a conversation."""

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

    def bonus(self, key: int, best: Mapping[int, float]) -> float:
        """Return what a memory's score gains; `best` has the scores."""
        policy, question = self._policy, self._asked_before.get(key)
        answers = policy.answers_share * best[question] if question is not None else 0.0
        speaks = policy.speaker_bonus if self._is_by_named_speaker(key) else 0.0
        return (1 - best[key]) * min(1.0, answers + speaks)

    def _only_asks(self, content: str) -> bool:
        return content.rstrip().endswith(_ASKING) and len(content.split()) <= self._policy.short_words

    def _is_by_named_speaker(self, key: int) -> bool:
        speaker = _SPEAKER.match(self._contents.get(key, ""))
        return speaker is not None and f" {' '.join(plain_words(speaker[1]))} " in self._query
