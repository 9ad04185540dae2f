"""Counters since the process started; written by the event loop's thread alone."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field


@dataclass(slots=True)
class LaneCounters:
    """What one lane was asked for."""

    requests: int = 0
    texts: int = 0
    batches: int = 0


@dataclass(slots=True)
class Stats:
    """What the daemon did; `Stats` of the wire shows these."""

    started_at: float
    lanes: defaultdict[str, LaneCounters] = field(default_factory=lambda: defaultdict(LaneCounters))
    batches: int = 0
    rows: int = 0
    tokens: int = 0
    padded_tokens: int = 0
    item_errors: int = 0
    refused: int = 0
    expired: int = 0
    shed: int = 0
    bisected: int = 0
    out_of_memory: int = 0
    cache_hits: int = 0
    cache_misses: int = 0
    deduplicated: int = 0
    quarantined: int = 0
    compute_s: float = 0.0

    def count_request(self, lane: str, texts: int) -> None:
        """Count one call and its texts."""
        counters = self.lanes[lane]
        counters.requests += 1
        counters.texts += texts

    @property
    def padding_waste(self) -> float:
        """Part of the tokens that went through the model and was padding."""
        return 1 - self.tokens / self.padded_tokens if self.padded_tokens else 0.0

    def count_batch(self, lane: str, lengths: list[int], seconds: float) -> None:
        """Count one forward pass over rows of these token lengths, and how long it took."""
        self.batches += 1
        self.lanes[lane].batches += 1
        self.rows += len(lengths)
        self.tokens += sum(lengths)
        self.padded_tokens += max(lengths) * len(lengths)
        self.compute_s += seconds
