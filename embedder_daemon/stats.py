"""Counters since the process started; written by the event loop's thread alone."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field


@dataclass(slots=True)
class LaneCounters:
    """Counters of one lane."""

    requests: int = 0
    texts: int = 0
    batches: int = 0


@dataclass(slots=True)
class Stats:
    """Counters of the daemon, which `Stats` returns."""

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
        """Share of padding among all tokens that went through the model, 0-1."""
        return 1 - self.tokens / self.padded_tokens if self.padded_tokens else 0.0

    def count_batch(self, lane: str, lengths: list[int], seconds: float) -> None:
        """Count one forward pass over rows of these token lengths, and its duration."""
        self.batches += 1
        self.lanes[lane].batches += 1
        self.rows += len(lengths)
        self.tokens += sum(lengths)
        self.padded_tokens += max(lengths) * len(lengths)
        self.compute_s += seconds
