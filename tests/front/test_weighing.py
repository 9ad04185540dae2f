"""How much the vectors count."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_mcp.domain.models import BackgroundScores
from memory_mcp.search.fusion import floor_of, fuse, fusion_weight, prominence, stretched
from memory_mcp.search.policy import DEFAULT_POLICY

BACKGROUND, FUSION = DEFAULT_POLICY.background, DEFAULT_POLICY.fusion

SPREAD = tuple((place % 11 - 5) / 50 for place in range(110))


def test_the_vectors_count_more_the_further_the_best_stands_out() -> None:
    """One passage far above all others is a sharp hit, one that chance explains is none."""
    sample = BackgroundScores(1_000, SPREAD)
    prominences = [prominence(best, sample, 1_000, BACKGROUND) for best in (0.1, 0.2, 0.3, 0.4, 0.9)]
    weights = [fusion_weight(prominent, FUSION) for prominent in prominences]
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
    assert fusion_weight(prominence(0.9, sample, sample.chunks, BACKGROUND), FUSION) == FUSION.default


@given(st.floats(0, 1), st.floats(0.05, 0.6))
def test_a_models_scale_does_not_matter(cosine: float, share: float) -> None:
    """Two models agree on how near a text is, the second in a narrow range below 1: a fused score has it alike."""
    usual = BACKGROUND.usual_mean
    sample = tuple(usual + value for value in SPREAD)
    narrow = BackgroundScores(1_000, tuple(1 - share * (1 - value) for value in sample))
    floor = floor_of(narrow, BACKGROUND)
    assert floor_of(BackgroundScores(1_000, sample), BACKGROUND) == pytest.approx(0, abs=1e-9)
    assert stretched(1 - share * (1 - cosine), floor) == pytest.approx(cosine, abs=1e-9)
    fused = fuse({1: 1 - share * (1 - cosine)}, {1: 0.4, 2: 0.5}, 0.5, floor)
    assert fused == pytest.approx({1: 0.5 * cosine + 0.2, 2: 0.25})


@pytest.mark.parametrize("cosines", [(), (0.9,) * 7, (0.2, 0.5) * 50])
def test_few_chunks_and_low_cosines_are_not_stretched(cosines: tuple[float, ...]) -> None:
    """Of a handful of chunks those that answer are a part, and a mean that is not high asks for nothing."""
    assert floor_of(BackgroundScores(len(cosines), cosines), BACKGROUND) == 0


@given(st.floats(-60, 60))
def test_a_weight_is_a_share(prominent: float) -> None:
    """However a query comes out, both kinds of evidence count."""
    assert FUSION.min <= fusion_weight(prominent, FUSION) <= FUSION.min + FUSION.span
