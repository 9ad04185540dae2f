"""What is understood of the labelled phrases of time."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks.times import Half, counts, half_of, labelled


@pytest.mark.parametrize("half", ["train", "held"])
def test_phrases_are_understood_as_they_are_meant(half: Half) -> None:
    """98 % are right, and none is silently wrong."""
    found = counts(row for row in labelled() if row.half == half)
    assert found["wrong"] == 0
    assert found["right"] >= 0.98 * found.total()


def test_the_phrases_are_many_and_varied() -> None:
    """At least 300 phrases in eight languages and many zones, with both changes of the clocks and 60 refusals."""
    rows = labelled()
    languages = Counter(row.language for row in rows)
    assert len(rows) >= 300
    assert set(languages) == {"en", "de", "fr", "es", "it", "pt", "zh", "ja"}
    assert min(languages.values()) >= 25
    assert sum(row.meant is None for row in rows) >= 60
    assert len({row.zone for row in rows}) >= 10
    days = {row.now.date().isoformat() for row in rows}
    assert {"2026-03-29", "2026-10-25", "2024-03-10", "2024-11-03"} <= days


def test_nobody_chose_the_half() -> None:
    """A phrase's half follows from the digest of what is asked, and each stands there once."""
    asked = [(row.phrase, row.now.isoformat(timespec="minutes"), row.zone) for row in labelled()]
    assert max(Counter(asked).values()) == 1
    halves = [row.half for row in labelled()]
    assert halves == [half_of(*each) for each in asked]
    assert min(Counter(halves).values()) >= 150
