"""`embedder-daemon`, or `python -m embedder_daemon`."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import NoReturn

from embedder_daemon import logs, server, settings
from embedder_daemon.errors import DaemonError, SettingsError


def main() -> None:
    """Run the daemon; the exit codes stand in `errors`."""
    try:
        chosen = settings.load(sys.argv[1:])
    except SettingsError as error:
        logs.configure("info", "auto")
        _exit(error)
    logs.configure(chosen.log_level, chosen.log_format)
    for sentence in settings.unknown_variables():
        logs.get().warning(sentence)
    try:
        clean = asyncio.run(server.run(chosen))
    except DaemonError as error:
        _exit(error)
    sys.stderr.flush()
    if not clean:  # a thread that hangs in a library must not hold up the exit
        os._exit(0)


def _exit(error: DaemonError) -> NoReturn:
    logs.get().error(str(error), exit_code=error.exit_code)
    sys.stderr.flush()
    os._exit(error.exit_code)


if __name__ == "__main__":
    main()
