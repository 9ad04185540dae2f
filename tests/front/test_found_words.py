"""Where a query's words stand in a text, as the page marks them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_mcp.search.excerpts import WordFinder


@pytest.mark.parametrize(
    ("text", "query", "words"),
    [
        ("The key lies under the mat", "where is the key", ["key"]),
        ("Ein Café in Düsseldorf", "cafe duesseldorf", ["Café", "Düsseldorf"]),
        ("He walked and walks", "walking walk", ["walked", "walks"]),
        ("What was that", "what was it", ["What was"]),
        ("Ticket PROJ-1234 is open", "proj1234", ["PROJ-1234"]),
        ("我喜欢喝茶", "喜欢", ["喜欢"]),
        ("nothing here", "umbrella", []),
        ("", "key", []),
    ],
)
def test_words_are_found_as_keyword_search_finds_them(text: str, query: str, words: list[str]) -> None:
    """In every spelling and ending that it accepts."""
    assert [text[start:end] for start, end in WordFinder(query).spans(text)] == words


@given(text=st.text(max_size=60), query=st.text(min_size=1, max_size=20))
def test_spans_are_in_order_and_inside(text: str, query: str) -> None:
    """They never overlap, so that a page can wrap each in a mark."""
    spans = WordFinder(query).spans(text)
    ends = [0, *(edge for span in spans for edge in span), len(text)]
    assert ends == sorted(ends)
    assert all(start < end for start, end in spans)
