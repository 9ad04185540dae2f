"""Labels of memories by their tags, for charts."""

from __future__ import annotations

from collections.abc import Iterable

Labels = list[tuple[int, str]]
"""Keys of memories with their labels, by key."""


def best_tags(used: Iterable[tuple[str, str]], keys: Iterable[int], tagged: Iterable[tuple[int, str]]) -> Labels:
    """Return each memory's most used tag; Python ranks them, as a database would sort the tags of each memory.

    Args:
        used: each tag as it is spelled and as it is compared, the most used first.
        keys: of all memories, in order.
        tagged: each memory's tags as they are compared.
    """
    ranks = {folded: (rank, tag) for rank, (tag, folded) in enumerate(used)}
    best = {key: (len(ranks), "") for key in keys}
    for key, folded in tagged:
        best[key] = min(best[key], ranks[folded])
    return [(key, label) for key, (_, label) in best.items()]
