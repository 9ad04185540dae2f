"""Detects a `brew upgrade` of the Homebrew PyTorch that this environment reuses and `daemon install` recorded.

`python -I -m embedder_daemon.runtime.homebrew_check` prints it.
"""

from __future__ import annotations

import json
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Final

RECORD: Final = "homebrew.json"
FIX: Final = "run `memory-mcp daemon install`"


@cache
def outdated() -> str:
    """Return one sentence if Homebrew's PyTorch is not the one that this environment was built for; else nothing."""
    return compare(Path(sys.prefix) / RECORD)


def compare(record: Path) -> str:
    """Return one sentence if the recorded PyTorch is gone; else nothing."""
    try:
        built = json.loads(record.read_text(encoding="utf-8"))
        wanted, folder = str(built["torch"]), Path(str(built["site_packages"]))
    except (OSError, ValueError, KeyError, TypeError):
        return ""  # no Homebrew here
    if not folder.is_dir():
        return f"Homebrew's PyTorch is not in {folder} any more, as after `brew upgrade`: {FIX}"
    found = [distribution.version for distribution in metadata.distributions(name="torch", path=[str(folder)])]
    if wanted in found:
        return ""
    now = f"is {found[0]} now" if found else "is gone"
    return f"Homebrew's PyTorch {now}, but this environment was built for {wanted}: {FIX}"


if __name__ == "__main__":
    sys.stdout.write(f"{outdated()}\n")
