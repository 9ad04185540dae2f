"""Errors that end the process, and errors that end one call.

| exit code | error | what happened |
|---|---|---|
| 0 | – | stopped by SIGTERM or SIGINT, or another daemon already serves this socket |
| 1 | DaemonError | any other error |
| 2 | DaemonSettingsError | wrong usage: a setting is unknown or has an invalid value |
| 10 | AddressError | the address is neither a `unix:` path that fits nor a port that can be listened on as it is set |
| 11 | BlockedError | something other than a socket is at the socket's path |
| 12 | ModelMissingError | the model, or one of its files, is missing |
| 13 | ModelDamagedError | a file of the model is damaged |
| 14 | EngineMissingError | a package that the engine needs is not installed |
| 15 | LoadError | the model is complete but could not be loaded |
| 16 | FolderError | the socket's folder cannot be created or written |
| 17 | StalledError | no waiting text was computed for EMBEDDER_WATCHDOG_S; a restart fixes it |
| 18 | SocketLostError | the socket was removed or replaced; a restart fixes it |

A process whose event loop is frozen for EMBEDDER_WATCHDOG_S exits with 1 and a traceback. Supervisors restart the
daemon after every code but 0.
"""

from __future__ import annotations

from typing import ClassVar, Final

from embedder_api.v1.contract import ErrorCode


class DaemonError(Exception):
    """Ends the process; its message is one line with the cause and the fix."""

    exit_code: ClassVar[int] = 1


class DaemonSettingsError(DaemonError):
    """A setting is unknown or has an invalid value."""

    exit_code = 2


class AddressError(DaemonError):
    """The address cannot be listened on."""

    exit_code = 10


class BlockedError(DaemonError):
    """Something other than a socket is at the socket's path."""

    exit_code = 11


class ModelMissingError(DaemonError):
    """The model, or one of its files, is missing."""

    exit_code = 12


class ModelDamagedError(DaemonError):
    """A file of the model is damaged."""

    exit_code = 13


class EngineMissingError(DaemonError):
    """A package that the engine needs is not installed."""

    exit_code = 14


class LoadError(DaemonError):
    """The model could not be loaded."""

    exit_code = 15


class FolderError(DaemonError):
    """The socket's folder cannot be created or written."""

    exit_code = 16


class StalledError(DaemonError):
    """No waiting text was computed for too long."""

    exit_code = 17


class SocketLostError(DaemonError):
    """The socket was removed or replaced, so nobody can reach this daemon."""

    exit_code = 18


INSTALL: Final = "run `memory-mcp daemon install` (in a checkout `make setup`)"
"""The fix for a missing package or bundled model."""

INTERNAL: Final = "the daemon failed with an internal error; see its log"
"""The message to the caller for errors that are not the request's fault."""


class RequestError(Exception):
    """Ends one call; its message goes to the caller."""

    code: ClassVar[ErrorCode] = ErrorCode.INTERNAL


class InvalidRequestError(RequestError):
    """The request violates the contract."""

    code = ErrorCode.INVALID_REQUEST


class WrongSpaceError(RequestError):
    """The caller expects vectors of another space."""

    code = ErrorCode.SPACE_MISMATCH


class OverloadedError(RequestError):
    """The daemon's queue is full."""

    code = ErrorCode.OVERLOADED

    def __init__(self, sentence: str, retry_after_ms: int) -> None:
        super().__init__(sentence)
        self.retry_after_ms = retry_after_ms


class NotAllowedError(RequestError):
    """The caller's certificate has none of the names that may call."""

    code = ErrorCode.FORBIDDEN


class UnavailableError(RequestError):
    """The daemon is loading, draining or failed."""

    code = ErrorCode.UNAVAILABLE


class DeadlineError(RequestError):
    """The caller's deadline passed before its texts were computed."""

    code = ErrorCode.DEADLINE
