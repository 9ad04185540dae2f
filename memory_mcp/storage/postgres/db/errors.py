"""Translates the driver's errors into sentences with what fixes them; none quotes a password."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

import psycopg
import psycopg_pool
from psycopg import errors

from memory_mcp.domain.errors import InvalidArgumentError, StoreError

CHECK = "start PostgreSQL, or check MCP_MEMORY_POSTGRES_URL"


class LostWriteError(StoreError):
    """The connection was lost during a commit, and the server did not come back to say how it ended."""

    def __init__(self, place: str) -> None:
        super().__init__(
            f"the connection to {place} was lost during a write, and the server does not answer whether it was kept; "
            f"{CHECK}, then look for what you wrote before you write it again"
        )


@contextlib.contextmanager
def translated(place: str) -> Iterator[None]:
    """Translate errors; `place` names the database without its password."""
    try:
        yield
    except (psycopg.Error, psycopg_pool.PoolTimeout, psycopg_pool.PoolClosed, OSError) as error:
        raise _told(error, place) from error
    except UnicodeEncodeError as error:
        raise InvalidArgumentError("text", "contains half of a surrogate pair, which is no character") from error


def _told(error: Exception, place: str) -> Exception:
    first = _first_line(error)
    if isinstance(error, psycopg.DataError) and ("NUL (0x00)" in first or "unsupported Unicode escape" in first):
        return InvalidArgumentError("text", NUL)
    if isinstance(error, psycopg.ProgrammingError) and error.sqlstate is None:  # libpq may quote the password
        return StoreError(f"MCP_MEMORY_POSTGRES_URL or MCP_MEMORY_POSTGRES_DIRECT_URL: {_NO_URL}")
    for kind, sentence in _SENTENCES.items():
        if isinstance(error, kind):
            return StoreError(f"{place}: {sentence.format(first=first)}")
    if not isinstance(error, psycopg.Error) or is_of_connection(error):
        return StoreError(f"{place} cannot be reached ({first}); {_fix(first)}")
    return StoreError(f"{place}: {_STANDBY if 'during recovery' in first else _REFUSED.format(first=first)}")


_NO_URL: Final = "it has a parameter that libpq does not know, or a value that is none; correct it"
_REFUSED: Final = "{first}; nothing was changed: run memory-mcp doctor"
_STANDBY: Final = "it is read-only (a standby?); name the primary in MCP_MEMORY_POSTGRES_URL"
_SENTENCES: Final[dict[type[psycopg.Error], str]] = {
    errors.DiskFull: "the server's disk is full; nothing was lost: free some space there",
    errors.InsufficientPrivilege: "{first}; grant the rights that docs/postgres.md lists",
    errors.QueryCanceled: "it took too long and was stopped; nothing was changed: try again when it is less busy",
    errors.ReadOnlySqlTransaction: _STANDBY,
}


def _fix(first: str) -> str:
    if "password authentication" in first or "no password supplied" in first:
        return "check the user and password in MCP_MEMORY_POSTGRES_URL"
    if "too many" in first or "remaining connection slots" in first or "no more connections" in first:
        return "close clients, raise max_connections, or put pgbouncer in front (docs/postgres.md)"
    if "does not exist" in first:
        return "create it, or name another in MCP_MEMORY_POSTGRES_URL"
    return CHECK


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].removeprefix("connection failed: ") if lines else type(error).__name__


NUL = "contains a NUL character (U+0000), which PostgreSQL cannot store; remove it"


def is_of_connection(error: psycopg.Error) -> bool:
    """Whether the server cannot be reached, or goes away: not whether it refuses or fails."""
    state = error.sqlstate
    if state is None:
        return isinstance(error, psycopg.OperationalError)  # libpq's own
    return state[:2] in _UNREACHED or state in _LEAVING


_UNREACHED: Final = {"08", "28", "3D"}
"""No connection, refused at the door, and no such database."""
_LEAVING: Final = {"53300", "57P01", "57P02", "57P03", "57P04", "57P05", "25P03"}
"""Too many connections, and the server ends a connection or itself."""


def is_passing(error: Exception) -> bool:
    """Whether the same transaction is likely to succeed if it is run once more."""
    return isinstance(error, errors.SerializationFailure | errors.DeadlockDetected)
