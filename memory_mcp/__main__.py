"""`memory-mcp` and `python -m memory_mcp`."""

from __future__ import annotations

import sys

from memory_mcp.cli import run


def main() -> None:
    """Run the command line and exit with its code."""
    sys.exit(run())


if __name__ == "__main__":
    main()
