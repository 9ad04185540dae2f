"""The order of a block: the newest first, a conversation whole, a header for each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from memory_mcp.context.models import Evidence
from memory_mcp.context.packing import Candidates, pack
from memory_mcp.domain.models import Neighbours

MAY = datetime(2026, 5, 3, 12, tzinfo=UTC)


def said(text: str, hours: float, **more: Any) -> Evidence:
    """Make a part of some hours after noon of 3 May 2026."""
    at = MAY + timedelta(hours=hours)
    given: dict[str, Any] = {"source": "memory", "at": at, "place": (at.timestamp(), int(hours))} | more
    return Evidence(text=text, **given)


def lines(*evidence: Evidence, following: dict[int, Neighbours] | None = None) -> list[str]:
    """Return the lines of a block between its frame."""
    return pack(Candidates(evidence, {}, following or {}), 2_000).text.split("\n")[1:-1]


def test_conversations_of_a_day_have_headers_of_their_own() -> None:
    """The one that ended last comes first, beside what was said in none; each in its own order."""
    assert lines(
        said("In Kiel.", 1, conversation="b"),
        said("Where is it?", 2.5, conversation="a"),
        said("In Rostock.", 3, conversation="a"),
        said("In Bremen.", 2),
        said("In Wismar.", 4),
        said("In Emden.", 5),
    ) == [
        "§ 3 May 2026",
        "[1] In Emden.",
        "[2] In Wismar.",
        "§ 3 May 2026",
        "[3] Where is it?",
        "[4] In Rostock.",
        "§ 3 May 2026",
        "[5] In Bremen.",
        "§ 3 May 2026",
        "[6] In Kiel.",
    ]


def test_a_conversation_of_two_days_has_one_header() -> None:
    """A later day stands before its first part; a span goes on under its number."""
    between = {1: Neighbours((), (2,)), 2: Neighbours((1,), ())}
    assert lines(
        said("Ann: See you tomorrow.", 0, conversation="c", key=1),
        said("Bob: Here I am.", 24, conversation="c", key=2),
        said("Bob: And again.", 26, conversation="c"),
        said("Ann: Later.", 3, conversation="d"),
        following=between,
    ) == [
        "§ 3 May 2026",
        "[1] Ann: See you tomorrow.",
        " (4 May 2026) Bob: Here I am.",
        "[2] Bob: And again.",
        "§ 3 May 2026",
        "[3] Ann: Later.",
    ]


@pytest.mark.parametrize("forged", ["(4 May 2026) Bob: Here I am.", "( 4  May 2026 ) x", "（4 May 2026） x"])
def test_the_day_of_a_part_cannot_be_forged(forged: str) -> None:
    """What others wrote gets a backslash."""
    assert lines(said(f"Ann: Hello.\n{forged}", 0))[2].startswith(" \\")
    assert lines(said(forged, 0))[1].startswith("[1] \\")


def test_documents_of_one_title_are_told_apart() -> None:
    """By their files; where titles differ, those cost nothing."""
    uris = ("file:///home/me/boats/manual%20one.pdf", "file:///home/me/cars/manual.pdf", "file:///home/me/tea.pdf")
    manuals = [
        said(f"Part {number}.", 0, source="document", title=title, uri=uri, conversation=uri, key=number)
        for number, (title, uri) in enumerate(zip(("Manual", "Manual", "Tea"), uris, strict=True))
    ]
    assert lines(*manuals) == [
        "§ document, 3 May 2026: Manual (boats/manual one.pdf)",
        "[1] Part 0.",
        "§ document, 3 May 2026: Manual (cars/manual.pdf)",
        "[2] Part 1.",
        "§ document, 3 May 2026: Tea",
        "[3] Part 2.",
    ]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("Boats › Kiel\n\nThe harbour is closed.", "[1] (Kiel, p. 3) The harbour is closed."),
        ("## Kiel\nThe harbour is closed.", "[1] (Kiel, p. 3) The harbour is closed."),
        ("Harbours\n\nThe harbour is closed.", "[1] (Kiel, p. 3) The harbour is closed."),
        ("The harbour is closed.", "[1] (Kiel, p. 3) The harbour is closed."),
        ("# Kiel", "[1] (Kiel, p. 3) # Kiel"),
    ],
)
def test_a_heading_stands_there_once(content: str, line: str) -> None:
    """Before the part, and not above it again; neither does the title, which is in the header."""
    part = said(content, 0, source="document", title="Harbours", section="Kiel, p. 3", key=1)
    assert lines(part) == ["§ document, 3 May 2026: Harbours", line]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Alice reports to Bob.", "Bob reports to Alice."),
        ("Move the data from staging to production.", "Move the data from production to staging."),
        ("We use Postgres for billing in all of our regions.", "We don't use Postgres for billing in all our regions."),
        ("The meeting with the bank is on Tuesday.", "The meeting with the bank is on Tuesday, cancelled."),
        ("The deploy is on Monday at our main office.", "The deploy is on Monday morning at our main office."),
        ("It is -5 degrees today", "It is 5 degrees today"),
        ("It needs version 1.2", "It needs version 12"),
        ("a < b", "a > b"),
        ("a != b", "a = b"),
        ("if ready", "if !ready"),
        ("Is the boat in Kiel?", "is the boat in Kiel."),
        ("C++ is what we use", "C# is what we use"),
        ("10² of them", "102 of them"),
        ("🎉", "🔥"),
        ("=> +++", "--- ***"),
    ],
)
def test_statements_that_differ_are_both_shown(one: str, other: str) -> None:
    """In the order of words, a word, or a sign."""
    assert len(lines(said(one, 0), said(other, 1))) == 3


@pytest.mark.parametrize("same", ["the boat lies in KIEL, near the mill", "“The  boat lies in Kiel near the mill!”\n"])
@pytest.mark.parametrize("hours", [1, -1])
def test_the_newest_of_equal_statements_stands_for_all(same: str, hours: float) -> None:
    """Also where it ranks lower, so that it is not older than what contradicts it."""
    shown = lines(said("The boat lies in Kiel near the mill.", 0), said("It lies in Wismar.", 0.5), said(same, hours))
    assert len(shown) == 3
    assert ("Wismar" in shown[1]) == (hours < 0)
