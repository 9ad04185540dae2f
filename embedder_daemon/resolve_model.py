"""`python -I -m embedder_daemon.resolve_model MODEL`: prints the folder of a model.

MODEL is one of our names, a folder, or a hub id with or without a revision (`owner/name@v1`). `memory-mcp daemon
install --model` uses this to pin the model.
"""

from __future__ import annotations

import sys
from pathlib import Path

from embedder_daemon.errors import DaemonError
from embedder_daemon.model import discovery, hub


def main(name: str) -> int:
    """Print the folder; `errors` lists the exit codes."""
    try:
        sys.stdout.write(f"{find(name)}\n")
    except DaemonError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def find(name: str) -> Path:
    """Return the absolute folder of a model that can be served.

    Raises:
        DaemonError: whatever `discovery.find` raises.
    """
    if name in discovery.NAMES:
        return discovery.find(name).folder
    repository, _, revision = name.partition("@")
    path = Path(name).expanduser()
    if not path.is_dir() and hub.is_id(repository):
        path = hub.snapshot(repository, hub.cache(), revision or "main")
    discovery.find(str(path))
    return path.absolute()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
