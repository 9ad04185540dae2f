"""What every store says of its vectors alike."""

from __future__ import annotations

import random

from memory_mcp.domain.errors import ConflictError, SpaceMismatchError
from memory_mcp.domain.models import Space


def clipped(score: float) -> float:
    """Return a cosine as a score, 0-1."""
    return max(0.0, min(1.0, score))


def sampled(total: int, count: int) -> list[int]:
    """Return `count` places among `total` vectors, ascending and evenly spread; the same again for an equal total."""
    return sorted(random.Random(total).sample(range(total), min(count, total)))  # noqa: S311 - no secret


def check_space(stored: Space, asked: Space) -> None:
    """Check that vectors of a space may be compared with the store's.

    Raises:
        SpaceMismatchError: they are of another one.
    """
    if stored != asked:
        raise SpaceMismatchError(
            f"the store's vectors are of the space {stored.id} with {stored.dimensions} dimensions, "
            f"the query's is {asked.id} with {asked.dimensions}"
        )


def in_use(space: Space) -> ConflictError:
    """Return the error for dropping the active space."""
    return ConflictError(f"the space {space.id} is in use; re-embed into another one before dropping it")
