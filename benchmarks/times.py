"""How often a phrase of time is understood as a person means it: `python -m benchmarks.times`.

The phrases and their intervals are in `time_phrases.jsonl`. A line is an object with the `phrase`, its `language`, the
moment `now` and the `zone` (a value of TZ) that it is said in, and either `start` (null is the beginning of time) and
`end`, or `refused`. The half follows from the digest of phrase, moment and zone, so that nobody chooses it: whoever
works on the grammar looks at the half `train`; of the half `held` only the figures are shown.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from benchmarks.kit import say
from memory_mcp.domain.errors import InvalidArgumentError
from memory_mcp.search.times import Interval, interval

Half = Literal["train", "held"]
Outcome = Literal["right", "refused", "wrong"]

FILE = Path(__file__).with_name("time_phrases.jsonl")
BEGINNING = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Labelled:
    """A phrase, where and when it is said, and the interval that a person means; None where it must be refused."""

    phrase: str
    language: str
    now: datetime
    zone: str
    half: Half
    meant: Interval | None


def half_of(phrase: str, now: str, zone: str) -> Half:
    """Return the half that a phrase belongs to."""
    return "held" if hashlib.sha256(f"{phrase}|{now}|{zone}".encode()).digest()[0] % 2 else "train"


def labelled() -> list[Labelled]:
    """Read the phrases.

    Raises:
        ValueError: a phrase stands in the other half.
    """
    return [_read(json.loads(line)) for line in FILE.read_text(encoding="utf-8").splitlines()]


def _read(row: dict[str, str]) -> Labelled:
    if row["half"] != half_of(row["phrase"], row["now"], row["zone"]):
        raise ValueError(f"{row['phrase']!r} is in the wrong half")
    start = datetime.fromisoformat(row["start"]) if row.get("start") else BEGINNING
    meant = None if row.get("refused") else (start, datetime.fromisoformat(row["end"]))
    half: Half = "held" if row["half"] == "held" else "train"
    return Labelled(row["phrase"], row["language"], datetime.fromisoformat(row["now"]), row["zone"], half, meant)


@contextmanager
def in_zone(zone: str) -> Iterator[None]:
    """Be in a zone, a value of TZ."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = zone
    time.tzset()
    try:
        yield
    finally:
        os.environ.pop("TZ")
        if before is not None:
            os.environ["TZ"] = before
        time.tzset()


def understood(row: Labelled) -> Interval | None:
    """Return what a phrase is understood as, None where it is refused."""
    with in_zone(row.zone):
        try:
            return interval(row.phrase, row.now)
        except InvalidArgumentError:
            return None


def outcome(row: Labelled) -> Outcome:
    """Return how a phrase was understood; refusing is not wrong, but right only where nothing is meant."""
    found = understood(row)
    if found == row.meant:
        return "right"
    return "refused" if found is None else "wrong"


def counts(rows: Iterable[Labelled]) -> Counter[Outcome]:
    """Count the outcomes."""
    return Counter(map(outcome, rows))


def main() -> None:
    """Print both halves' figures, and the phrases of the first that are not right."""
    rows = labelled()
    halves: tuple[Half, ...] = get_args(Half)
    for half in halves:
        found = counts(row for row in rows if row.half == half)
        share = found["right"] / found.total()
        say(f"{half}: {share:.3f} of {found.total()} phrases right, {found['refused']} refused, {found['wrong']} wrong")
    for row in rows:
        if row.half == "train" and (how := outcome(row)) != "right":
            say(f"{how}: {row.phrase} ({row.language}), {_shown(understood(row))}, meant is {_shown(row.meant)}")


def _shown(span: Interval | None) -> str:
    return "none" if span is None else f"{span[0]:%Y-%m-%dT%H:%MZ} to {span[1]:%Y-%m-%dT%H:%MZ}"


if __name__ == "__main__":
    main()
