"""Converts libraries' out-of-memory errors to MemoryError, so that the scheduler tries smaller batches."""

from __future__ import annotations

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
)


@contextmanager
def guarded(*kinds: type[Exception]) -> Iterator[None]:
    """Run a forward pass; `kinds` are the library's exceptions that may mean out of memory.

    Raises:
        MemoryError: memory is out; other exceptions of the library pass through.
    """
    try:
        yield
    except kinds as error:
        sentence = str(error)
        if any(sign in sentence.lower() for sign in _SIGNS):
            raise MemoryError(" ".join(sentence.split())[:300]) from error
        raise
