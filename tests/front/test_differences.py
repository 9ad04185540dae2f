"""What changed between two revisions, word by word."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_mcp.memories.differences import differences

texts = st.text(alphabet="ab \n\u4e2d", max_size=40)


@given(old=texts, new=texts)
def test_nothing_is_lost(old: str, new: str) -> None:
    """Without what was added it is the old text, without what was removed the new one; no piece is empty."""
    pieces = differences(old, new)
    assert "".join(piece.text for piece in pieces if piece.kind != "added") == old
    assert "".join(piece.text for piece in pieces if piece.kind != "removed") == new
    assert all(piece.text for piece in pieces)
    assert all(one.kind != other.kind for one, other in pairwise(pieces))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("", "", []),
        ("tea at five", "tea at five", [("same", "tea at five")]),
        ("", "tea", [("added", "tea")]),
        (
            "The key lies under the mat.\nBye.\n",
            "The key hangs under the mat.\nBye.\n",
            [("same", "The key "), ("removed", "lies "), ("added", "hangs "), ("same", "under the mat.\nBye.\n")],
        ),
        ("我喜欢茶", "我喜欢咖啡", [("same", "我喜欢"), ("removed", "茶"), ("added", "咖啡")]),
    ],
)
def test_words_are_compared(old: str, new: str, expected: list[tuple[str, str]]) -> None:
    """Words that are alike stay in one piece, also in scripts without spaces."""
    assert differences(old, new) == expected


def test_a_megabyte_that_differs_everywhere_is_shown_as_replaced() -> None:
    """Comparing it by words would take minutes; its beginning and end still count as alike."""
    old = "first " + " ".join(f"a{n}" for n in range(100_000)) + " last"
    new = "first " + " ".join(f"b{n}" for n in range(100_000)) + " last"
    assert [piece.kind for piece in differences(old, new)] == ["same", "removed", "added", "same"]
