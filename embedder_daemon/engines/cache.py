"""Where converted models and verdicts lie, and how a file gets there whole or not at all."""

from __future__ import annotations

import tempfile
from pathlib import Path

from platformdirs import user_cache_path


def folder() -> Path:
    """Return the cache folder of this user; whoever writes there makes it."""
    return user_cache_path("memory-mcp")


def write(path: Path, text: str) -> None:
    """Write a file aside and rename it; raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=path.name, delete=False) as file:
        aside = Path(file.name)
        file.write(text)
    try:
        aside.replace(path)
    except OSError:
        aside.unlink()
        raise
