"""Properties of the cost model."""

from __future__ import annotations

import math
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from embedder_daemon.scheduler.cost import TRUSTED, Cost, CostModel

COSTS = st.builds(Cost, st.floats(2e-4, 2e-2), st.floats(1e-6, 3e-4), st.floats(1e-6, 5e-4))
SHAPES = st.tuples(st.integers(1, 32), st.integers(1, 256))
ANYTHING = st.lists(st.tuples(SHAPES, st.floats(0.0, 1e6)), max_size=40)


def _taught(true: Cost, batches: int, seed: int) -> CostModel:
    model, random = CostModel(), Random(seed)  # noqa: S311 - shapes and noise, no secrets
    for _ in range(batches):
        rows, length = random.randint(1, 32), random.randint(1, 256)
        model.learn(rows * length, rows, true.seconds(rows * length, rows) * random.uniform(0.95, 1.05))
    return model


@given(COSTS, st.integers(0, 1000))
def test_it_finds_the_cost_of_full_batches(true: Cost, seed: int) -> None:
    """After a hundred batches of any shape on any machine the prediction for a full one is near."""
    model = _taught(true, 100, seed)
    assert model.trusted
    for rows, length in ((8, 64), (32, 64), (32, 256)):
        predicted, measured = model.cost.seconds(rows * length, rows), true.seconds(rows * length, rows)
        assert measured / 2 < predicted < measured * 2


@given(COSTS, SHAPES, st.integers(0, 1000))
def test_one_outlier_moves_little(true: Cost, shape: tuple[int, int], seed: int) -> None:
    """A batch during which the machine slept does not double a full batch's prediction."""
    model = _taught(true, 100, seed)
    before = model.cost.seconds(2048, 32)
    model.learn(shape[0] * shape[1], shape[0], 1000.0)
    assert before / 2 < model.cost.seconds(2048, 32) < before * 2


@given(COSTS, st.sampled_from([0.02, 50.0]), st.integers(0, 1000))
def test_it_follows_a_change_of_speed(true: Cost, factor: float, seed: int) -> None:
    """A machine that became much slower or faster is known again after fifty batches of one shape."""
    model = _taught(true, 100, seed)
    for _ in range(50):
        model.learn(1024, 16, factor * true.seconds(1024, 16))
    assert math.isclose(model.cost.seconds(1024, 16), factor * true.seconds(1024, 16), rel_tol=0.5)


@given(ANYTHING)
def test_a_prediction_is_never_negative(batches: list[tuple[tuple[int, int], float]]) -> None:
    """Whatever was measured, coefficients are finite and not negative, so that more work never costs less."""
    model = CostModel()
    for (rows, length), seconds in batches:
        model.learn(rows * length, rows, seconds)
    cost = model.cost
    assert all(math.isfinite(value) and value >= 0 for value in (cost.base_s, cost.token_s, cost.row_s))
    assert model.trusted == (len(batches) >= TRUSTED)


@given(COSTS, st.integers(0, 5000), st.integers(0, 100_000), st.floats(0.005, 0.1))
def test_a_backlog_costs_at_least_its_work(cost: Cost, rows: int, tokens: int, quantum: float) -> None:
    """Cutting work into batches adds their bases; no rows cost nothing."""
    backlog = cost.backlog_s(tokens, rows, quantum, 32)
    assert (backlog == 0.0) == (rows == 0)
    assert not rows or backlog >= cost.token_s * tokens + cost.row_s * rows + cost.base_s * rows // 32
