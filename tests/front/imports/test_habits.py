"""What is made of metadata that anybody may have written in any way."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_mcp.imports.model import Source
from memory_mcp.imports.peers.habits import CONVERSATION, CREATED, TAG_KEY, TAGS, TYPES, UPDATED, understood

SOURCE = Source(Path("/nowhere"))
KEYS = (TAGS, *TYPES, *CREATED, UPDATED, CONVERSATION, f"{TAG_KEY}rail")
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.lists(st.one_of(st.text(), st.integers())),
    st.datetimes().map(datetime.isoformat),
    st.sampled_from(["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", '["a"', "2024-02-30", "20240501"]),
)


@given(st.dictionaries(st.one_of(st.sampled_from(KEYS), st.text()), VALUES))
def test_nothing_is_lost(metadata: dict[str, object]) -> None:
    """Whatever stands there: what is not understood stays as it was, and what is taken away has become something."""
    found = understood(metadata, SOURCE, "id")
    assert found.rest.items() <= metadata.items() if _hashable(metadata) else found.rest.keys() <= metadata.keys()
    taken = metadata.keys() - found.rest.keys()
    became = {
        TAGS: True,
        **{key: bool(found.type) for key in TYPES},
        **dict.fromkeys(CREATED, found.created_at is not None),
        UPDATED: found.updated_at is not None,
        CONVERSATION: bool(found.conversation_id),
    }
    assert all(key.removeprefix(TAG_KEY) in found.tags if key.startswith(TAG_KEY) else became[key] for key in taken)
    assert all(moment.tzinfo is UTC for moment in (found.created_at, found.updated_at) if moment)


def _hashable(metadata: dict[str, object]) -> bool:
    return not any(isinstance(value, list) for value in metadata.values())


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (1_709_251_199, "2024-02-29T23:59:59+00:00"),
        (1_709_251_199_500, "2024-02-29T23:59:59.500000+00:00"),
        (1770112800000.0, "2026-02-03T10:00:00+00:00"),
        ("2024-10-30T12:00:00-06:00", "2024-10-30T18:00:00+00:00"),
        ("2024-10-30 12:00:00Z", "2024-10-30T12:00:00+00:00"),
        ("2024-08-01", "2024-08-01T00:00:00+00:00"),
        (2024, None),
        (True, None),
        (float("nan"), None),
        (1e300, None),
        ("20240501", None),
        ("next week", None),
    ],
)
def test_times(written: object, read: str | None) -> None:
    """In seconds, in milliseconds, or as ISO 8601; a small number is none, nor is a word."""
    found = understood({"timestamp": written}, SOURCE, "id")
    assert (found.created_at.isoformat() if found.created_at else None) == read
    assert ("timestamp" in found.rest) == (read is None)
