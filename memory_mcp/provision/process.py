"""The one place of this package that starts other programs.

They get our environment without what would decide which files a Python imports, or where pip installs.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, NoReturn, Protocol

from memory_common.reasons import reason
from memory_mcp import settings
from memory_mcp.provision.errors import ProvisionError

Hear = Callable[[str], None]
"""Takes the latest line of a program that runs."""

_NOTHING: Final[Mapping[str, str]] = {}
_LOOK_S: Final = 0.2
_TOLD_LINES: Final = 3
"""Of what a foreign program wrote; ours say it in one."""


class Runner(Protocol):
    """Starts a program by its argument list, never through a shell; each raises ProvisionError when it fails.

    `variables` are added to the program's environment.
    """

    def output(self, *command: str, variables: Mapping[str, str] = _NOTHING) -> str:
        """Return what the program wrote to stdout."""
        ...

    def stream(self, *command: str) -> None:
        """Let the program write to our own stdout and stderr."""
        ...

    def record(self, *command: str, log: Path, hear: Hear, variables: Mapping[str, str] = _NOTHING) -> str:
        """Append all that the program writes to a log, and return it; the error names the log."""
        ...


class SystemRunner:
    """Starts real programs, and ends one that takes more seconds than it may."""

    def __init__(self, timeout_s: float | None = None) -> None:
        self._timeout_s = timeout_s

    def output(self, *command: str, variables: Mapping[str, str] = _NOTHING) -> str:
        """Return what the program wrote to stdout."""
        return self._run(command, capture=True, variables=variables)

    def stream(self, *command: str) -> None:
        """Let the program's output through."""
        self._run(command, capture=False, variables=_NOTHING)

    def record(self, *command: str, log: Path, hear: Hear, variables: Mapping[str, str] = _NOTHING) -> str:
        """Append what the program writes to a log; not through a pipe, so that it can go on when we are killed."""
        with log.open("ab") as out:
            out.write(f"\n$ {' '.join(command)}\n".encode())
            out.flush()
            began = out.tell()
            with _started(command, out, variables) as process:
                _wait(process, lambda: hear(_last_line(log, began)))
        written = _since(log, began)
        if process.returncode:
            told = reason(written, process.returncode, _TOLD_LINES)
            name = command[command.index("-m") + 1] if "-m" in command else Path(command[0]).name
            raise ProvisionError(f"{name} failed: {told} (the whole output is in {log})")
        return written

    def _run(self, command: tuple[str, ...], *, capture: bool, variables: Mapping[str, str]) -> str:
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
                env={**settings.for_programs(), **variables},
                cwd=_folder(),
            )
        except subprocess.TimeoutExpired as error:
            raise ProvisionError(f"`{command[0]}` gave no answer within {error.timeout:g} s") from error
        except OSError as error:
            raise ProvisionError(f"cannot start {command[0]}: {error.strerror or error}") from error
        except subprocess.CalledProcessError as error:
            written = error.stderr or error.stdout or ""
            told = f": {reason(written, error.returncode, _TOLD_LINES)}" if written or error.returncode < 0 else ""
            raise ProvisionError(f"{_named(command, error.returncode)}{told}") from error
        return done.stdout or ""


def _named(command: tuple[str, ...], code: int) -> str:
    return f"`{' '.join(command)}` failed with exit code {code}"


@contextmanager
def _started(
    command: tuple[str, ...], out: IO[bytes], variables: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program, and kill it when we are interrupted meanwhile."""
    try:
        process = subprocess.Popen(  # noqa: S603 – as above
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            close_fds=False,  # as above
            env={**settings.for_programs(), **variables},
            cwd=_folder(),
        )
    except OSError as error:
        raise ProvisionError(f"cannot start {command[0]}: {error.strerror or error}") from error
    with process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


def _wait(process: subprocess.Popen[bytes], look: Callable[[], None]) -> None:
    while True:
        try:
            process.wait(_LOOK_S)
        except subprocess.TimeoutExpired:
            look()
        else:
            return


def _since(log: Path, began: int) -> str:
    with log.open("rb") as file:
        file.seek(began)
        return file.read().decode("utf-8", "replace")


def _last_line(log: Path, began: int) -> str:
    lines = _since(log, max(began, log.stat().st_size - 4096)).split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _folder() -> str | None:
    """Return where a program starts: here, or / where this folder is gone or private, which many cannot bear."""
    try:
        Path.cwd()
    except OSError:
        return "/"
    return None if os.access(".", os.X_OK) else "/"


@contextmanager
def beside(*command: str, log: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Let a program of ours run meanwhile, and end it afterwards; raises ProvisionError when it cannot be started."""
    try:
        process = subprocess.Popen(  # noqa: S603 – as above
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=settings.for_programs(), cwd=_folder()
        )
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
        os.execve(program, [str(program), *arguments], settings.for_programs())  # noqa: S606 – as above
    except OSError as error:
        raise ProvisionError(f"cannot start {program}: {error.strerror}") from error
