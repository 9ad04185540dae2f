"""Every number that decides what stands in a block of context."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ContextPolicy:
    """How evidence is asked for and packed."""

    tokens_per_hit: int = 30
    """A search is asked for one result for so many tokens of the budget."""
    fewest_hits: int = 10
    most_hits: int = 200
    passage_chars: int = 400
    """Characters of the passage that stands for a longer memory, at least."""
    passage_share: float = 0.03
    """The share of the budget that one passage may take, where that is more."""
    most_passage_chars: int = 1_500
    neighbours_from: int = 800
    """The tokens from which on the first hits bring their neighbours: below, they cost other evidence."""
    hits_with_neighbours: int = 3
    source_stride: int = 3
    """How many memories come before each further item of a source, whose scores say nothing beside ours."""
    packing_ms: int = 40
    """Of the time, kept for packing at least."""
    packing_ms_per_token: float = 0.0025
    """Likewise, for a large block: what is written takes its time."""
    packing_share: float = 0.5
    """The most of the time that is kept."""
    pinned: int = 50
    """Memories of one kind that a block without a query considers; likewise the next."""
    per_kind: int = 50
    last_session: int = 50

    def packing_s(self, max_tokens: int, budget_ms: int) -> float:
        """Return the seconds of a request's time that are kept for packing."""
        ms = max(self.packing_ms, self.packing_ms_per_token * max_tokens)
        return min(ms, self.packing_share * budget_ms) / 1000


DEFAULT_CONTEXT: ContextPolicy = ContextPolicy()
