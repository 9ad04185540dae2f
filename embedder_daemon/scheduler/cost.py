"""Predicts a forward pass: base + token * padded tokens + row * rows, learnt from every batch. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds per forward pass, padded token and row; those of a laptop until the first measurement."""

    base_s: float = 2e-3
    token_s: float = 50e-6
    row_s: float = 100e-6

    def seconds(self, padded_tokens: int, rows: int) -> float:
        """Return the predicted seconds of one forward pass."""
        return self.base_s + self.token_s * padded_tokens + self.row_s * rows

    def backlog_s(self, tokens: int, rows: int, batch_s: float, batch_rows: int) -> float:
        """Return the predicted seconds of this work, split into batches of at most these seconds and rows."""
        if not rows:
            return 0.0
        work = self.token_s * tokens + self.row_s * rows
        by_time = work / max(batch_s - self.base_s, batch_s / 2)  # infinite if only rows limit a batch
        return work + self.base_s * max(1, math.ceil(by_time), math.ceil(rows / batch_rows))


_FIRST: Final = Cost()
_CLAMP: Final = 2.0  # clamps a measurement to this multiple of the expectation, and to its inverse
_SHIFT: Final = 3  # this many surprises in a row are not outliers: the machine's speed has changed
_NOISE: Final = 0.1  # of a measurement, relative
_NOISE_S: Final = 1e-4  # and absolute: two thread switches
_DRIFT: Final = 0.02  # drift of a coefficient per batch, relative
_LEAST_UNIT: Final = 0.05  # least base of a coefficient's variance and drift
_LEAST_S: Final = 1e-5
TRUSTED: Final = 8
"""Batches before predictions may refuse a call."""

_Vector = tuple[float, float, float]
_START: Final[tuple[_Vector, _Vector, _Vector]] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


class CostModel:
    """A Kalman filter of the three coefficients, in units of the first guess; none of them becomes negative.

    A single outlier changes predictions little; a change of speed is learnt within about ten batches.
    """

    def __init__(self) -> None:
        self.cost = _FIRST
        self.batches = 0
        self._surprises = 0
        self._variance = _START

    @property
    def trusted(self) -> bool:
        """Whether there are enough measurements to refuse calls."""
        return self.batches >= TRUSTED

    def learn(self, padded_tokens: int, rows: int, seconds: float) -> None:
        """Learn from the duration of one forward pass."""
        expected = max(self.cost.seconds(padded_tokens, rows), _LEAST_S)
        measured = min(max(seconds, expected / _CLAMP), expected * _CLAMP)
        self.batches += 1
        self._surprises = 0 if measured == seconds else self._surprises + 1
        if self._surprises >= _SHIFT:
            self._shift(measured / expected)
        else:
            self._update((_FIRST.base_s, _FIRST.token_s * padded_tokens, _FIRST.row_s * rows), measured, expected)

    def _shift(self, factor: float) -> None:
        """Scale all coefficients by a factor, and reset each one's variance to its own size."""
        cost = self.cost
        self.cost = Cost(cost.base_s * factor, cost.token_s * factor, cost.row_s * factor)
        base, token, row = (max(value, 1.0) ** 2 for value in self._units())
        self._variance = ((base, 0.0, 0.0), (0.0, token, 0.0), (0.0, 0.0, row))

    def _units(self) -> _Vector:
        cost = self.cost
        return cost.base_s / _FIRST.base_s, cost.token_s / _FIRST.token_s, cost.row_s / _FIRST.row_s

    def _update(self, features: _Vector, measured: float, expected: float) -> None:
        """Move the coefficients towards the measurement, in proportion to their variance."""
        spread = tuple(_dot(line, features) for line in self._variance)
        noise = (_NOISE * expected) ** 2 + _NOISE_S**2
        total = _dot(features, spread) + noise
        units = self._units()
        error = measured - _dot(features, units)
        base, token, row = (max(0.0, unit + part * error / total) for unit, part in zip(units, spread, strict=True))
        self.cost = Cost(base * _FIRST.base_s, token * _FIRST.token_s, row * _FIRST.row_s)
        (aa, ab, ac), (_, bb, bc), (_, _, cc) = self._variance
        a, b, c = spread
        ab, ac, bc = ab - a * b / total, ac - a * c / total, bc - b * c / total
        self._variance = (
            (_drifted(aa - a * a / total, base), ab, ac),
            (ab, _drifted(bb - b * b / total, token), bc),
            (ac, bc, _drifted(cc - c * c / total, row)),
        )


def _drifted(variance: float, unit: float) -> float:
    """Increase a coefficient's variance, unless nothing is known about it anyway."""
    size = max(unit, _LEAST_UNIT)
    return max(variance, 0.0) + ((_DRIFT * size) ** 2 if variance < size**2 else 0.0)


def _dot(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    return one[0] * other[0] + one[1] * other[1] + one[2] * other[2]
