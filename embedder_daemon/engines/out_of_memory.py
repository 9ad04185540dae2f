"""Converts libraries' out-of-memory errors to MemoryError, so that the scheduler tries smaller batches."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_SIGNS: Final = (
    "out of memory",  # torch on CUDA and MPS
    "can't allocate memory",  # torch on the CPU
    "not enough memory",  # torch on the CPU, other systems
    "failed to allocate",  # onnxruntime
    "bad_alloc",  # openvino and onnxruntime
    "bad allocation",
    "could not allocate",  # oneDNN, below openvino and torch
    "could not create a primitive",  # oneDNN too, where it has no room for its scratchpad (seen with bfloat16)
    "status_alloc_failed",  # cuBLAS and cuDNN, below torch on CUDA
)


@contextmanager
def guarded(*kinds: type[Exception]) -> Iterator[None]:
    """Run a forward pass; `kinds` are the library's exceptions that may mean out of memory.

    Raises:
        MemoryError: memory is out, and what the pass had taken is free again; other exceptions of the library pass
            through.
    """
    try:
        yield
    except kinds as error:
        sentence = str(error)
        if any(sign in sentence.lower() for sign in _SIGNS):
            # Its frames hold the pass's tensors, and live in a reference cycle until the next garbage collection; the
            # smaller batch that comes first needs the room.
            traceback.clear_frames(error.__traceback__)
            raise MemoryError(" ".join(sentence.split())[:300]) from error
        raise
