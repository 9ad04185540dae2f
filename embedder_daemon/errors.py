"""What ends the process, and what ends one call.

| exit code | error | what happened |
|---|---|---|
| 0 | – | stopped by SIGTERM or SIGINT, or another daemon already serves this socket |
| 1 | DaemonError | anything that no other row names |
| 2 | DaemonSettingsError | wrong usage: a setting is unknown or has a wrong value |
| 10 | AddressError | the address is no `unix:` path, or the path is too long for a socket |
| 11 | BlockedError | something that is no socket stands where the socket belongs |
| 12 | ModelMissingError | the model, or one of its files, is not there |
| 13 | ModelDamagedError | a file of the model is not what it should be |
| 14 | EngineMissingError | a package that the engine needs is not installed |
| 15 | LoadError | the model is there and whole, and could not be loaded |
| 16 | FolderError | the socket's folder cannot be made or written |
| 17 | StalledError | texts waited and none was computed for EMBEDDER_WATCHDOG_S: a restart fixes it |
| 18 | SocketLostError | somebody removed or replaced the socket: a restart fixes it |

A process whose event loop is frozen for as long as that ends with 1 and a traceback. Supervisors restart after
every code but 0.
"""

from __future__ import annotations

from typing import ClassVar, Final

from embedder_api.v1.contract import ErrorCode


class DaemonError(Exception):
    """Ends the process; its message is one line that names the thing and the fix."""

    exit_code: ClassVar[int] = 1


class DaemonSettingsError(DaemonError):
    """A setting is unknown or has a wrong value."""

    exit_code = 2


class AddressError(DaemonError):
    """The address cannot be listened on."""

    exit_code = 10


class BlockedError(DaemonError):
    """Something that is no socket stands where the socket belongs."""

    exit_code = 11


class ModelMissingError(DaemonError):
    """The model, or one of its files, is not there."""

    exit_code = 12


class ModelDamagedError(DaemonError):
    """A file of the model is not what it should be."""

    exit_code = 13


class EngineMissingError(DaemonError):
    """A package that the engine needs is not installed."""

    exit_code = 14


class LoadError(DaemonError):
    """The model could not be loaded."""

    exit_code = 15


class FolderError(DaemonError):
    """The socket's folder cannot be made or written."""

    exit_code = 16


class StalledError(DaemonError):
    """Texts waited, and none was computed for too long."""

    exit_code = 17


class SocketLostError(DaemonError):
    """Somebody removed or replaced the socket: nobody can reach this daemon any more."""

    exit_code = 18


INSTALL: Final = "run `memory-mcp daemon install` (in a checkout `make setup`)"
"""What brings a package or the bundled model into this interpreter."""

INTERNAL: Final = "the daemon met an error of its own: see its log"
"""What a caller gets for whatever is no fault of the request."""


class RequestError(Exception):
    """Ends one call; its message is the sentence that the caller gets."""

    code: ClassVar[ErrorCode] = ErrorCode.INTERNAL


class InvalidRequestError(RequestError):
    """The request breaks a bound of the contract."""

    code = ErrorCode.INVALID_REQUEST


class WrongSpaceError(RequestError):
    """The caller expects vectors of another space."""

    code = ErrorCode.SPACE_MISMATCH


class OverloadedError(RequestError):
    """More texts wait than the daemon admits."""

    code = ErrorCode.OVERLOADED

    def __init__(self, sentence: str, retry_after_ms: int) -> None:
        super().__init__(sentence)
        self.retry_after_ms = retry_after_ms


class UnavailableError(RequestError):
    """The daemon does not compute now: loading, draining or failed."""

    code = ErrorCode.UNAVAILABLE


class DeadlineError(RequestError):
    """The caller's deadline passed before its texts were computed."""

    code = ErrorCode.DEADLINE
