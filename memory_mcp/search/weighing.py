"""How much the vectors count for one query: more, the more sharply the best chunk stands out."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

from memory_mcp.domain.models import BackgroundScores
from memory_mcp.search.policy import BackgroundPolicy, FusionPolicy

if TYPE_CHECKING:
    from statistics import NormalDist


@cache
def _normal() -> NormalDist:
    from statistics import NormalDist  # noqa: PLC0415 - what the first answer to a client does not need

    return NormalDist()


def prominence(best: float, sample: BackgroundScores, chunks: int, policy: BackgroundPolicy) -> float | None:
    """Return by how many standard deviations a cosine is above what the best of so many chunks has by chance.

    That is the expected largest of n normal values by Blom's formula (Statistical Estimates and Transformed Beta
    Variables, 1958). None where the chunks are too few or all alike.
    """
    if min(chunks, len(sample.cosines)) < policy.fewest:
        return None
    mean = math.fsum(sample.cosines) / len(sample.cosines)
    variance = math.fsum((cosine - mean) ** 2 for cosine in sample.cosines) / len(sample.cosines)
    if variance < 1e-9:
        return None
    by_chance = _normal().inv_cdf((chunks - 0.375) / (chunks + 0.25))
    return (best - mean) / math.sqrt(variance) - by_chance


def fusion_weight(prominence: float | None, policy: FusionPolicy) -> float:
    """Return the share of the semantic score in the whole, 0-1."""
    if prominence is None:
        return policy.default
    return policy.min + policy.span / (1 + math.exp(-policy.steepness * (prominence - policy.midpoint)))
