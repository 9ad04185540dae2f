"""Where converted models and what was measured lie."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_cache_path

from memory_common import whole_file


def folder() -> Path:
    """Return the cache folder of this user; whoever writes there makes it."""
    return user_cache_path("memory-mcp")


def write(path: Path, text: str) -> None:
    """Put a file there as a whole, with its folder; raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole_file.write(path, text.encode())
