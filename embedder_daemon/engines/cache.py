"""The cache folder of converted models and measurements."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_cache_path

from memory_common import whole_file


def folder() -> Path:
    """Return this user's cache folder, which may not exist yet."""
    return user_cache_path("memory-mcp")


def write(path: Path, text: str) -> None:
    """Write a file there atomically, creating its folder; raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole_file.write(path, text.encode())
