"""`memory-mcp` and `python -m memory_mcp`."""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Run the command line and exit with its code; Ctrl-C never ends in a traceback."""
    try:
        from memory_mcp.cli import run  # noqa: PLC0415 - Ctrl-C may come before this is done

        code = run()
    except KeyboardInterrupt:
        code = 130
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # who presses it again does not want to wait for threads
    sys.exit(code)


if __name__ == "__main__":
    main()
