"""How a query is put to the model."""

from __future__ import annotations

import math
import struct

import pytest

from memory_mcp.domain.models import DocumentFrequencies
from memory_mcp.search.policy import DEFAULT_POLICY
from memory_mcp.search.query_vector import between, phrasings

PHRASING = DEFAULT_POLICY.phrasing
FEWEST = PHRASING.fewest_memories


def row(*values: float) -> bytes:
    """Return a vector as the embedder gives it."""
    return struct.pack(f"<{len(values)}f", *values)


def test_a_name_that_half_of_the_memories_hold_is_left_out_of_a_second_phrasing() -> None:
    """What is left is put beside the query: without the name, its genitive, and in no case the inside of a word."""
    frequencies = DocumentFrequencies(10, {"Ann": 5, "Annex": 4, "books": 4})
    assert phrasings("Which books are in Ann's Annex, Ann?", frequencies, PHRASING) == [
        "Which books are in Ann's Annex, Ann?",
        "Which books are in Annex, ?",
    ]


def test_a_word_with_vowel_signs_is_left_out_as_a_whole() -> None:
    """Neither is a word cut at its vowel signs, nor is it taken out of a longer one."""
    frequencies = DocumentFrequencies(10, {"कि": 9, "किताब": 2, "José": 8})
    assert phrasings("किताब कि José's कहाँ", frequencies, PHRASING)[1] == "किताब कहाँ"


@pytest.mark.parametrize(
    "frequencies",
    [
        DocumentFrequencies(10, {"Ann": 4, "books": 1}),
        DocumentFrequencies(10, {"Ann": 10, "books": 9}),
        DocumentFrequencies(FEWEST - 1, {"Ann": FEWEST - 1, "books": 0}),
        DocumentFrequencies(10, {}),
    ],
    ids=["nothing is common", "all is common", "few memories", "function words"],
)
def test_a_query_is_put_once_where_nothing_tells_its_words_apart(frequencies: DocumentFrequencies) -> None:
    """There is no second phrasing without common words, without others, or among a handful of memories."""
    assert phrasings("Ann and books", frequencies, PHRASING) == ["Ann and books"]


def test_the_vector_between_two_is_as_near_to_both() -> None:
    """It has length 1, and a single vector stays itself."""
    middle = struct.unpack("<2f", between([row(1, 0), row(0, 1)]))
    assert middle == pytest.approx((math.sqrt(0.5), math.sqrt(0.5)))
    assert between([row(0.6, 0.8)]) == row(0.6, 0.8)
    assert between([row(1, 0), row(-1, 0)]) == row(1, 0)
