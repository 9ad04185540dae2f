"""Disks of the tests' own: small ones that can be filled, and folders that only some may write to."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

BLOCK = 4096


class SmallDisk:
    """A few megabytes in memory that are a file system of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filling = folder / "filling"

    def fill(self, spare: int = 0) -> None:
        """Leave only so many bytes free, whole blocks of them."""
        with contextlib.suppress(OSError), self._filling.open("ab", buffering=0) as file:
            while True:
                file.write(bytes(BLOCK))
        size = self._filling.stat().st_size
        with self._filling.open("ab") as file:
            file.truncate(max(0, size - spare))

    def empty(self) -> None:
        """Give the room back."""
        self._filling.unlink()


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int = 8) -> Iterator[SmallDisk]:
    """Mount a small disk on a folder that is made for it; skip the test where that is not allowed."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted: {mounted.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
