"""How much the vectors count for one query: more, the more sharply the best passage stands out."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Final

from memory_mcp.domain.models import BackgroundScores

if TYPE_CHECKING:
    from statistics import NormalDist

SAMPLE: Final = 128
"""Passages that the best one is compared with; 256 told nothing more."""
FEWEST: Final = 8
"""With fewer passages nothing can be said to stand out."""

USUAL: Final = 0.6
"""The weight where nothing is known: the best of the fixed ones on conversations, abstracts and code."""
LEAST: Final = 0.45
RANGE: Final = 0.35
STEEPNESS: Final = 2.0
MIDDLE: Final = 1.2
"""The prominence at which the weight is halfway."""

EVEN: Final = 0.5
"""Of the mode `hybrid`."""
IDENTIFIER: Final = 0.2
"""A name is meant as it is spelled."""


@cache
def _normal() -> NormalDist:
    from statistics import NormalDist  # noqa: PLC0415 - what the first answer to a client does not need

    return NormalDist()


def prominence(best: float, sample: BackgroundScores, passages: int) -> float | None:
    """Return by how many standard deviations a cosine is above what the best of so many passages has by chance.

    That is the expected largest of n normal values by Blom's formula (Statistical Estimates and Transformed Beta
    Variables, 1958). None where the passages are too few or all alike.
    """
    if passages < FEWEST or len(sample.cosines) < FEWEST:
        return None
    mean = math.fsum(sample.cosines) / len(sample.cosines)
    variance = math.fsum((cosine - mean) ** 2 for cosine in sample.cosines) / len(sample.cosines)
    if variance < 1e-9:
        return None
    by_chance = _normal().inv_cdf((passages - 0.375) / (passages + 0.25))
    return (best - mean) / math.sqrt(variance) - by_chance


def weight_of(prominent: float | None) -> float:
    """Return the share of the vectors in a score, 0-1."""
    if prominent is None:
        return USUAL
    return LEAST + RANGE / (1 + math.exp(-STEEPNESS * (prominent - MIDDLE)))
