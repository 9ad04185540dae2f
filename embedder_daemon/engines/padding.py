"""Pads tokens of different lengths to two matrices of one shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from embedder_daemon.engines.base import Encoded

Matrix = NDArray[np.int64]


class PaddedShape(NamedTuple):
    """The shape of a batch, padding included."""

    rows: int
    tokens: int


def exact(batch: Sequence[Encoded]) -> PaddedShape:
    """Return the smallest shape that fits the batch."""
    return PaddedShape(len(batch), max(len(encoded.ids) for encoded in batch))


def bucketed(batch: Sequence[Encoded], max_tokens: int) -> PaddedShape:
    """Return one of few shapes that fit the batch: powers of two, and those times 1.5.

    A hundred shapes cover batches of every size; beyond 8 tokens, at most a third of each dimension is padding.
    """
    rows, tokens = exact(batch)
    return PaddedShape(_step(rows), max(tokens, min(_step(max(tokens, 8)), max_tokens)))


def pad(batch: Sequence[Encoded], pad_id: int, shape: PaddedShape) -> tuple[Matrix, Matrix]:
    """Return token ids and their mask, both (rows, tokens); rows beyond the batch have one token, to avoid NaN."""
    ids, mask = np.full(shape, pad_id, np.int64), np.zeros(shape, np.int64)
    for row, encoded in enumerate(batch):
        ids[row, : len(encoded.ids)] = encoded.ids
        mask[row, : len(encoded.ids)] = 1
    mask[len(batch) :, 0] = 1
    return ids, mask


def _step(number: int) -> int:
    power = 1 << (number - 1).bit_length()
    return 3 * power // 4 if number <= 3 * power // 4 else power
