"""The only module of this package that starts other programs.

They get our environment without the variables that decide what a Python imports or where pip installs.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, NoReturn, Protocol

from memory_common.reasons import reason
from memory_mcp.environment import for_programs
from memory_mcp.provision.errors import ProvisionError

Hear = Callable[[str], None]
"""Receives the latest line of a running program's output."""

_NOTHING: Final[Mapping[str, str]] = {}
_LOOK_S: Final = 0.2
_REASON_LINES: Final = 3
"""Lines of another program's output in an error; ours need only one."""


class Runner(Protocol):
    """Runs a program by its argument list, never through a shell; every method raises ProvisionError if it fails.

    `variables` are added to the program's environment.
    """

    def output(self, *command: str, variables: Mapping[str, str] = _NOTHING) -> str:
        """Return what the program wrote to stdout."""
        ...

    def stream(self, *command: str) -> None:
        """Run the program with our own stdout and stderr."""
        ...

    def record(self, *command: str, log: Path, hear: Hear, variables: Mapping[str, str] = _NOTHING) -> str:
        """Append the program's output to a log and return it; an error names the log."""
        ...


class SystemRunner:
    """Runs real programs, and kills one that exceeds its time limit in seconds."""

    def __init__(self, timeout_s: float | None = None) -> None:
        self._timeout_s = timeout_s

    def output(self, *command: str, variables: Mapping[str, str] = _NOTHING) -> str:
        """Return what the program wrote to stdout."""
        return self._run(command, capture=True, variables=variables)

    def stream(self, *command: str) -> None:
        self._run(command, capture=False, variables=_NOTHING)

    def record(self, *command: str, log: Path, hear: Hear, variables: Mapping[str, str] = _NOTHING) -> str:
        """Append the output to a log; not through a pipe, so that the program survives if we are killed."""
        with log.open("ab") as out:
            out.write(f"\n$ {' '.join(command)}\n".encode())
            out.flush()
            began = out.tell()
            with _started(command, out, variables) as process:
                _wait(process, lambda: hear(_last_line(log, began)))
        written = _since(log, began)
        if process.returncode:
            told = reason(written, process.returncode, _REASON_LINES)
            name = command[command.index("-m") + 1] if "-m" in command else Path(command[0]).name
            raise ProvisionError(f"{name} failed: {told} (the whole output is in {log})")
        return written

    def _run(self, command: tuple[str, ...], *, capture: bool, variables: Mapping[str, str]) -> str:
        try:
            done = subprocess.run(  # noqa: S603 – argument lists that this package made, no shell
                command,
                check=True,
                close_fds=False,  # only the lock of the environment's folder is inherited
                capture_output=capture,
                stdin=subprocess.DEVNULL,
                encoding="utf-8",
                errors="replace",
                timeout=self._timeout_s,
                env={**for_programs(), **variables},
                cwd=_folder(),
            )
        except subprocess.TimeoutExpired as error:
            raise ProvisionError(f"`{command[0]}` did not finish within {error.timeout:g} s") from error
        except OSError as error:
            raise ProvisionError(f"cannot start {command[0]}: {error.strerror or error}") from error
        except subprocess.CalledProcessError as error:
            written = error.stderr or error.stdout or ""
            told = f": {reason(written, error.returncode, _REASON_LINES)}" if written or error.returncode < 0 else ""
            raise ProvisionError(f"{_named(command, error.returncode)}{told}") from error
        return done.stdout or ""


def _named(command: tuple[str, ...], code: int) -> str:
    return f"`{' '.join(command)}` failed with exit code {code}"


@contextmanager
def _started(
    command: tuple[str, ...], out: IO[bytes], variables: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program, and kill it if we are interrupted."""
    try:
        process = subprocess.Popen(  # noqa: S603 – as above
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            close_fds=False,  # as above
            env={**for_programs(), **variables},
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
    """Return a program's working folder: ours, or / if ours is gone or unreadable, where many programs fail."""
    try:
        Path.cwd()
    except OSError:
        return "/"
    return None if os.access(".", os.X_OK) else "/"


@contextmanager
def beside(*command: str, log: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Run one of our programs during the block, then stop it; raises ProvisionError if it cannot be started."""
    try:
        process = subprocess.Popen(  # noqa: S603 – as above
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=for_programs(), cwd=_folder()
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
    """Replace this process by one of our programs; raises ProvisionError if it cannot be started."""
    try:
        os.execve(program, [str(program), *arguments], for_programs())  # noqa: S606 – as above
    except OSError as error:
        raise ProvisionError(f"cannot start {program}: {error.strerror}") from error
