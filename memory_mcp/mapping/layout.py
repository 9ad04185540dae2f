"""Lays vectors out on a plane: near vectors near each other. Only the drawing process imports this, and numpy with it.

A few thousand landmarks are laid out by t-SNE, which compares each with each. Every vector is then placed among the
landmarks nearest to it, so that a new one finds its place later without moving the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from memory_mcp.mapping.wire import ReportShare

Floats = NDArray[np.float32]

SAMPLED: Final = 20_000
"""Vectors from which directions and landmarks are learned."""
DIRECTIONS: Final = 32
"""Principal directions that are kept: the others are mostly noise, and cost time."""
LANDMARKS: Final = 2_000
"""t-SNE takes 4 times as long for twice as many."""
ROUNDS: Final = 400
EARLY: Final = 100
"""Rounds in which neighbours pull harder, so that groups form."""
NEIGHBOURS: Final = 12
"""Landmarks that place a vector; those that lie far from the nearest one on the plane do not count."""
PERPLEXITY: Final = 30.0
SPREAD: Final = 0.12
"""How far what the landmarks do not explain moves a vector, so that vectors between two do not form a line."""
BLOCK: Final = 4_096
"""Vectors placed at once."""
_TINY: Final = 1e-12
_SEED: Final = 20


@dataclass(frozen=True, slots=True)
class Model:
    """What places a vector."""

    mean: Floats
    directions: Floats
    """A column each."""
    landmarks: Floats
    """In those directions, a row each."""
    places: Floats
    """Of the landmarks on the plane, within the square from 0 to 1."""
    reach: np.float32
    """How far from each other landmarks lie that place the same vector."""

    def place(self, vectors: Floats) -> Floats:
        """Return where vectors lie on the plane."""
        return np.concatenate([np.empty((0, 2), np.float32), *map(self._place, _blocks(vectors))])

    def _place(self, vectors: Floats) -> Floats:
        rows = ((vectors - self.mean) @ self.directions).astype(np.float32)
        nearest, distances = _nearest(rows, self.landmarks)
        near = self.places[nearest]
        beside = np.square(near - near[:, :1]).sum(2) <= self.reach**2
        scale = np.maximum(distances[:, 1:4].mean(1, keepdims=True) if nearest.shape[1] > 3 else distances.max(), _TINY)
        weights = np.exp(-distances / scale * 2) * beside
        weights /= weights.sum(1, keepdims=True)
        rest = rows - np.einsum("ij,ijk->ik", weights, self.landmarks[nearest])
        beyond = SPREAD * self.reach * (rest @ _askew(rows.shape[1])) / np.sqrt(scale)
        placed: Floats = ((weights[..., None] * near).sum(1) + beyond).astype(np.float32)
        return placed


def _nearest(rows: Floats, landmarks: Floats) -> tuple[NDArray[np.intp], Floats]:
    """Return which landmarks are nearest to each row, the nearest first, and their squared distances."""
    count = min(NEIGHBOURS, len(landmarks))
    distances = _distances(rows, landmarks)
    some = np.argpartition(distances, count - 1, axis=1)[:, :count]
    order = np.argsort(np.take_along_axis(distances, some, 1), axis=1)
    nearest: NDArray[np.intp] = np.take_along_axis(some, order, 1)
    return nearest, np.take_along_axis(distances, nearest, 1)


def learn(vectors: Floats, report: ReportShare) -> Model:
    """Lay out landmarks among these vectors, of which there is at least one."""
    random = np.random.default_rng(_SEED)
    chosen = random.permutation(len(vectors))[:SAMPLED]
    sample = vectors[np.sort(chosen)].astype(np.float32)
    mean = sample.mean(0)
    directions = _directions(sample - mean)
    rows = (sample - mean) @ directions
    landmarks = rows if len(rows) <= LANDMARKS else _centres(rows, random)
    report(0.1)
    places = _laid_out(landmarks, lambda share: report(0.1 + 0.8 * share))
    places -= places.min(0)
    places /= max(float(places.max()), _TINY)
    return Model(mean, directions, landmarks, places, np.float32(_reach(places)))


def _blocks(vectors: Floats) -> Iterator[Floats]:
    for start in range(0, len(vectors), BLOCK):
        yield vectors[start : start + BLOCK]


def _directions(centred: Floats) -> Floats:
    """Return the directions in which the vectors differ most."""
    values, found = np.linalg.eigh(centred.T @ centred)
    return np.ascontiguousarray(found[:, np.argsort(values)[::-1][:DIRECTIONS]].astype(np.float32))


def _askew(count: int) -> Floats:
    """Return two directions for what is left of a vector, always the same."""
    return np.random.default_rng(_SEED).normal(size=(count, 2)).astype(np.float32)


def _distances(rows: Floats, others: Floats) -> Floats:
    """Return the squared distances."""
    products: Floats = rows @ others.T
    products *= -2
    products += np.square(rows).sum(1)[:, None]
    products += np.square(others).sum(1)
    np.maximum(products, 0, out=products)
    return products


def _centres(rows: Floats, random: np.random.Generator) -> Floats:
    """Return the centres of groups (k-means), which lie where the vectors do."""
    centres = rows[random.choice(len(rows), LANDMARKS, replace=False)]
    for _ in range(4):
        nearest = np.concatenate([_distances(block, centres).argmin(1) for block in _blocks(rows)])
        counts = np.bincount(nearest, minlength=LANDMARKS)
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, rows)
        centres = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], centres).astype(np.float32)
    return centres


def _laid_out(rows: Floats, report: ReportShare) -> Floats:
    """Return places on the plane (t-SNE), from the two main directions on."""
    if len(rows) < 4:
        return rows[:, :2] if rows.shape[1] > 1 else np.hstack([rows, np.zeros_like(rows)])
    wanted = _affinities(rows)
    places = rows[:, :2] / max(float(rows[:, 0].std()), _TINY) * np.float32(1e-4)
    speed, gains = np.zeros_like(places), np.ones_like(places)
    step = max(len(rows) / 12, 50)
    for turn in range(ROUNDS):
        slope = _slope(wanted * 12 if turn < EARLY else wanted, places)
        gains = np.maximum(np.where((slope > 0) == (speed > 0), gains * 0.8, gains + 0.2), 0.01)
        speed = (0.5 if turn < EARLY else 0.8) * speed - step * gains * slope
        places = (places + speed).astype(np.float32)
        places -= places.mean(0)
        if turn % 20 == 0:
            report(turn / ROUNDS)
    return places


def _affinities(rows: Floats) -> Floats:
    """Return how much each pair wants to be together; every row has as many neighbours in effect."""
    distances = _distances(rows, rows)
    np.fill_diagonal(distances, np.inf)
    wanted = np.log(min(PERPLEXITY, (len(rows) - 1) / 3))
    low, high = np.zeros((len(rows), 1), np.float32), np.full((len(rows), 1), np.inf, np.float32)
    sharpness = 1 / np.maximum(np.sort(distances, 1)[:, 1:2], np.float32(_TINY))
    shares = distances
    nearest = distances.min(1, keepdims=True)
    finite = np.where(np.isinf(distances), 0, distances)
    for _ in range(30):
        shares = np.exp(-(distances - nearest) * sharpness)
        sums = shares.sum(1, keepdims=True)
        entropy = np.log(sums) + sharpness * ((finite - nearest) * shares).sum(1, keepdims=True) / sums
        wide = entropy > wanted
        low, high = np.where(wide, sharpness, low), np.where(wide, high, sharpness)
        sharpness = np.where(np.isinf(high), sharpness * 2, (low + high) / 2).astype(np.float32)
    shares /= shares.sum(1, keepdims=True)
    both: Floats = np.maximum((shares + shares.T) / (2 * len(rows)), _TINY).astype(np.float32)
    return both


def _slope(wanted: Floats, places: Floats) -> Floats:
    """Return the gradient of t-SNE."""
    closeness = 1 / (1 + _distances(places, places))
    np.fill_diagonal(closeness, 0)
    pull = (wanted - closeness / closeness.sum()) * closeness
    slope: Floats = 4 * (pull.sum(1)[:, None] * places - pull @ places)
    return slope


def _reach(places: Floats) -> float:
    """Return four times the usual distance between neighbours on the plane."""
    if len(places) < 3:
        return 1.0
    distances = _distances(places, places)
    np.fill_diagonal(distances, np.inf)
    return 4 * float(np.sqrt(np.median(distances.min(1))))
