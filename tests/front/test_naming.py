"""Names that a text has, and such as only look alike."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from memory_mcp.search import naming
from memory_mcp.search.policy import DEFAULT_POLICY


def spells(text: str, *alternatives: Sequence[str]) -> bool:
    """Say whether a text has the names of any of these."""
    return naming.spells(text, alternatives, DEFAULT_POLICY.fit)


HASH = "3f2c9ab41d0e8f7766554433221100ffeeddccba"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("see PROJ-1234.", "PROJ1234"),
        ("see PROJ 1234", "proj-1234"),
        ("call getUserName()", "get_user_name"),
        ("get the user name: get-user-name", "getUserName"),
        ("release v1.2.3 is out", "v1.2.3"),
        ("release 1.2.3 is out", "v1.2.3"),
        ("release v1.2.3 is out", "1.2.3"),
        (f"fixed in {HASH}", HASH[:7]),
        (f"fixed in {HASH[:9]}", HASH),
        ("fixed in 1234567abc890abc", "1234567"),
        ("ring (555) 123-4567", "5551234567"),
        ("ring 5551234567", "555-123-4567"),
        ("error[E0277]: trait bound", "E0277"),
        ("set MAX_RETRIES=5", "MAX_RETRIES"),
        ("db-prod-01 is full", "db-prod-01"),
        ("在PROJ-1234中", "PROJ-1234"),
        ("Straße_12", "strasse-12"),
        ("ask müller_2", "mueller_2"),
        ("C++17 compiles", "C++17"),
        ("open src/app/main.py", "main.py"),
        ("use numpy.linalg.norm", "numpy.linalg"),
        ("mail ann@example.com", "ann@example.com"),
        ("to DE89370400440532013000", "DE89 3704 0044 0532 0130 00"),
        ("ISBN 978-3-16-148410-0", "9783161484100"),
    ],
)
def test_a_name_is_had_in_any_spelling(text: str, name: str) -> None:
    """Case, signs and blanks between its words do not count, hashes may be shortened."""
    assert spells(text, [name])


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("see PROJ-1234", "PROJ-1235"),
        ("see PROJ-1234", "PROJ-123"),
        ("see PROJ-1234", "ROJ-1234"),
        ("release v1.2.3", "v1.2.4"),
        ("release 12.3", "1.2.3"),
        ("release 1.23", "12.3"),
        ("call getUserName", "setUserName"),
        ("call getUserName", "getUserEmail"),
        (f"fixed in {HASH}", "9c1d2e3f"),
        (f"fixed in {HASH[:6]}", HASH),
        ("db-prod-01", "db-prod-02"),
        ("MAX_RETRIES", "MAX_TIMEOUT"),
        ("ring 555-123-4567", "555-123-4568"),
        ("ring 5551234567", "5551234"),
        ("ring 5551234", "5551234567"),
        ("host 192.168.110.1", "192.168.1.101"),
        ("", "PROJ-1"),
        ("anything", "::"),
    ],
)
def test_another_name_is_not_had(text: str, name: str) -> None:
    """That its words stand there is not enough."""
    assert not spells(text, [name])


def test_half_of_several_names_are_enough() -> None:
    """A query may say more of a thing than its memory does."""
    assert spells("numpy 2.1.0 is out", ["2.1.0", "TypeError"])
    assert not spells("numpy 2.1.0 is out", ["2.1.1", "TypeError", "PROJ-1"])
    assert not spells("numpy", [])


def test_a_long_text_and_a_long_name_are_soon_compared() -> None:
    """Neither costs more than reading it."""
    assert not spells("a1 " * 100_000, ["a1" * 5_000])
    assert not spells("1 " * 100_000 + "a", ["1 " * 100 + "b"])
