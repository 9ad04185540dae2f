"""How much the vectors count."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_mcp.domain.models import BackgroundScores, KeywordMatches
from memory_mcp.search.fusion import (
    floor_of,
    foreignness,
    fuse,
    fusion_weight,
    prominence,
    stretched,
    weight_of,
)
from memory_mcp.search.lexical.query import share_known
from memory_mcp.search.models import DenseScores, KeywordScores
from memory_mcp.search.policy import DEFAULT_POLICY

BACKGROUND, FUSION = DEFAULT_POLICY.background, DEFAULT_POLICY.fusion

SPREAD = tuple((place % 11 - 5) / 50 for place in range(110))


def test_the_vectors_count_more_the_further_the_best_stands_out() -> None:
    """One passage far above all others is a sharp hit, one that chance explains is none."""
    sample = BackgroundScores(1_000, SPREAD)
    prominences = [prominence(best, sample, 1_000, BACKGROUND) for best in (0.1, 0.2, 0.3, 0.4, 0.9)]
    weights = [fusion_weight(prominent, 0, FUSION) for prominent in prominences]
    assert weights == sorted(weights)
    assert weights[0] == pytest.approx(FUSION.min, abs=0.01)
    assert weights[-1] == pytest.approx(FUSION.min + FUSION.span, abs=0.01)


def test_the_best_of_many_must_be_better() -> None:
    """Among more passages the best is high by chance: the same cosine stands out less."""
    few, many = (prominence(0.25, BackgroundScores(n, SPREAD), n, BACKGROUND) for n in (10, 100_000))
    assert few is not None
    assert many is not None
    assert few - many == pytest.approx(4.40 - 1.55, abs=0.05)  # the expected largest of normal values


@pytest.mark.parametrize(
    "sample", [BackgroundScores(7, SPREAD[:7]), BackgroundScores(0, ()), BackgroundScores(50, (0.3,) * 50)]
)
def test_where_nothing_can_stand_out_the_usual_weight_holds(sample: BackgroundScores) -> None:
    """Few passages, none, or equal ones say nothing of how sharp a hit is."""
    assert fusion_weight(prominence(0.9, sample, sample.chunks, BACKGROUND), 1, FUSION) == FUSION.default


@given(st.floats(0, 1), st.floats(0.05, 0.3))
def test_a_models_scale_does_not_matter(cosine: float, share: float) -> None:
    """Two models agree on how near a text is, the second in a narrow range below 1: a fused score has it alike."""
    usual = BACKGROUND.usual_mean
    sample = tuple(usual + value for value in SPREAD)
    narrow = BackgroundScores(1_000, tuple(1 - share * (1 - value) for value in sample))
    floor = floor_of(narrow, BACKGROUND, usual)
    assert floor_of(BackgroundScores(1_000, sample), BACKGROUND, usual) == pytest.approx(0, abs=1e-9)
    assert stretched(1 - share * (1 - cosine), floor) == pytest.approx(cosine, abs=1e-9)
    fused = fuse({1: 1 - share * (1 - cosine)}, {1: 0.4, 2: 0.5}, 0.5, floor)
    assert fused == pytest.approx({1: 0.5 * cosine + 0.2, 2: 0.25})


@pytest.mark.parametrize("cosines", [(), (0.9, 0.7) * 3, (0.2, 0.5) * 50, (1.0,) * 128, (1.0000001,) * 128])
def test_few_low_and_equal_cosines_are_not_stretched(cosines: tuple[float, ...]) -> None:
    """Of a handful of chunks those that answer are a part, a low mean asks for nothing, and equal ones say nothing."""
    assert floor_of(BackgroundScores(len(cosines), cosines), BACKGROUND, BACKGROUND.usual_mean) == 0


@given(st.floats(-60, 60), st.floats(0, 1))
def test_a_weight_is_a_share(prominent: float, foreign: float) -> None:
    """However a query comes out, both kinds of evidence count; words may count nothing where they are foreign."""
    assert FUSION.min <= fusion_weight(prominent, 0, FUSION) <= FUSION.min + FUSION.span
    assert fusion_weight(prominent, 0, FUSION) <= fusion_weight(prominent, foreign, FUSION) <= 1


def test_the_fewer_words_are_known_the_more_the_vectors_count() -> None:
    """A question in another language, of which the namespace lacks even the function words, is left to the vectors."""
    foreign = [foreignness(dense(2.5), words(known), FUSION) for known in (1, 0.8, 0.6, 0.4, 0.1)]
    weights = [weight_of("auto", "question", 2.5, share, FUSION) for share in foreign]
    assert weights == sorted(weights)
    assert weights[0] == pytest.approx(fusion_weight(2.5, 0, FUSION), abs=0.002)
    assert weights[-1] > 0.95


def test_missing_words_of_a_handful_say_nothing() -> None:
    """Most words are missing where there are few memories, in the same language as well."""
    assert foreignness(dense(None), words(0.1), FUSION) == 0
    assert weight_of("auto", "topic", None, 0.0, FUSION) == FUSION.default


def test_stretching_begins_slowly() -> None:
    """A memory more or less, and with it a mean above the bar, changes next to nothing."""
    bar, usual = BACKGROUND.narrow_from, BACKGROUND.usual_mean
    just_above = BackgroundScores(1_000, tuple(bar + 0.001 + value for value in SPREAD))
    assert 0 < floor_of(just_above, BACKGROUND, usual) < 0.01


def test_a_query_of_few_words_is_not_foreign() -> None:
    """One unknown word of two is another form of a known one rather than another language."""
    few = KeywordMatches(1.0, {1: 0.5}, known=0.5, words=FUSION.known_fewest - 1)
    assert foreignness(dense(2.5), KeywordScores({1: 0.5}, is_all=True, matches=few, divisor=1.0), FUSION) == 0


def test_the_parts_of_a_run_are_known_together() -> None:
    """Pairs of characters that cross the border of two words stand in no memory."""
    assert share_known([("図書", True), ("書館", True), ("館は", False), ("は月", False)]) == 1
    assert share_known([("図書", False), ("書館", False), ("tokyo", True)]) == pytest.approx(1 / 3)
    assert share_known([]) == 1


def dense(prominent: float | None) -> DenseScores:
    """Give the scores of a search by meaning whose best stands out so far."""
    return DenseScores({1: 0.5}, prominent, is_all=True, own=[], context={})


def words(known: float) -> KeywordScores:
    """Give the scores of a search by words of which the namespace has this share."""
    return KeywordScores({1: 0.5}, is_all=True, matches=KeywordMatches(1.0, {1: 0.5}, known, 9), divisor=1.0)
