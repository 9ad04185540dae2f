"""The one place of this package that starts other programs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NoReturn, Protocol

from memory_mcp.provision.errors import ProvisionError


class Runner(Protocol):
    """Starts a program by its argument list, never through a shell."""

    def output(self, *command: str) -> str:
        """Return what the program wrote to stdout; raise ProvisionError when it fails."""
        ...

    def stream(self, *command: str) -> None:
        """Let the program write to our own stdout and stderr; raise ProvisionError when it fails."""
        ...


class SystemRunner:
    """Starts real programs, and ends one that takes more seconds than it may."""

    def __init__(self, timeout_s: float | None = None) -> None:
        self._timeout_s = timeout_s

    def output(self, *command: str) -> str:
        """Return what the program wrote to stdout."""
        return self._run(command, capture=True)

    def stream(self, *command: str) -> None:
        """Let the program's output through."""
        self._run(command, capture=False)

    def _run(self, command: tuple[str, ...], *, capture: bool) -> str:
        try:
            done = subprocess.run(  # noqa: S603 – argument lists that this package made, no shell
                command,
                check=True,
                close_fds=False,  # the lock of the place is meant to be inherited; nothing else is
                capture_output=capture,
                stdin=subprocess.DEVNULL,
                encoding="utf-8",
                errors="replace",
                timeout=self._timeout_s,
            )
        except subprocess.TimeoutExpired as error:
            raise ProvisionError(f"`{command[0]}` gave no answer within {error.timeout:g} s") from error
        except OSError as error:
            raise ProvisionError(f"cannot start {command[0]}: {error.strerror or error}") from error
        except subprocess.CalledProcessError as error:
            lines = (error.stderr or "").strip().splitlines()
            reason = f": {lines[-1]}" if lines else ""
            raise ProvisionError(f"`{' '.join(command)}` failed with exit code {error.returncode}{reason}") from error
        return done.stdout or ""


@contextmanager
def beside(*command: str, log: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Let a program of ours run meanwhile, and end it afterwards; raises ProvisionError when it cannot be started."""
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)  # noqa: S603 – as above
    except OSError as error:
        raise ProvisionError(f"cannot start {command[0]}: {error.strerror or error}") from error
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def become(program: Path, *arguments: str) -> NoReturn:
    """Let a program of ours take the place of this process; raises ProvisionError when it cannot be started."""
    try:
        os.execv(program, [str(program), *arguments])  # noqa: S606 – as above
    except OSError as error:
        raise ProvisionError(f"cannot start {program}: {error.strerror}") from error
