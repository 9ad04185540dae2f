"""Gives memory that was freed back to the system, which glibc would keep."""

from __future__ import annotations

import ctypes


def give_back() -> None:
    """Return what is free at the moment; takes some milliseconds. Other C libraries do so by themselves."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)
