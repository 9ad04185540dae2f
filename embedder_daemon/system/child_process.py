"""Runs modules of this package in separate processes.

Each runs isolated (`-I`): neither the working folder nor the user's PYTHON variables affect its imports.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from platformdirs import user_log_path

from memory_common.reasons import reason

_PACKAGE: Final = "embedder_daemon"
_SLICE_S: Final = 0.5


class ChildError(Exception):
    """A child failed; the message is its own, and names the file with its whole output."""


def command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of this package."""
    return [sys.executable, "-I", "-m", f"{_PACKAGE}.{module}", *arguments]


def run(module: str, *arguments: str, timeout_s: float, stdin: int = subprocess.DEVNULL) -> str:
    """Run a module and return its stdout.

    Raises:
        ChildError: it failed.
        OSError: it could not be started.
        subprocess.TimeoutExpired: it took too long and was killed; time in which both were frozen does not count.
    """
    with subprocess.Popen(  # noqa: S603 - this interpreter, one of our modules and its arguments
        command(module, *arguments),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            out, err = _communicate(process, timeout_s)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise ChildError(reason(err, process.returncode) + _kept(module, err))
    return out


def _communicate(process: subprocess.Popen[str], timeout_s: float) -> tuple[str, str]:
    """Return a process's output when it exits.

    Clocks continue while a container is paused or this process is stopped. So this counts slices of time: a slice
    during which that happens ends late, but counts once.
    """
    left = timeout_s
    while True:
        slice_s = min(left, _SLICE_S)
        try:
            return process.communicate(timeout=slice_s)
        except subprocess.TimeoutExpired as error:
            left -= slice_s
            if left <= 0:
                raise subprocess.TimeoutExpired(error.cmd, timeout_s) from error


def _kept(module: str, written: str) -> str:
    """Save the output of a failed child if it is longer than the line in the error."""
    if len(written.strip().splitlines()) < 2:
        return ""
    file = log_file(module)
    with suppress(OSError):  # a full disk must not hide the reason
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(written, encoding="utf-8")
        return f" (the whole output is in {file})"
    return ""


def log_file(module: str) -> Path:
    """Return the file for a failed module's output; the next failure replaces it."""
    return user_log_path("memory-mcp") / f"embedder-{module.rpartition('.')[2]}-failed.log"
