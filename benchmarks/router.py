"""How often the router sees what a person wants: `python -m benchmarks.router`.

The queries and their labels are those of benchmarks/labels.py. Whoever works on the router looks at the half `train`;
of the other half only the figures are shown.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import get_args

from benchmarks.kit import DATA, say
from benchmarks.labels import INTENTS, Half, Labelled, labelled
from benchmarks.tables import head, line
from memory_mcp.domain.names import folded
from memory_mcp.search.intent import Intent, possible_tags, route
from memory_mcp.search.policy import DEFAULT_POLICY

ROUTE = DEFAULT_POLICY.route


def seen(row: Labelled) -> Intent:
    """Return what the router sees in a query, in a store that has its tags."""
    held = set(map(folded, row.tags))
    known = frozenset(word for word in possible_tags(row.query, ROUTE) if folded(word) in held)
    return route(row.query, known, ROUTE).intent


def confusion(rows: Iterable[Labelled]) -> Counter[tuple[Intent, Intent]]:
    """Count (what is wanted, what is seen)."""
    return Counter((row.intent, seen(row)) for row in rows)


def accuracy(counts: Counter[tuple[Intent, Intent]], intents: Sequence[Intent] = INTENTS) -> float:
    """Return the share of the queries of these intents that was seen right, 0-1."""
    of_these = {pair: count for pair, count in counts.items() if pair[0] in intents}
    right = sum(count for (wanted, found), count in of_these.items() if wanted == found)
    return right / max(1, sum(of_these.values()))


def table(counts: Counter[tuple[Intent, Intent]]) -> str:
    """Return the confusion matrix in Markdown: a row for what is wanted, a column for what is seen."""
    rows = [
        line([wanted, *(str(counts[wanted, found]) for found in INTENTS), f"{accuracy(counts, [wanted]):.3f}"])
        for wanted in INTENTS
    ]
    return "\n".join([head(["wanted", *INTENTS, "right"]), *rows])


def main(arguments: Sequence[str]) -> None:
    """Print both halves' figures, and the queries of the first that are seen wrongly."""
    rows = labelled(Path(arguments[0]) if arguments else DATA)
    halves: tuple[Half, ...] = get_args(Half)
    for half in halves:
        members = [row for row in rows if row.half == half]
        counts = confusion(members)
        say(f"{half}: {accuracy(counts):.3f} of {len(members)} queries\n\n{table(counts)}\n")
    for row in rows:
        if row.half == "train" and seen(row) != row.intent:
            say(f"{row.intent}, seen as {seen(row)}: {row.query}")


if __name__ == "__main__":
    main(sys.argv[1:])
