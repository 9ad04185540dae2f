"""`python -I -m memory_mcp.mapping.drawing_process`: places vectors on a plane, in a process that is gone afterwards.

Only this process maps numpy, so that the front stays small. What it reads from stdin and writes to stdout is in
`wire.py`. It ends when the front closes the pipes, or dies.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from typing import BinaryIO, Final

import numpy as np

from memory_mcp.mapping import wire
from memory_mcp.mapping.layout import Floats, Model, learn

MOST_CPU_S: Final = 1_800
MOST_MEMORY: Final = 4 << 30
"""Of addresses, of which numpy's threads reserve many; 0.25 GB are used. See docs/benchmarks.md."""
NICENESS: Final = 10
_PLACES: Final = 65_535


def main() -> None:
    """Draw one map."""
    os.nice(NICENESS)
    _limit(resource.RLIMIT_CPU, MOST_CPU_S)
    if sys.platform == "linux":  # elsewhere the system does not refuse memory
        _limit(resource.RLIMIT_AS, MOST_MEMORY)
    with suppress(BrokenPipeError), os.fdopen(0, "rb") as given, os.fdopen(1, "wb", 0) as told:
        _draw(given, told)


def _limit(kind: int, most: int) -> None:
    _, hard = resource.getrlimit(kind)
    allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (allowed, hard))


def _draw(given: BinaryIO, told: BinaryIO) -> None:
    order = wire.DrawingOrder.parsed(given.readline())
    if order.model:
        model = _unpacked(given.read(order.model))
    else:
        model = learn(
            np.concatenate(list(_rows(given, order.dimensions))), lambda share: _write(told, wire.progress(share))
        )
    _write(told, wire.progress(1.0))
    places = np.concatenate([np.empty((0, 2), np.float32), *map(model.place, _rows(given, order.dimensions))])
    kept = (np.clip(places, 0, 1) * _PLACES).round().astype("<u2")
    packed = b"" if order.model else _packed(model)
    _write(told, wire.drawn(len(packed), len(kept)))
    _write(told, packed + kept[:, 0].tobytes() + kept[:, 1].tobytes())


def _write(told: BinaryIO, message: bytes) -> None:
    left = memoryview(message)
    while left:
        left = left[told.write(left) :]


def _rows(given: BinaryIO, dimensions: int) -> Iterator[Floats]:
    """Yield the blocks of rows up to the empty one."""
    while size := wire.SIZE.unpack(_exactly(given, wire.SIZE.size))[0]:
        yield np.frombuffer(_exactly(given, size * 4 * dimensions), "<f4").reshape(size, dimensions)


def _exactly(given: BinaryIO, size: int) -> bytes:
    found = given.read(size)
    if len(found) < size:
        raise SystemExit(1)  # the front is gone
    return found


def _packed(model: Model) -> bytes:
    file = BytesIO()
    for array in (model.mean, model.directions, model.landmarks, model.places, np.asarray(model.reach)):
        np.save(file, array, allow_pickle=False)
    return file.getvalue()


def _unpacked(packed: bytes) -> Model:
    file = BytesIO(packed)
    mean, directions, landmarks, places, reach = (np.load(file, allow_pickle=False) for _ in range(5))
    return Model(mean, directions, landmarks, places, np.float32(reach))


if __name__ == "__main__":
    main()
