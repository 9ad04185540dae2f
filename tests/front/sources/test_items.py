"""Other systems' values as items."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_mcp.sources.items import score_of, text_of, time_of

NUMBERS = st.integers() | st.floats() | st.decimals() | st.sampled_from([10**400, -(10**400), float("1e999")])


@given(NUMBERS)
def test_a_score_is_a_number_of_json(value: object) -> None:
    """Or none at all."""
    json.dumps(score_of(value), allow_nan=False)
    time_of(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (date(2026, 5, 1), "2026-05-01"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Decimal("1.50"), "1.50"),
        ({"a": [True, "é"]}, '{"a": [true, "é"]}'),
        (True, "true"),
    ],
)
def test_a_value_becomes_text(value: object, text: str) -> None:
    """As its database writes it; an object as JSON."""
    assert text_of(value) == text


def test_a_day_is_a_time() -> None:
    """Its midnight, in UTC."""
    assert time_of(date(2026, 5, 1)) == datetime(2026, 5, 1, tzinfo=UTC)
