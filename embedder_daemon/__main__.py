"""`embedder-daemon`, or `python -m embedder_daemon`."""

import contextlib
import os
import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    # A random.py in the working folder must not replace Python's own. The imports above were loaded before us.
    with contextlib.suppress(OSError):  # the folder is gone, so Python has not added it
        if sys.path[0] == os.getcwd():  # noqa: PTH109 - pathlib would be imported from there
            del sys.path[0]

import asyncio
from typing import NoReturn

from embedder_daemon import logs, server, settings
from embedder_daemon.errors import DaemonError, DaemonSettingsError


def main() -> None:
    """Run the daemon; `errors` lists the exit codes."""
    logs.configure("info", "auto")
    try:
        chosen = settings.load(sys.argv[1:])
        _begin_log(chosen)
    except DaemonSettingsError as error:
        _exit(error)
    for sentence in settings.unknown_variables():
        logs.get().warning(sentence)
    settings.leave_working_folder()
    try:
        clean = asyncio.run(server.run(chosen))
    except DaemonError as error:
        _exit(error)
    sys.stderr.flush()
    if not clean:  # a thread that hangs in a library must not block the exit
        os._exit(0)


def _begin_log(chosen: settings.DaemonSettings) -> None:
    try:
        file = chosen.log_file and chosen.log_file.expanduser().absolute()
    except FileNotFoundError as error:
        raise DaemonSettingsError("log_file: the working folder is gone; give an absolute path") from error
    try:
        logs.configure(chosen.log_level, chosen.log_format, file=file, content=chosen.log_content)
    except OSError as error:
        raise DaemonSettingsError(f"log_file: {file} cannot be written: {error.strerror}") from error


def _exit(error: DaemonError) -> NoReturn:
    logs.get().error(str(error), exit_code=error.exit_code)
    sys.stderr.flush()
    os._exit(error.exit_code)


if __name__ == "__main__":
    main()
